// The entry point: runs the command line. The only file that handles signals and ends the process.

import { EXIT } from './cli/output/exit-status.ts';
import { runCli } from './cli/program.ts';
import { limitYoungGeneration } from './host/process/memory.ts';

limitYoungGeneration();
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
// A reader that closes the pipe early, such as `head`, is not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failure),
);
process.exitCode = await runCli(process.argv.slice(2), stop.signal);
