// The interface of the cleaners, one for each way in which kube-proxy programs the kernel.

import type { ExecResult } from '../host/process/exec.ts';

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
