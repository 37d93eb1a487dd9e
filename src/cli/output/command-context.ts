// The context of a command: its abort signal and its exit status.

import type { ExitStatus } from './exit-status.ts';

export interface CommandContext {
  /** Stops a running daemon. */
  readonly signal: AbortSignal;
  /** Sets the exit status of a command that succeeds. */
  readonly setStatus: (status: ExitStatus) => void;
}
