// The interface of the cleaners, one for each way in which kube-proxy programs the kernel.

import { readFile } from 'node:fs/promises';
import { type ExecResult, exec } from '../host/process/exec.ts';

export interface FindResult {
  /** One line for each kind of object. */
  readonly leftovers: readonly string[];
  /** What could not be checked, the reason, and how to fix it. */
  readonly failures: readonly string[];
}

export interface RemovalResult {
  readonly removed: readonly string[];
  /** What was kept on purpose, and the reason. */
  readonly kept: readonly string[];
  /** What could not be removed, the reason, and how to fix it. */
  readonly failures: readonly string[];
}

export interface RemoveOptions {
  /** Keep chains without which a policy of `drop` would drop traffic that is accepted now. */
  readonly keepAccepting: boolean;
}

export interface LeftoverCleaner {
  find(): Promise<FindResult>;
  /** Removes all leftovers, if any. */
  remove(options: RemoveOptions): Promise<RemovalResult>;
}

/** Programs and files in this process's network namespace. */
export interface System {
  /** Runs a program and waits for its exit. Rejects with `ExecError` if it cannot be run. */
  run(command: string, args: readonly string[], options?: SystemRunOptions): Promise<ExecResult>;
  /** The text of a file; empty if it cannot be read. */
  read(path: string): Promise<string>;
}

export interface SystemRunOptions {
  readonly input?: string;
  readonly onLine?: (line: string) => void;
}

/** Listing 100,000 iptables rules takes seconds, and so does waiting for the iptables lock. */
const TIMEOUT_MS = 60_000;

export const hostSystem: System = {
  run: (command, args, options = {}) => exec(command, args, { ...options, timeoutMs: TIMEOUT_MS }),
  read: (path) => readFile(path, 'utf8').catch(() => ''),
};

export const NOTHING_FOUND: FindResult = { leftovers: [], failures: [] };
export const NOTHING_REMOVED: RemovalResult = { removed: [], kept: [], failures: [] };

export function mergeFindResults(results: readonly FindResult[]): FindResult {
  return {
    leftovers: results.flatMap(({ leftovers }) => leftovers),
    failures: results.flatMap(({ failures }) => failures),
  };
}

export function mergeRemovalResults(results: readonly RemovalResult[]): RemovalResult {
  return {
    removed: results.flatMap(({ removed }) => removed),
    kept: results.flatMap(({ kept }) => kept),
    failures: results.flatMap(({ failures }) => failures),
  };
}

/** The error message of a failed program, in one line. */
export function failureMessage({ status, stderr }: ExecResult): string {
  const line = stderr.split('\n').find((text) => text.trim() !== '' && !text.startsWith('# Warning'));
  return line?.trim() ?? `exit status ${status}`;
}

/** `1 chain`, `2 chains`. */
export function pluralize(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
