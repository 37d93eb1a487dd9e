// Sends API objects to a sink, as a source does.

import { KINDS, type Kind, type KindMap, kindOf } from '../../../src/services/objects/kinds.ts';
import type { ReadResult } from '../../../src/services/objects/read.ts';
import type { Sink } from '../../../src/services/objects/sink.ts';
import type { ApiObject } from '../deployment/merge.ts';

/** Sends objects that are new or have changed. */
export function put(sink: Sink, ...objects: readonly ApiObject[]): void {
  for (const object of objects) {
    const kind = kindIn(object);
    sink.put(kind, KINDS[kind].read(object));
  }
}

/** Sends the deletion of objects. */
export function remove(sink: Sink, ...objects: readonly ApiObject[]): void {
  for (const object of objects) {
    const kind = kindIn(object);
    sink.remove(kind, KINDS[kind].read(object).key);
  }
}

/** Sends complete lists of all kinds. */
export function replaceAll(sink: Sink, objects: readonly ApiObject[]): void {
  for (const kind of Object.keys(KINDS) as Kind[]) {
    const ofKind = objects.filter((object) => kindIn(object) === kind);
    const { read } = KINDS[kind];
    const reads = ofKind.map((object) => read(object));
    sink.replace(kind, reads as readonly ReadResult<KindMap[Kind]>[]);
  }
}

function kindIn(object: ApiObject): Kind {
  const kind = kindOf(object['apiVersion'], object['kind']);
  if (kind === undefined) throw new Error(`Cannot read a "${object['kind']}": no such kind`);
  return kind;
}
