// Keeps what is told to a sink and to a log.

import type { Log } from '../../../src/host/log.ts';
import { LOG_LEVELS, type LogLevel } from '../../../src/host/log-level.ts';
import type { Kind } from '../../../src/services/objects/kinds.ts';
import type { ReadResult } from '../../../src/services/objects/read.ts';
import type { Sink } from '../../../src/services/objects/sink.ts';

export interface RecordedSink extends Sink {
  /** What was said, e.g. `put Service shop/web`, in order. */
  readonly journal: string[];
  /** What there is after all that, by `Kind key`. */
  readonly objects: Map<string, ReadResult<unknown>>;
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
  return { journal, objects, replace, put, remove };
}

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export function recordLog(): { readonly log: Log; readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const writers = LOG_LEVELS.map((level) => [
    level,
    (message: string, details: Readonly<Record<string, unknown>> = {}) => void lines.push({ level, message, details }),
  ]);
  return { log: Object.fromEntries(writers), lines };
}
