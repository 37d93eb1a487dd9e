// Which backends of a Service port a client may be led to, said from the behaviour and not from the code that compiles it.
import type { Backend } from '../../services/model/backends.ts';

/** Where the question is asked. */
export interface Here {
  readonly name: string;
  readonly zone: string | undefined;
}

export interface Usable {
  /** For those who may use every endpoint. */
  readonly cluster: readonly Backend[];
  /** For those who may use the endpoints of this node only. */
  readonly local: readonly Backend[];
  /** Someone, somewhere, could answer. */
  readonly any: boolean;
}

/** Ready ones, those meant for this place if all are labelled; without any, those that serve until they are gone. */
export function usableOf(backends: readonly Backend[], here: Here): Usable {
  const ready = backends.filter((backend) => backend.ready);
  const leaving = backends.filter((backend) => backend.serving && backend.terminating);
  const cluster = ready.length > 0 ? meantForHere(ready, here) : leaving;
  const readyHere = ready.filter((backend) => backend.local);
  const local = readyHere.length > 0 ? readyHere : leaving.filter((backend) => backend.local);
  return { cluster, local, any: ready.length + leaving.length > 0 };
}

function meantForHere(ready: readonly Backend[], { name, zone }: Here): readonly Backend[] {
  const allSayNodes = ready.every((backend) => backend.nodeHints.length > 0);
  const forThisNode = ready.filter((backend) => backend.nodeHints.includes(name));
  if (allSayNodes && forThisNode.length > 0) return forThisNode;
  const allSayZones = ready.every((backend) => backend.zoneHints.length > 0);
  const forThisZone = ready.filter((backend) => zone !== undefined && backend.zoneHints.includes(zone));
  return allSayZones && forThisZone.length > 0 ? forThisZone : ready;
}
