// Runs a DirectorySource on a temporary directory.

import { mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { LogLevel } from '../../../../src/host/log-level.ts';
import { asArray, asObject } from '../../../../src/services/objects/read.ts';
import { DirectorySource, type DirectorySourceOptions } from '../../../../src/sources/manifests/directory-source.ts';
import { type LogLine, recordLog } from '../../../support/fakes/recording-log.ts';
import { type RecordedSink, recordSink } from '../../../support/fakes/recording-sink.ts';
import { waitUntil } from '../../../support/wait-until.ts';

export interface RunningSource {
  readonly directory: string;
  readonly sink: RecordedSink;
  readonly logged: LogLine[];
  write(name: string, content: string): void;
  /** Replaces a file atomically. */
  replace(name: string, content: string): void;
  remove(name: string): void;
  /** Waits for a call of the sink. */
  received(event: string): Promise<void>;
  /** Waits for a line of the log. */
  logs(level: LogLevel, message: string | RegExp): Promise<LogLine>;
  stop(): Promise<void>;
}

type Options = Partial<Pick<DirectorySourceOptions, 'clock' | 'open'>>;

/** Starts with these files and waits until they are delivered. */
export async function runSource(t: Test, files: Record<string, string>, options: Options = {}): Promise<RunningSource> {
  const directory = join(t.testdir({}), 'manifests');
  mkdirSync(directory);
  const aMinuteAgo = Date.now() / 1000 - 60;
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(directory, name), content);
    utimesSync(join(directory, name), aMinuteAgo, aMinuteAgo);
  }
  const source = watchedSource(directory, options);
  t.teardown(() => source.stop());
  await source.received('replace ServiceCIDR ');
  return source;
}

/** Starts with an existing directory. */
export function watchedSource(directory: string, options: Options = {}): RunningSource {
  const sink = recordSink();
  const { log, lines: logged } = recordLog();
  const controller = new AbortController();
  const run = new DirectorySource({ directory, sink, log, ...options }).run(controller.signal);
  run.catch(() => undefined);
  const path = (name: string) => join(directory, name);
  return {
    directory,
    sink,
    logged,
    write: (name, content) => writeFileSync(path(name), content),
    replace: (name, content) => {
      writeFileSync(path(`.${name}.new`), content);
      renameSync(path(`.${name}.new`), path(name));
    },
    remove: (name) => rmSync(path(name)),
    received: (event) => waitUntil(event, () => sink.journal.includes(event)),
    logs: async (level, message) => {
      const find = () => logged.find((line) => line.level === level && matches(line.message, message));
      await waitUntil(`${level}: ${message}`, () => find() !== undefined);
      return find() as LogLine;
    },
    stop: async () => {
      controller.abort();
      await run;
    },
  };
}

function matches(text: string, expected: string | RegExp): boolean {
  return typeof expected === 'string' ? text === expected : expected.test(text);
}

/** The first port of a Service of namespace `default`; `undefined` without such a Service. */
export function portOf({ objects }: RecordedSink, name: string): number | undefined {
  const [port] = asArray(asObject(objects.get(`Service default/${name}`)?.value)['ports']);
  return asObject(port)['port'] as number | undefined;
}
