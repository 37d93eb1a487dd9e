// What the ways in which kube-proxy works have in common: it is found, and removed.
import { readFile } from 'node:fs/promises';
import { type ExecResult, exec } from '../host/process/exec.ts';

/** What there is of kube-proxy. */
export interface FindResult {
  /** A line for each thing. */
  readonly leftovers: readonly string[];
  /** What could not be looked at, why, and what to do about it. */
  readonly failures: readonly string[];
}

export interface RemovalResult {
  readonly removed: readonly string[];
  /** What stays on purpose, and why. */
  readonly kept: readonly string[];
  /** What could not be removed, why, and what to do about it. */
  readonly failures: readonly string[];
}

export interface RemoveOptions {
  /** Chains stay without which a policy of `drop` would stop traffic that passes now. */
  readonly keepAccepting: boolean;
}

/** One way in which kube-proxy's work is held by the kernel. */
export interface LeftoverCleaner {
  find(): Promise<FindResult>;
  /** Removes what is there; nothing being there is no failure. */
  remove(options: RemoveOptions): Promise<RemovalResult>;
}

/** The world outside, of the network namespace that this process lives in. */
export interface System {
  /** Runs a program to its end. Rejects with `ExecError` when it cannot be run. */
  run(command: string, args: readonly string[], options?: SystemRunOptions): Promise<ExecResult>;
  /** A file's text; empty when it cannot be read. */
  read(path: string): Promise<string>;
}

export interface SystemRunOptions {
  readonly input?: string;
  readonly onLine?: (line: string) => void;
}

/** A listing of a hundred thousand iptables rules takes seconds, and so does waiting for the lock of iptables. */
const TIMEOUT_MS = 60_000;

export const hostSystem: System = {
  run: (command, args, options = {}) => exec(command, args, { ...options, timeoutMs: TIMEOUT_MS }),
  read: (path) => readFile(path, 'utf8').catch(() => ''),
};

export const NOTHING_FOUND: FindResult = { leftovers: [], failures: [] };
export const NOTHING_REMOVED: RemovalResult = { removed: [], kept: [], failures: [] };

export function mergeFindResults(parts: readonly FindResult[]): FindResult {
  return {
    leftovers: parts.flatMap(({ leftovers }) => leftovers),
    failures: parts.flatMap(({ failures }) => failures),
  };
}

export function mergeRemovalResults(parts: readonly RemovalResult[]): RemovalResult {
  return {
    removed: parts.flatMap(({ removed }) => removed),
    kept: parts.flatMap(({ kept }) => kept),
    failures: parts.flatMap(({ failures }) => failures),
  };
}

/** What a program said of its failure, in one line. */
export function failureMessage({ status, stderr }: ExecResult): string {
  const line = stderr.split('\n').find((text) => text.trim() !== '' && !text.startsWith('# Warning'));
  return line?.trim() ?? `exit status ${status}`;
}

/** `1 chain`, `2 chains`. */
export function pluralize(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
