// Selects the backends of a Service port that this node uses.

import type { Backend, BackendEntry } from './backends.ts';

/** The location of this node, to which topology hints refer. */
export interface NodeTopology {
  readonly nodeName: string;
  readonly zone: string | undefined;
}

/** Which endpoints the frontends of a Service port use. */
export interface EndpointUsage {
  /** Some frontend uses endpoints of the whole cluster. */
  readonly cluster: boolean;
  /** Some frontend uses only endpoints of this node. */
  readonly local: boolean;
}

/** The hints that restrict the backends: of zones (KEP-2433) or nodes (KEP-3015). */
type TopologyMode = 'all' | 'same-node' | 'same-zone';

export interface Selection {
  /** For frontends with policy Cluster; empty if there are none. */
  readonly cluster: readonly Backend[];
  /** For frontends with policy Local; empty if there are none. */
  readonly local: readonly Backend[];
  /** Any node has a usable endpoint. Without one, packets are rejected; with a remote one only, the policy Local drops them. */
  readonly hasAnyEndpoints: boolean;
  readonly topologyMode: TopologyMode;
}

/**
 * Selects ready backends, restricted by hints, or, if none is ready, serving backends that are terminating (KEP-1669).
 * The cluster and local lists fall back independently. Hints do not apply to the local list.
 */
export function selectBackends(
  backends: readonly Backend[],
  { usage, node }: { usage: EndpointUsage; node: NodeTopology },
): Selection {
  const topologyMode = usage.cluster ? topologyModeFromHints(backends, node) : 'all';
  const cluster = usage.cluster
    ? readyOrServingTerminating(backends, (backend) => isAvailableForTopology(backend, topologyMode, node))
    : [];
  const local = usage.local ? readyOrServingTerminating(backends, () => true, { localOnly: true }) : [];
  const hasAnyEndpoints =
    cluster.length > 0 || (usage.local && backends.some((backend) => backend.ready || isServingTerminating(backend)));
  return { cluster, local, hasAnyEndpoints, topologyMode };
}

/** Whether the backend is shutting down and still serves. */
export function isServingTerminating({ serving, terminating }: Backend): boolean {
  return serving && terminating;
}

/**
 * Hints apply only if every ready backend has one and at least one of them names this node or zone: a partial set of hints
 * is incomplete, such as during an update.
 */
function topologyModeFromHints(backends: readonly Backend[], { nodeName, zone }: NodeTopology): TopologyMode {
  const ready = backends.filter((backend) => backend.ready);
  const allHinted = (hints: (backend: Backend) => readonly string[], name: string): boolean =>
    ready.every((backend) => hints(backend).length > 0) && ready.some((backend) => hints(backend).includes(name));
  if (ready.length === 0) return 'all';
  if (allHinted((backend) => backend.nodeHints, nodeName)) return 'same-node';
  if (zone !== undefined && allHinted((backend) => backend.zoneHints, zone)) return 'same-zone';
  return 'all';
}

function isAvailableForTopology(
  backend: Backend,
  topologyMode: TopologyMode,
  { nodeName, zone = '' }: NodeTopology,
): boolean {
  if (topologyMode === 'same-node') return backend.nodeHints.includes(nodeName);
  if (topologyMode === 'same-zone') return backend.zoneHints.includes(zone);
  return true;
}

function readyOrServingTerminating(
  backends: readonly Backend[],
  isEligible: (backend: Backend) => boolean,
  { localOnly = false }: { localOnly?: boolean } = {},
): readonly Backend[] {
  const candidates = localOnly ? backends.filter((backend) => backend.isLocal) : backends;
  const ready = candidates.filter((backend) => backend.ready && isEligible(backend));
  return ready.length > 0 ? ready : candidates.filter(isServingTerminating);
}

/** The reason why a backend is used or not used, for operators. */
export function explainBackend(
  backend: Backend,
  { selection, usage, node }: { selection: Selection; usage: EndpointUsage; node: NodeTopology },
): string {
  if (selection.cluster.includes(backend)) return usedReason(backend, { scope: '', place: '' });
  if (selection.local.includes(backend))
    return usedReason(backend, { scope: ', for clients under the Local policy', place: ' of this node' });
  const notOnThisNode = `on node ${backend.nodeName || '(none)'}, and internalTrafficPolicy is Local`;
  if (!backend.ready && !isServingTerminating(backend)) return describeConditions(backend);
  if (!backend.ready)
    return usage.cluster || backend.isLocal ? 'terminating, and there are ready endpoints' : notOnThisNode;
  if (!usage.cluster) return notOnThisNode;
  if (selection.topologyMode === 'same-node') return `hinted for other nodes than ${node.nodeName}`;
  return `hinted for other zones than ${node.zone ?? '(none)'}`;
}

/** What each entry says about a backend that has several, for operators; empty for others. */
export function explainEntries({ entries = [] }: Backend): string[] {
  return entries.map((entry) => {
    const place = entry.nodeName === '' ? '' : ` on node ${entry.nodeName}`;
    return `EndpointSlice ${entry.slice}: ${describeConditions(entry)}${place}`;
  });
}

function describeConditions({ ready, serving, terminating }: Omit<BackendEntry, 'slice'>): string {
  if (ready) return terminating ? 'ready and terminating' : 'ready';
  if (serving && terminating) return 'serving and terminating';
  return terminating ? 'terminating and no longer serving' : 'not ready';
}

function usedReason({ ready }: Backend, { scope, place }: { scope: string; place: string }): string {
  return ready ? `ready${scope}` : `terminating, but still serving, and no endpoint${place} is ready${scope}`;
}
