// Access to programs and files of this machine, which tests replace.

import { readFile } from 'node:fs/promises';
import { type ExecResult, exec } from './exec.ts';

/** Programs and files in this process's network namespace. */
export interface System {
  /** Runs a program and waits for its exit. Rejects with `ExecError` if it cannot be run. */
  run(command: string, args: readonly string[], options?: SystemRunOptions): Promise<ExecResult>;
  /** The text of a file; empty if it cannot be read. */
  read(path: string): Promise<string>;
}

export interface SystemRunOptions {
  readonly input?: string | readonly string[];
  readonly onLine?: (line: string) => void;
  /** Default: {@link LONG_TIMEOUT_MS}. */
  readonly timeoutMs?: number;
}

/** Listing 100,000 iptables rules takes seconds, and so does waiting for the iptables lock. */
const LONG_TIMEOUT_MS = 60_000;
/** For programs that read little: milliseconds, or a second on a machine under load. */
export const SHORT_TIMEOUT_MS = 10_000;

export const hostSystem: System = {
  run: (command, args, options = {}) => exec(command, args, { timeoutMs: LONG_TIMEOUT_MS, ...options }),
  read: (path) => readFile(path, 'utf8').catch(() => ''),
};
