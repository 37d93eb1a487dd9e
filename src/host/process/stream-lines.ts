// Reads the output of a program that runs until it is stopped.

import { LineProcess } from './line-process.ts';

interface StreamLinesOptions {
  readonly onLine: (line: string) => void;
  /** Ends the program. */
  readonly signal: AbortSignal;
}

/** Runs a program without a shell and passes each line of its output on. Resolves with the reason why it ended. */
export function streamLines(
  command: string,
  args: readonly string[],
  { onLine, signal }: StreamLinesOptions,
): Promise<string> {
  return new Promise((resolve) => {
    const stop = () => child.kill('SIGKILL');
    const child = new LineProcess(command, {
      args,
      onLine,
      onExit: (exit) => {
        signal.removeEventListener('abort', stop);
        resolve(exit.kind === 'error' ? exit.cause.message : exit.stderr || `ended by ${exit.state}`);
      },
    });
    child.closeInput();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
}
