// Decides which frontends the programs can serve. Input is the model that the nft elements are compiled from.

import type { Address } from '../../net/address.ts';
import type { Frontend } from '../../services/model/frontends.ts';
import type { ServicePortModel } from '../../services/model/service-port.ts';
import { repeatByWeight, weightedBackends } from '../../services/model/weighted-backends.ts';
import type { Service } from '../../services/objects/service.ts';
import { sourceRangesOf } from '../../services/objects/source-ranges.ts';
import type { FastPathProtocol } from '../maps/entries.ts';
import { MAX_FRONTEND_BACKENDS } from '../maps/layout.ts';
import type { SkipReason } from './skip-reason.ts';

/** Address and port of a pod. */
export interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

/** A Service port in one family: its eligible frontends and its local endpoints. */
interface EligiblePort {
  /** `namespace/name:port`, for display. */
  readonly name: string;
  /** Unique: the frontends and backends of a Service port share a number in the maps. */
  readonly servicePort: string;
  readonly protocol: FastPathProtocol;
  readonly frontends: readonly Frontend[];
  /** Repeated by weight. */
  readonly endpoints: readonly Endpoint[];
}

/** A frontend with externalTrafficPolicy Local that nftables serves. */
export interface Skipped extends SkipReason {
  readonly name: string;
  readonly frontend: Frontend;
}

export interface Eligibility {
  readonly eligible: readonly EligiblePort[];
  readonly skipped: readonly Skipped[];
}

/**
 * Sorts the frontends of a Service into eligible and skipped ones. `owns` is whether the Service owns a frontend that
 * others may claim too; `strict` is the node's strictSourceRanges. Frontends with the Cluster policy or without local
 * endpoints are in neither list.
 */
export function eligibilityOf(
  service: Service,
  ports: readonly ServicePortModel[],
  { owns, strict }: { readonly owns: (frontend: Frontend) => boolean; readonly strict: boolean },
): Eligibility {
  const eligible: EligiblePort[] = [];
  const skipped: Skipped[] = [];
  for (const port of ports) {
    const frontends = port.frontends.filter(({ kind, policy }) => kind !== 'cluster-ip' && policy === 'Local');
    const owned = frontends.filter(owns);
    const endpoints = endpointsOf(service, port);
    if (owned.length === 0 || endpoints.length === 0) continue;
    const portReason = portSkipReason(service, port, { endpointCount: endpoints.length });
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

/** Local endpoints, repeated by weight, as in nftables. */
function endpointsOf(service: Service, { selection }: ServicePortModel): Endpoint[] {
  return repeatByWeight(weightedBackends(service, selection.local)).map(({ address, port }) => ({ address, port }));
}

const SOURCE_RANGES: SkipReason = { cause: 'source_ranges', reason: 'source ranges are enforced by nftables' };

/** Why the programs cannot serve a port; `undefined` if they can. */
function portSkipReason(
  service: Service,
  { port, selection }: ServicePortModel,
  { endpointCount }: { readonly endpointCount: number },
): SkipReason | undefined {
  if (port.protocol === 'sctp') return { cause: 'protocol', reason: 'SCTP: BPF programs cannot compute its checksum' };
  if (service.affinitySeconds > 0) return { cause: 'affinity', reason: 'session affinity needs nftables' };
  if (service.balance !== 'random') return { cause: 'balance', reason: `balance ${service.balance} needs nftables` };
  if (selection.local.every((backend) => !backend.ready))
    return { cause: 'terminating', reason: 'all endpoints on this node are terminating' };
  if (endpointCount > MAX_FRONTEND_BACKENDS)
    return {
      cause: 'backend_limit',
      reason: `${endpointCount} weighted endpoints on this node exceed the limit of ${MAX_FRONTEND_BACKENDS}`,
    };
  return undefined;
}
