// Which backends of a Service port are used on this node, and why each of the others is not.
import type { Backend } from './backends.ts';

/** Where selection happens: endpoints may be meant for clients of one node, or of one zone. */
export interface NodeTopology {
  readonly nodeName: string;
  readonly zone: string | undefined;
}

/** What a Service port wants to know of its backends. */
export interface EndpointUsage {
  /** Some frontend uses endpoints of the whole cluster. */
  readonly cluster: boolean;
  /** Some frontend uses only endpoints of this node. */
  readonly local: boolean;
}

/** How hints narrowed the choice (KEP-2433 zones, KEP-3015 nodes). */
export type TopologyMode = 'all' | 'same-node' | 'same-zone';

export interface Selection {
  /** For frontends with policy Cluster; empty when nobody wants them. */
  readonly cluster: readonly Backend[];
  /** For frontends with policy Local. */
  readonly local: readonly Backend[];
  /** Somebody, somewhere could answer: the difference between dropping and refusing. */
  readonly hasAnyEndpoints: boolean;
  readonly topologyMode: TopologyMode;
}

/**
 * Ready backends are used, narrowed by hints; where none is ready, those that still serve while they terminate
 * (KEP-1669). The cluster's and the local list fall back on their own, and hints never narrow the local one.
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

/** A backend that still answers while it shuts down. */
export function isServingTerminating({ serving, terminating }: Backend): boolean {
  return serving && terminating;
}

/**
 * Hints count only when every ready backend has one and at least one of them names this place: a partial set of hints
 * is one that is being written.
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
  if (!backend.ready && !isServingTerminating(backend))
    return backend.terminating ? 'terminating and no longer serving' : 'not ready';
  if (!backend.ready)
    return usage.cluster || backend.isLocal ? 'terminating, and there are ready endpoints' : notOnThisNode;
  if (!usage.cluster) return notOnThisNode;
  if (selection.topologyMode === 'same-node') return `hinted for other nodes than ${node.nodeName}`;
  return `hinted for other zones than ${node.zone ?? '(none)'}`;
}

function usedReason({ ready }: Backend, { scope, place }: { scope: string; place: string }): string {
  return ready ? `ready${scope}` : `terminating, but still serving, and no endpoint${place} is ready${scope}`;
}
