// Listening to a program that runs for as long as we do.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface StreamLinesOptions {
  readonly onLine: (line: string) => void;
  /** Ends the program. */
  readonly signal: AbortSignal;
}

/** Runs a program without a shell and hands on each line that it prints. Resolves with why it ended. */
export function streamLines(
  command: string,
  args: readonly string[],
  { onLine, signal }: StreamLinesOptions,
): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const stop = () => child.kill();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    let stderr = '';
    const end = (reason: string): void => {
      signal.removeEventListener('abort', stop);
      resolve(reason);
    };
    child.on('error', ({ message }) => end(message));
    // One that cannot be started for want of file descriptors has no streams, and no end besides the error.
    if (child.pid === undefined) return;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-1000);
    });
    createInterface({ input: child.stdout }).on('line', onLine);
    child.on('close', (status, killedBy) => end(stderr.trim() || `ended by ${killedBy ?? `status ${status}`}`));
  });
}
