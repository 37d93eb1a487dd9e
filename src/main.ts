// The entry point: runs the command line. The only file that handles signals and ends the process.

import { isMainThread } from 'node:worker_threads';
import { EXIT } from './cli/output/exit-status.ts';
import { runCli } from './cli/program.ts';
import { limitYoungGeneration } from './host/process/memory.ts';

// The bundle is also the program of the thread that parses large manifests.
if (isMainThread) await main();
else await import('./sources/manifests/parse/parser-thread.ts');

async function main(): Promise<void> {
  limitYoungGeneration();
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  // A reader that closes the pipe early, such as `head`, is not a failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failure),
  );
  process.exitCode = await runCli(process.argv.slice(2), stop.signal);
}
