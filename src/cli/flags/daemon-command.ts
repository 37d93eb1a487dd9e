// Whether a command line starts a daemon.

import { normalizeArguments } from './config-flags.ts';

/** Short tasks of the command `run`. */
const TASKS = ['--init-only', '--cleanup', '--write-config-to', '--help', '-h'];

/** Other commands end with a signal as any program does. */
export function startsDaemon(args: readonly string[]): boolean {
  const [command, ...flags] = normalizeArguments(args).map((argument) => argument.split('=')[0] ?? '');
  return command === 'run' && !flags.some((flag) => TASKS.includes(flag));
}
