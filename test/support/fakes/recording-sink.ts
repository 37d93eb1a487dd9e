// A sink that records its calls and keeps the resulting objects.

import type { Kind } from '../../../src/services/objects/kinds.ts';
import type { ReadResult } from '../../../src/services/objects/read.ts';
import type { Sink } from '../../../src/services/objects/sink.ts';

export interface RecordedSink extends Sink {
  /** The calls in order, such as `put Service shop/web`. */
  readonly journal: string[];
  /** The objects that exist after these calls, by `Kind key`. */
  readonly objects: Map<string, ReadResult<unknown>>;
  /** The calls since the last `take`, which are removed from the journal. */
  take(): string[];
}

export function recordSink(): RecordedSink {
  const journal: string[] = [];
  const objects = new Map<string, ReadResult<unknown>>();
  const replace = (kind: Kind, list: readonly ReadResult<unknown>[]) => {
    for (const name of objects.keys()) if (name.startsWith(`${kind} `)) objects.delete(name);
    for (const read of list) objects.set(`${kind} ${read.key}`, read);
    journal.push(`replace ${kind} ${list.map(({ key }) => key).join(',')}`);
  };
  const put = (kind: Kind, read: ReadResult<unknown>) => {
    objects.set(`${kind} ${read.key}`, read);
    journal.push(`put ${kind} ${read.key}`);
  };
  const remove = (kind: Kind, key: string) => {
    objects.delete(`${kind} ${key}`);
    journal.push(`remove ${kind} ${key}`);
  };
  return { journal, objects, replace, put, remove, take: () => journal.splice(0) };
}
