// The entry point: runs the command line, and ends the process.

import { isMainThread } from 'node:worker_threads';
import { startsDaemon } from './cli/flags/daemon-command.ts';
import { EXIT } from './cli/output/exit-status.ts';
import { handleOutputErrors, outputWritten } from './cli/output/standard-streams.ts';
import { runCli } from './cli/program.ts';
import { endProcess } from './host/process/end-process.ts';
import { handleFatalErrors } from './host/process/fatal-errors.ts';
import { limitYoungGeneration } from './host/process/memory.ts';
import { handleSignals, ignoreDebugSignal } from './host/process/signals.ts';
import { handleProcessWarnings } from './host/process-warnings.ts';
import { printableLine } from './lib/printable.ts';

// The bundle is also the program of the thread that parses large manifests.
if (isMainThread) await main();
else await parseManifest();

async function parseManifest(): Promise<void> {
  // The main thread reports the same ones.
  handleProcessWarnings(() => {});
  await import('./sources/manifests/parse/parser-thread.ts');
}

async function main(): Promise<void> {
  handleProcessWarnings(({ name, reason }) => {
    process.stderr.write(`${printableLine(`nftlane: warning of Node: ${name}: ${reason}`)}\n`);
  });
  limitYoungGeneration();
  ignoreDebugSignal();
  handleOutputErrors(endProcess);
  handleFatalErrors(EXIT.failure, ({ reason, stack: [place = ''] }) => {
    process.stderr.write(`${printableLine(`nftlane: unexpected error: ${reason} ${place}`)}\n`);
  });
  const args = process.argv.slice(2);
  const stop = startsDaemon(args) ? handleSignals() : new AbortController().signal;
  const status = await runCli(args, stop);
  await outputWritten();
  endProcess(status);
}
