// The UDP frontends of a Service with their endpoints.

import type { ServiceChange } from '../../engine/service-change.ts';
import type { Frontend } from '../../services/model/frontends.ts';
import type { ServicePort } from '../../services/objects/service-ports.ts';
import { addressKey, nodePortKey } from '../conntrack-entry.ts';

export interface UdpFrontend {
  /** `address port`, or `family port` for a node port. */
  readonly key: string;
  /** The Service port: `namespace/name:port`. */
  readonly servicePort: string;
  /** `address port` of each endpoint, regardless of policies and topology, which apply to new flows. */
  readonly endpoints: ReadonlySet<string>;
}

/** The UDP frontends that belong to a Service; none when there is no such Service. */
export function udpFrontendsOf(change: ServiceChange): UdpFrontend[] {
  if (change.state !== 'served' || !change.service.ports.some(isUdp)) return [];
  const udpPorts = change.ports.filter(({ port }) => isUdp(port));
  return udpPorts.flatMap(({ name, frontends, backends }) => {
    const serving = backends.filter((backend) => backend.ready || backend.serving);
    const endpoints = new Set(serving.map((backend) => addressKey(backend.address, backend.port)));
    const owned = frontends.filter(change.owns);
    return owned.map((frontend) => ({ key: keyOf(frontend), servicePort: name, endpoints }));
  });
}

function isUdp({ protocol }: ServicePort): boolean {
  return protocol === 'udp';
}

function keyOf({ address, family, port }: Frontend): string {
  return address === undefined ? nodePortKey(family, port) : addressKey(address, port);
}

/** Whether two lists of the same Service are equal. */
export function sameUdpFrontends(before: readonly UdpFrontend[], after: readonly UdpFrontend[]): boolean {
  if (before.length !== after.length) return false;
  return before.every((frontend, index) => {
    const other = after[index];
    return other !== undefined && frontend.key === other.key && sameSet(frontend.endpoints, other.endpoints);
  });
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  if (a.size !== b.size) return false;
  for (const value of a) if (!b.has(value)) return false;
  return true;
}
