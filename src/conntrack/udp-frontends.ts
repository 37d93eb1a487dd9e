// Where the UDP flows of a Service may go: for each of its frontends, the endpoints that answer for it.

import { backendsOf } from '../services/model/backends.ts';
import { type Frontend, frontendsOf } from '../services/model/frontends.ts';
import type { EndpointSlice } from '../services/objects/endpoint-slice.ts';
import { familiesOf, type Service } from '../services/objects/service.ts';
import { addressKey, nodePortKey } from './conntrack-entry.ts';

/** One frontend. */
export interface UdpFrontend {
  /** `address port`, or `family port` for a node port. */
  readonly key: string;
  /** The Service port: `namespace/name:port`. */
  readonly servicePort: string;
  /** `address port` of each endpoint, whatever policies and topology say of it: those are for new flows. */
  readonly endpoints: ReadonlySet<string>;
}

/** The UDP frontends of a Service that it has to itself; none when there is no such Service. */
export function udpFrontendsOf(
  service: Service | undefined,
  slices: Iterable<EndpointSlice>,
  isOwned: (frontend: Frontend) => boolean,
): UdpFrontend[] {
  const ports = service?.ports.filter(({ protocol }) => protocol === 'udp') ?? [];
  if (service === undefined || ports.length === 0) return [];
  const allSlices = [...slices];
  return familiesOf(service).flatMap((family) =>
    ports.flatMap((port) => {
      const backends = backendsOf(allSlices, { port, family, nodeName: '' });
      const serving = backends.filter((backend) => backend.ready || backend.serving);
      const endpoints = new Set(serving.map((backend) => addressKey(backend.address, backend.port)));
      const servicePort = port.name === '' ? service.key : `${service.key}:${port.name}`;
      const owned = frontendsOf(service, port, family).filter(isOwned);
      return owned.map((frontend) => ({ key: keyOf(frontend), servicePort, endpoints }));
    }),
  );
}

function keyOf({ address, family, port }: Frontend): string {
  return address === undefined ? nodePortKey(family, port) : addressKey(address, port);
}

/** Whether two lists, made from the same Service at different times, say the same. */
export function sameUdpFrontends(before: readonly UdpFrontend[], after: readonly UdpFrontend[]): boolean {
  if (before.length !== after.length) return false;
  return before.every((target, index) => {
    const other = after[index];
    return other !== undefined && target.key === other.key && sameSet(target.endpoints, other.endpoints);
  });
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  if (a.size !== b.size) return false;
  for (const value of a) if (!b.has(value)) return false;
  return true;
}
