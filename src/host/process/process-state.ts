// The state of another process, from /proc.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

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
  if (linkOf(`/proc/${pid}/ns/net`) !== linkOf('/proc/self/ns/net')) return undefined;
  return STATES[stateOf(pid)];
}

/** A process that receives messages of the kernel in the network namespace of this process. */
export interface NetlinkReader {
  /** `sleeping`: also while a debugger has stopped it. `waiting`: it is ready to run, or in the kernel. */
  readonly state: 'sleeping' | 'stopped' | 'waiting';
  /** The size of the messages to its netlink sockets that it has not read. */
  readonly queuedBytes: number;
}

const READER_STATES: Readonly<Record<string, NetlinkReader['state']>> = { S: 'sleeping', T: 'stopped', t: 'sleeping' };

/** `undefined` if the process does not exist. The size is 0 if it is not known. */
export function readNetlinkReader(pid: number): NetlinkReader | undefined {
  const state = stateOf(pid);
  if (state === '') return undefined;
  return { state: READER_STATES[state] ?? 'waiting', queuedBytes: queuedNetlinkBytes(pid) };
}

/** Finds the sockets of the process only if some socket has messages, which is rare. */
function queuedNetlinkBytes(pid: number): number {
  const [, ...rows] = textOf('/proc/self/net/netlink').trim().split('\n');
  const queues = rows
    .map((row) => row.trim().split(/\s+/))
    .map(([, , , , queuedBytes, , , , , inode]) => ({ queuedBytes: Number(queuedBytes) || 0, inode }))
    .filter(({ queuedBytes }) => queuedBytes > 0);
  if (queues.length === 0) return 0;
  const sockets = new Set(namesIn(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`)));
  return queues
    .filter(({ inode }) => sockets.has(`socket:[${inode}]`))
    .reduce((sum, { queuedBytes }) => sum + queuedBytes, 0);
}

/** The letter of proc_pid_stat(5); empty if the process does not exist. */
function stateOf(pid: number): string {
  const stat = textOf(`/proc/${pid}/stat`);
  // The name of the program, in parentheses, may contain anything.
  return stat.charAt(stat.lastIndexOf(')') + 2);
}

/** How long the first thread of a process has been ready to run without a CPU, in milliseconds; 0 if that is not known. */
export function waitedForCpuMs(pid: number | 'self'): number {
  const [, waitedNs = '0'] = textOf(`/proc/${pid}/schedstat`).split(' ');
  return Number(waitedNs) / 1e6 || 0;
}

/** The processor time of the first thread of a process, in milliseconds; `undefined` if that is not known. */
export function cpuMs(pid: number): number | undefined {
  const [usedNs = ''] = textOf(`/proc/${pid}/schedstat`).split(' ');
  return usedNs === '' ? undefined : Number(usedNs) / 1e6;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
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
