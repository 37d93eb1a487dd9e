// The Services that both layouts are given.
import { readEndpointSlice } from '../../../src/services/objects/endpoint-slice.ts';
import { readService } from '../../../src/services/objects/service.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';

export const SERVICE_PORT = 80;
export const ENDPOINT_PORT = 8080;
/** Where cluster IPs and endpoints come from. */
export const ADDRESS_BLOCKS = { services: '10.96.0.0/12', endpoints: '10.128.0.0/9' };

export interface BenchService {
  readonly name: string;
  readonly clusterIp: string;
  readonly protocol: 'tcp' | 'udp';
  readonly endpoints: readonly string[];
}

/** Endpoints a Service: fewer where there are very many Services. */
export function endpointsAt(size: number): number {
  return size > 10_000 ? 2 : 10;
}

/** The Service with this number, from 0 on: one is TCP, the next UDP, and so on. */
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

/** An endpoint that no Service has at the beginning, by number. */
export function freshEndpoint(number: number): string {
  return endpointAddress(4_000_000 + (number % 4_000_000));
}

/** Its oldest endpoint gives way to another. */
export function withNewEndpoint(service: BenchService, address: string): BenchService {
  return { ...service, endpoints: [...service.endpoints.slice(1), address] };
}

/** It has one endpoint more. */
export function withOneMore(service: BenchService, address: string): BenchService {
  return { ...service, endpoints: [...service.endpoints, address] };
}

/** A Service and its slice as the engine takes them. */
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
