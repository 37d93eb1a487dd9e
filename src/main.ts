// The door: arguments in, exit status out. The only place that handles signals and ends the process.
import { EXIT } from './cli/output/exit-status.ts';
import { runCli } from './cli/program.ts';
import { limitYoungGeneration } from './host/process/memory.ts';

limitYoungGeneration();
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failure),
);
process.exitCode = await runCli(process.argv.slice(2), stop.signal);
