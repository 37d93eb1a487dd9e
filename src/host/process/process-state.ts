// The state of another process, from /proc.

import { readFileSync, readlinkSync } from 'node:fs';

const STATES: Readonly<Record<string, string>> = {
  T: 'is stopped',
  t: 'is stopped by a debugger',
  D: 'waits for a device',
  R: 'is busy',
  S: 'is idle',
  Z: 'has ended',
};

/** What the process is doing, such as `is stopped`; `undefined` if it does not exist, or is in another network namespace. */
export function describeProcessState(pid: number): string | undefined {
  if (linkOf(pid) !== linkOf('self')) return undefined;
  // The name of the program, in parentheses, may contain anything.
  const state = /\) (\S) /.exec(textOf(`/proc/${pid}/stat`).replace(/^.*\)/s, ')'))?.[1] ?? '';
  return STATES[state];
}

/** How long the first thread of a process has been ready to run without a CPU, in milliseconds; 0 if that is not known. */
export function waitedForCpuMs(pid: number | 'self'): number {
  const [, waitedNs = '0'] = textOf(`/proc/${pid}/schedstat`).split(' ');
  return Number(waitedNs) / 1e6 || 0;
}

function linkOf(pid: number | 'self'): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return '';
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
