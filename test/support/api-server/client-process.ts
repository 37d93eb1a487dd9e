// Watches an API server without TLS in a process of its own, to measure its memory:
//
//   node test/support/api-server/client-process.ts URL
//
// Prints a line for each change of an object and for each failed request. Answers each line on standard input with
// `peak KIB`: the peak of resident memory since the last answer.

import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { systemClock } from '../../../src/host/clock.ts';
import type { Log } from '../../../src/host/log.ts';
import type { Sink } from '../../../src/services/objects/sink.ts';
import { ApiClient } from '../../../src/sources/api-server/client/api-client.ts';
import { ClusterSource } from '../../../src/sources/api-server/cluster-source.ts';

const [server = ''] = process.argv.slice(2);
const client = new ApiClient({ server, reload: async () => {}, requestOptions: async () => ({}) });
const print = (line: string): void => console.log(line);
const ignore = (): void => {};
// The log limits the rate of warnings; further ones are debug messages.
const report: Log['warn'] = (_, { kind, reason } = {}) => {
  if (reason !== undefined) print(`failed ${kind} ${reason}`);
};
const log: Log = { debug: report, info: ignore, warn: report, error: report };
const sink: Sink = {
  replace: (kind, objects) => print(`replace ${kind} ${objects.length}`),
  put: (kind, { key }) => print(`put ${kind} ${key}`),
  remove: (kind, key) => print(`remove ${kind} ${key}`),
};
const source = new ClusterSource({ client, nodeName: 'n1', sink, clock: systemClock, log });
const stop = new AbortController();
const running = source.run(stop.signal);
for await (const _ of createInterface({ input: process.stdin })) {
  const [, peak = '0'] = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  // Makes the present use the new peak.
  writeFileSync('/proc/self/clear_refs', '5');
  print(`peak ${peak}`);
}
stop.abort();
await running;
client.close();
