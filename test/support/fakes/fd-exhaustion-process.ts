// Runs programs in a process without free file descriptors, and prints the outcome of each.

import { closeSync, openSync } from 'node:fs';
import { LoaderProcess } from '../../../src/fastpath/loader/loader-process.ts';
import { exec } from '../../../src/host/process/exec.ts';
import { streamLines } from '../../../src/host/process/line-process.ts';
import { NftSession } from '../../../src/nftables/client/nft-session.ts';
import { nextMarker } from '../../../src/nftables/client/transaction-marker.ts';

const loader = new LoaderProcess({ command: 'cat', directory: '/' });
const session = new NftSession({ command: 'cat' });
const apply = (line: string): Promise<unknown> =>
  session.apply({ lines: [line], marker: nextMarker([line]), timeoutMs: 10_000 });
const outcomes: string[] = [];
const record = async (promise: Promise<unknown>): Promise<void> => {
  outcomes.push(
    await promise.then(
      (value) => String(value),
      (error: Error) => `${error.name}: ${error.message}`,
    ),
  );
};

const openFiles: number[] = [];
try {
  for (;;) openFiles.push(openSync('/dev/null', 'r'));
} catch {
  // Too few for the pipes of a program.
  for (const file of openFiles.splice(-3)) closeSync(file);
}
await record(exec('true', [], { timeoutMs: 10_000 }));
await record(streamLines('true', [], { onLine: () => {}, signal: new AbortController().signal }));
await record(loader.request('probe'));
await record(apply('first'));
await record(apply('second'));
for (const file of openFiles) closeSync(file);
// cat exits at the end of its input, and never reports the end of a transaction.
const later = apply('third');
void session.close();
await record(later);
process.stdout.write(JSON.stringify(outcomes));
