// Which backends of a Service port are used on this node, and why each of the others is not.
import type { Backend } from './backends.ts';

/** Where selection happens: endpoints may be meant for clients of one node, or of one zone. */
export interface Place {
  readonly nodeName: string;
  readonly zone: string | undefined;
}

/** What a Service port wants to know of its backends. */
export interface Wants {
  /** Some frontend uses endpoints of the whole cluster. */
  readonly cluster: boolean;
  /** Some frontend uses only endpoints of this node. */
  readonly local: boolean;
}

/** How hints narrowed the choice (KEP-2433 zones, KEP-3015 nodes). */
export type Topology = 'all' | 'same-node' | 'same-zone';

export interface Selection {
  /** For frontends with policy Cluster; empty when nobody wants them. */
  readonly cluster: readonly Backend[];
  /** For frontends with policy Local. */
  readonly local: readonly Backend[];
  /** Somebody, somewhere could answer: the difference between dropping and refusing. */
  readonly any: boolean;
  readonly topology: Topology;
}

/**
 * Ready backends are used, narrowed by hints; where none is ready, those that still serve while they terminate
 * (KEP-1669). The cluster's and the local list fall back on their own, and hints never narrow the local one.
 */
export function select(backends: readonly Backend[], place: Place, wants: Wants): Selection {
  const topology = wants.cluster ? topologyOf(backends, place) : 'all';
  const cluster = wants.cluster ? orDraining(backends, (backend) => isHintedHere(backend, topology, place)) : [];
  const local = wants.local ? orDraining(backends, () => true, { localOnly: true }) : [];
  const any = cluster.length > 0 || (wants.local && backends.some((backend) => backend.ready || isDraining(backend)));
  return { cluster, local, any, topology };
}

/** A backend that still answers while it shuts down. */
export function isDraining({ serving, terminating }: Backend): boolean {
  return serving && terminating;
}

/**
 * Hints count only when every ready backend has one and at least one of them names this place: a partial set of hints
 * is one that is being written.
 */
function topologyOf(backends: readonly Backend[], { nodeName, zone }: Place): Topology {
  const ready = backends.filter((backend) => backend.ready);
  const covers = (hints: (backend: Backend) => readonly string[], name: string): boolean =>
    ready.every((backend) => hints(backend).length > 0) && ready.some((backend) => hints(backend).includes(name));
  if (ready.length === 0) return 'all';
  if (covers((backend) => backend.nodeHints, nodeName)) return 'same-node';
  if (zone !== undefined && covers((backend) => backend.zoneHints, zone)) return 'same-zone';
  return 'all';
}

function isHintedHere(backend: Backend, topology: Topology, { nodeName, zone = '' }: Place): boolean {
  if (topology === 'same-node') return backend.nodeHints.includes(nodeName);
  if (topology === 'same-zone') return backend.zoneHints.includes(zone);
  return true;
}

function orDraining(
  backends: readonly Backend[],
  admits: (backend: Backend) => boolean,
  { localOnly = false }: { localOnly?: boolean } = {},
): readonly Backend[] {
  const candidates = localOnly ? backends.filter((backend) => backend.local) : backends;
  const ready = candidates.filter((backend) => backend.ready && admits(backend));
  return ready.length > 0 ? ready : candidates.filter(isDraining);
}

/** Why a backend is used, or is not, in words for an operator. */
export function whyBackend(backend: Backend, selection: Selection, wants: Wants, place: Place): string {
  const inCluster = selection.cluster.includes(backend);
  const draining = isDraining(backend) && !backend.ready;
  if (inCluster || selection.local.includes(backend)) {
    const scope = inCluster ? '' : ', for clients under the Local policy';
    const where = inCluster ? '' : ' of this node';
    return draining ? `terminating, but still serving, and no endpoint${where} is ready${scope}` : `ready${scope}`;
  }
  const elsewhere = `on node ${backend.nodeName || '(none)'}, and internalTrafficPolicy is Local`;
  if (!backend.ready) {
    if (draining) return wants.cluster || backend.local ? 'terminating, and there are ready endpoints' : elsewhere;
    return backend.terminating ? 'terminating and no longer serving' : 'not ready';
  }
  if (!wants.cluster) return elsewhere;
  if (selection.topology === 'same-node') return `hinted for other nodes than ${place.nodeName}`;
  return `hinted for other zones than ${place.zone ?? '(none)'}`;
}
