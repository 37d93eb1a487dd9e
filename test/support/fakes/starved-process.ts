// Runs programs in a process that has no file descriptor left, and prints what comes of each.
import { closeSync, openSync } from 'node:fs';
import { exec } from '../../../src/host/process/exec.ts';
import { follow } from '../../../src/host/process/follow.ts';
import { NftSession } from '../../../src/nftables/client/nft-session.ts';

const session = new NftSession({ command: 'cat', timeoutMs: 10_000 });
const outcomes: string[] = [];
const note = async (promise: Promise<unknown>): Promise<void> => {
  outcomes.push(
    await promise.then(
      (value) => String(value),
      (error: Error) => `${error.name}: ${error.message}`,
    ),
  );
};

const held: number[] = [];
try {
  for (;;) held.push(openSync('/dev/null', 'r'));
} catch {
  // Enough for what a session writes to, and too few for its pipes.
  for (const file of held.splice(-3)) closeSync(file);
}
await note(exec('true', [], { timeoutMs: 10_000 }));
await note(follow('true', [], { onLine: () => {}, signal: new AbortController().signal }));
await note(session.run('first'));
await note(session.run('second'));
for (const file of held) closeSync(file);
// cat ends with its input, and knows no word that would end a transaction.
const later = session.run('third');
session.close();
await note(later);
process.stdout.write(JSON.stringify(outcomes));
