// The Services of both layouts.

import { readEndpointSlice } from '../../../src/services/objects/endpoint-slice.ts';
import { readService } from '../../../src/services/objects/service.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';

export const SERVICE_PORT = 80;
export const ENDPOINT_PORT = 8080;
/** The blocks of cluster IPs and endpoint addresses. */
export const ADDRESS_BLOCKS = { services: '10.96.0.0/12', endpoints: '10.128.0.0/9' };

export interface BenchService {
  readonly name: string;
  readonly clusterIp: string;
  readonly protocol: 'tcp' | 'udp';
  readonly endpoints: readonly string[];
}

/** The number of endpoints per Service, reduced for very many Services. */
export function endpointsAt(size: number): number {
  return size > 10_000 ? 2 : 10;
}

/** The nth Service, from 0. TCP and UDP alternate. */
export function benchService(number: number, endpoints: number): BenchService {
  return {
    name: `demo/svc-${String(number).padStart(5, '0')}`,
    clusterIp: clusterIpOf(number),
    protocol: protocolOf(number),
    endpoints: Array.from({ length: endpoints }, (_, index) => endpointAddress(number * endpoints + index)),
  };
}

export function clusterIpOf(number: number): string {
  return address(0x0a60_0002 + number);
}

export function protocolOf(number: number): 'tcp' | 'udp' {
  return number % 2 === 0 ? 'tcp' : 'udp';
}

/** Changes one of the Services at each call, spread over all of them. */
export function createServiceChanger(services: BenchService[], endpoints: number) {
  let changes = 0;
  return (change: (service: BenchService, address: string) => BenchService): BenchService => {
    const number = (changes * 7919) % services.length;
    const changed = change(services[number] ?? benchService(number, endpoints), freshEndpoint(changes++));
    services[number] = changed;
    return changed;
  };
}

/** The nth endpoint that no Service has initially. */
export function freshEndpoint(number: number): string {
  return endpointAddress(4_000_000 + (number % 4_000_000));
}

/** Replaces the oldest endpoint. */
export function withNewEndpoint(service: BenchService, address: string): BenchService {
  return { ...service, endpoints: [...service.endpoints.slice(1), address] };
}

/** Adds an endpoint. */
export function withOneMore(service: BenchService, address: string): BenchService {
  return { ...service, endpoints: [...service.endpoints, address] };
}

/** A Service and its EndpointSlice as parsed objects. */
export function readBenchService({ name, clusterIp, protocol, endpoints }: BenchService) {
  const port = { name: 'p', protocol: protocol.toUpperCase() };
  const spec = { ...clusterIps(clusterIp), ports: [{ ...port, port: SERVICE_PORT }] };
  const ports = [{ ...port, port: ENDPOINT_PORT }];
  return {
    service: readService(service(name, { spec })),
    slice: readEndpointSlice(slice(name, { ports, endpoints: endpoints.map((address) => endpoint(address)) })),
  };
}

function endpointAddress(number: number): string {
  return address(0x0a80_0001 + number);
}

function address(bits: number): string {
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.');
}
