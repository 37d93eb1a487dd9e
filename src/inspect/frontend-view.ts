// The view of a frontend: what happens to new connections, and how many there were.

import type { Engine } from '../engine/engine.ts';
import { printAddressPort } from '../net/address-port.ts';
import { frontendKey, serviceMapKey } from '../nftables/compile/compile-service.ts';
import type { SetOrMapName } from '../nftables/compile/sets-and-maps.ts';
import { whyWithoutEndpoints } from '../services/matching/slice-matching.ts';
import type { Backend } from '../services/model/backends.ts';
import type { Frontend, FrontendKind } from '../services/model/frontends.ts';
import type { ServicePortModel } from '../services/model/service-port.ts';
import type { Service } from '../services/objects/service.ts';
import { type KernelIndex, slotsOf } from './kernel-index.ts';

export interface FrontendView {
  readonly kind: FrontendKind;
  /** Address and port, or `*:port` for a node port. */
  readonly address: string;
  readonly policy: string;
  /** What happens to a new connection. */
  readonly destination: string;
  /** New connections that were forwarded or rejected since the element was created. */
  readonly connections: number;
}

const VERDICT_MAPS: Readonly<Record<'address' | 'node', readonly [SetOrMapName, SetOrMapName]>> = {
  address: ['service-ips', 'no-endpoint-services'],
  node: ['service-nodeports', 'no-endpoint-nodeports'],
};

/** The Service port of a frontend, with the sources of its view. */
interface FrontendContext {
  readonly engine: Engine;
  readonly kernel: KernelIndex;
  /** The Services whose health checks have a node port, by its frontend key. */
  readonly healthChecks: ReadonlyMap<string, string>;
  readonly service: Service;
  readonly port: ServicePortModel;
}

export function viewFrontend(frontend: Frontend, context: FrontendContext): FrontendView {
  const { kernel } = context;
  const { family, kind, address, policy } = frontend;
  const key = serviceMapKey(frontend);
  const [verdicts, refusals] = VERDICT_MAPS[address === undefined ? 'node' : 'address'];
  const rejected = kernel.packets(family, refusals, key);
  const dispatched = kernel.packets(family, verdicts, key);
  return {
    kind,
    address: address === undefined ? `*:${frontend.port}` : printAddressPort({ address, port: frontend.port }),
    policy,
    destination: describeDestination(frontend, context),
    connections: Math.max(dispatched, countSlotPackets(frontend, kernel)) + rejected,
  };
}

/** Slots keep their counters longer than the verdict, which is replaced whenever the number of endpoints changes. */
function countSlotPackets(frontend: Frontend, kernel: KernelIndex): number {
  return slotsOf(frontend, kernel)
    .flat()
    .reduce((sum, slot) => sum + slot.packets, 0);
}

function isServed({ policy }: Frontend, { selection }: ServicePortModel): boolean {
  return (policy === 'Local' ? selection.local : selection.cluster).length > 0;
}

function isInUse({ address }: Frontend, { store }: Engine): boolean {
  return address !== undefined && store.clusterIpUses.isInUse(address);
}

function describeDestination(frontend: Frontend, { service, port, engine, healthChecks }: FrontendContext): string {
  const { selection } = port;
  const conflict = engine.conflicts().find((candidate) => candidate.frontend === frontendKey(frontend));
  if (conflict !== undefined && conflict.winner !== service.key)
    return `none: the frontend belongs to ${conflict.winner}`;
  const checked = healthChecks.get(frontendKey(frontend));
  if (checked !== undefined) return `none: port of the health checks of Service ${checked}`;
  if (!isServed(frontend, port) && frontend.kind === 'cluster-ip' && isInUse(frontend, engine))
    return 'not refused without endpoints: the address is in use otherwise';
  if (!selection.hasAnyEndpoints)
    return `refused: no endpoints, because ${whyNone(frontend, { service, port, engine })}`;
  const { cluster, local } = selection;
  if (frontend.policy === 'Cluster') return `${countEndpoints(cluster)}`;
  const localDestination =
    local.length > 0 ? `${countEndpoints(local)} on this node` : 'dropped: no endpoints on this node';
  if (frontend.kind === 'cluster-ip') return localDestination;
  return `${localDestination}; from pods and this node: ${countEndpoints(cluster)}`;
}

function whyNone(
  { family, servicePort }: Frontend,
  { service, port, engine }: Pick<FrontendContext, 'service' | 'port' | 'engine'>,
): string {
  const slices = engine.store.slicesOf(service.key);
  return whyWithoutEndpoints(service, { port: servicePort, family, slices, backends: port.backends.length });
}

function countEndpoints(backends: readonly Backend[]): string {
  return backends.length === 1 ? '1 endpoint' : `${backends.length} endpoints`;
}
