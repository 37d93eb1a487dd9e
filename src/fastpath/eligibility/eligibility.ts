// Which frontends the programs can serve, and why the others with the Local policy stay with nft: from the model that the
// nft elements are made of.

import type { Address } from '../../net/address.ts';
import type { Frontend } from '../../services/model/frontends.ts';
import type { ServicePortModel } from '../../services/model/service-port.ts';
import { repeatByWeight, weightedBackends } from '../../services/model/weighted-backends.ts';
import type { Service } from '../../services/objects/service.ts';
import { sourceRangesOf } from '../../services/objects/source-ranges.ts';
import type { FastPathProtocol } from '../maps/entries.ts';
import { MAX_FRONTEND_BACKENDS } from '../maps/layout.ts';
import type { SkipReason } from './skip-reason.ts';

/** Where a pod answers. */
export interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

/** One Service port in one family: what can be dialled from outside, and who answers. */
export interface EligiblePort {
  /** `namespace/name:port`, for people. */
  readonly name: string;
  /** Tells it from all others: its frontends and backends get one number. */
  readonly servicePort: string;
  readonly protocol: FastPathProtocol;
  /** Frontends that the programs can serve. */
  readonly frontends: readonly Frontend[];
  /** Each as often as its weight says. */
  readonly endpoints: readonly Endpoint[];
}

/** A frontend with the Local policy that stays with nft. */
export interface Skipped extends SkipReason {
  readonly name: string;
  readonly frontend: Frontend;
}

export interface Eligibility {
  readonly eligible: readonly EligiblePort[];
  readonly skipped: readonly Skipped[];
}

/**
 * What one Service asks for. `owns` says which frontends it has to itself; `strict` is the node's strictSourceRanges.
 * Frontends with the Cluster policy, and without endpoints of this node, are not mentioned.
 */
export function eligibilityOf(
  service: Service,
  ports: readonly ServicePortModel[],
  { owns, strict }: { readonly owns: (frontend: Frontend) => boolean; readonly strict: boolean },
): Eligibility {
  const eligible: EligiblePort[] = [];
  const skipped: Skipped[] = [];
  for (const port of ports) {
    const frontends = port.frontends.filter((front) => front.kind !== 'cluster-ip' && front.policy === 'Local');
    const owned = frontends.filter(owns);
    const endpoints = endpointsOf(service, port);
    if (owned.length === 0 || endpoints.length === 0) continue;
    const portReason = portSkipReason(service, port, endpoints.length);
    const isClosed = sourceRangesOf(service, port.family, { strict }) !== 'open';
    const reasonOf = (frontend: Frontend): SkipReason | undefined =>
      portReason ?? (frontend.kind === 'load-balancer-ip' && isClosed ? SOURCE_RANGES : undefined);
    for (const frontend of owned) {
      const skipReason = reasonOf(frontend);
      if (skipReason !== undefined) skipped.push({ name: port.name, frontend, ...skipReason });
    }
    const { protocol } = port.port;
    const served = owned.filter((frontend) => reasonOf(frontend) === undefined);
    if (served.length === 0 || protocol === 'sctp') continue;
    const servicePort = `${port.name} ${port.family} ${protocol}`;
    eligible.push({ name: port.name, servicePort, protocol, frontends: served, endpoints });
  }
  return { eligible, skipped };
}

/** As often as nft would choose each: their number tells whether they fit into an entry. */
function endpointsOf(service: Service, { selection }: ServicePortModel): Endpoint[] {
  return repeatByWeight(weightedBackends(service, selection.local)).map(({ address, port }) => ({ address, port }));
}

const SOURCE_RANGES: SkipReason = { cause: 'source_ranges', reason: 'it is open to some source ranges only' };

/** Why no frontend of this port is served; `undefined` when they can be. */
function portSkipReason(
  service: Service,
  { port, selection }: ServicePortModel,
  count: number,
): SkipReason | undefined {
  if (port.protocol === 'sctp') return { cause: 'protocol', reason: 'SCTP: a program cannot compute its checksum' };
  if (service.affinitySeconds > 0) return { cause: 'affinity', reason: 'session affinity is remembered by nft' };
  if (service.balance !== 'random') return { cause: 'balance', reason: `balance ${service.balance} is made by nft` };
  if (selection.local.every((backend) => !backend.ready))
    return { cause: 'terminating', reason: 'all endpoints of this node are terminating' };
  if (count > MAX_FRONTEND_BACKENDS)
    return {
      cause: 'backend_limit',
      reason: `${count} shares of endpoints of this node, and there is room for ${MAX_FRONTEND_BACKENDS}`,
    };
  return undefined;
}
