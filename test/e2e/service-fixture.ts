// Helpers of the suite: creates Services and endpoints, and dials until the cluster has applied a change.

import { setTimeout as delay } from 'node:timers/promises';
import { familyOf } from '../../src/net/address.ts';
import { endpoint, slice } from '../support/builders/slice.ts';
import { type ApiObject, merge } from '../support/deployment/merge.ts';
import type { Addresses } from '../support/netns/topology.ts';
import type { DialReport, Target, Transport } from '../support/netns/traffic/programs/messages.ts';
import { type Client, type Cluster, type HttpAnswer, type Server, TARGET_PORT } from './cluster.ts';

export type Family = keyof Addresses;

export const FAMILIES: readonly Family[] = ['ip', 'ip6'];
export const FLOWS = (['tcp', 'udp'] as const).flatMap((protocol) => FAMILIES.map((family) => ({ protocol, family })));

/** The limit for a change to take effect on every node. */
const TIMEOUT_MS = 30_000;
const DIALS = 8;

export interface PlacedEndpoint {
  readonly server: Server;
  /** Fields of the endpoint, such as its conditions. */
  readonly fields?: ApiObject;
}

/** A created Service, with the fields that the cluster has set. */
export interface CreatedService {
  readonly name: string;
  readonly at: Addresses;
  readonly nodePorts: Readonly<Record<Transport, number>>;
  readonly object: ApiObject;
}

interface FilledSpec {
  readonly clusterIPs?: readonly string[];
  readonly ports?: readonly { readonly protocol: string; readonly nodePort?: number }[];
}

export class ServiceFixture {
  readonly cluster: Cluster;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  /** Creates or changes a dual-stack Service with port 80 of TCP and UDP. */
  async service(name: string, overrides: ApiObject = {}): Promise<CreatedService> {
    const ports = (['TCP', 'UDP'] as const).map((protocol) => ({
      name: protocol.toLowerCase(),
      protocol,
      port: 80,
      targetPort: TARGET_PORT,
    }));
    const base = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: this.cluster.namespace, name },
      spec: { type: 'ClusterIP', ipFamilyPolicy: 'RequireDualStack', ports },
    };
    const object = await this.cluster.putService(merge(base, overrides));
    const { clusterIPs = [], ports: filled = [] } = object['spec'] as FilledSpec;
    const nodePort = (protocol: string) => filled.find((port) => port.protocol === protocol)?.nodePort ?? 0;
    return {
      name,
      at: {
        ip: clusterIPs.find((address) => familyOf(address) === 'ip') ?? '',
        ip6: clusterIPs.find((address) => familyOf(address) === 'ip6') ?? '',
      },
      nodePorts: { tcp: nodePort('TCP'), udp: nodePort('UDP') },
      object,
    };
  }

  /** Makes these servers the endpoints of a Service. */
  async endpoints(name: string, placed: readonly (Server | PlacedEndpoint)[], labels: ApiObject = {}): Promise<void> {
    for (const family of FAMILIES) {
      const endpoints = placed.map((placement) => {
        const { server, fields = {} } = 'server' in placement ? placement : { server: placement };
        return endpoint(server[family], merge({ nodeName: server.node.name }, fields));
      });
      const metadata = { name: `${name}-${family}`, labels };
      const addressType = family === 'ip' ? 'IPv4' : 'IPv6';
      const ports = ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: TARGET_PORT }));
      const object = slice(`${this.cluster.namespace}/${name}`, { metadata, addressType, ports, endpoints });
      await this.cluster.putSlice(object);
    }
  }
}

/** Dials until two reports in a row are as expected, or the limit is reached. Returns the last report. */
export async function dialUntil(
  client: Client,
  target: Target,
  isExpected: (report: DialReport) => boolean,
): Promise<DialReport> {
  const deadline = performance.now() + TIMEOUT_MS;
  let inARow = 0;
  for (;;) {
    const report = await client.dial({ timeoutMs: 1_000, ...target, count: DIALS });
    inARow = isExpected(report) ? inARow + 1 : 0;
    if (inARow === 2 || performance.now() > deadline) return report;
    await delay(50);
  }
}

/** Gets the URL until it has the expected status, or the limit is reached. Returns the last response. */
export async function getUntilStatus(client: Client, url: string, status: number): Promise<HttpAnswer> {
  const deadline = performance.now() + TIMEOUT_MS;
  for (;;) {
    const answer = await client.get(url);
    if (answer.status === status || performance.now() > deadline) return answer;
    await delay(50);
  }
}

/** Whether every attempt was answered, and only by these pods. */
export function answeredBy(...names: readonly string[]): (report: DialReport) => boolean {
  return ({ attempts, answered, pods }) =>
    attempts === answered && Object.keys(pods).every((pod) => names.includes(pod));
}

export function allRefused({ attempts, refused }: DialReport): boolean {
  return attempts === refused;
}

export function allUnanswered({ attempts, timedOut }: DialReport): boolean {
  return attempts === timedOut;
}

/** The expected report of connections of which none was lost. */
export function noLoss({ attempts }: DialReport) {
  return { answered: attempts, refused: 0, timedOut: 0, errors: {} };
}
