// Which backends of a Service port a client may be led to, said from the behaviour and not from the code that compiles it.
import type { Backend } from '../../services/model/backends.ts';

/** Where the question is asked. */
export interface NodeTopology {
  readonly name: string;
  readonly zone: string | undefined;
}

export interface UsableBackends {
  /** For those who may use every endpoint. */
  readonly cluster: readonly Backend[];
  /** For those who may use the endpoints of this node only. */
  readonly local: readonly Backend[];
  /** Someone, somewhere, could answer. */
  readonly hasAny: boolean;
}

/** Ready ones, those meant for this place if all are labelled; without any, those that serve until they are gone. */
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
