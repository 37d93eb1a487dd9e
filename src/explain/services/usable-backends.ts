// Selects the usable backends of a Service port, independently of the code that compiles them.

import type { Backend } from '../../services/model/backends.ts';

interface NodeTopology {
  readonly name: string;
  readonly zone: string | undefined;
}

export interface UsableBackends {
  /** For clients that may use all endpoints. */
  readonly cluster: readonly Backend[];
  /** For clients that may only use endpoints on this node. */
  readonly local: readonly Backend[];
  /** Whether any endpoint of the cluster can serve: ready, or serving while it terminates. */
  readonly hasAny: boolean;
}

/** Ready backends, filtered by hints if all have them; without ready ones, those that serve while they terminate. */
export function usableBackends(backends: readonly Backend[], node: NodeTopology): UsableBackends {
  const ready = backends.filter((backend) => backend.ready);
  const terminating = backends.filter((backend) => backend.serving && backend.terminating);
  const cluster = ready.length > 0 ? matchingHints(ready, node) : terminating;
  const readyLocal = ready.filter((backend) => backend.isLocal);
  const local = readyLocal.length > 0 ? readyLocal : terminating.filter((backend) => backend.isLocal);
  return { cluster, local, hasAny: ready.length + terminating.length > 0 };
}

function matchingHints(ready: readonly Backend[], { name, zone }: NodeTopology): readonly Backend[] {
  const allHaveNodeHints = ready.every((backend) => backend.nodeHints.length > 0);
  const hintedForNode = ready.filter((backend) => backend.nodeHints.includes(name));
  if (allHaveNodeHints && hintedForNode.length > 0) return hintedForNode;
  const allHaveZoneHints = ready.every((backend) => backend.zoneHints.length > 0);
  const hintedForZone = ready.filter((backend) => zone !== undefined && backend.zoneHints.includes(zone));
  return allHaveZoneHints && hintedForZone.length > 0 ? hintedForZone : ready;
}
