// Reads memory, CPU time and parents of processes from /proc.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** USER_HZ, the unit of times in /proc: the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Current or peak memory in MB (1024 * 1024 bytes); 0 when the process has exited. */
export function memoryMb(pid: number, field: 'VmRSS' | 'VmHWM' | 'RssAnon'): number {
  const [, kilobytes] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(read(pid, 'status')) ?? [];
  return Number(kilobytes ?? 0) / 1024;
}

/** CPU seconds of a process, its exited children and its running children. */
export function cpuSeconds(pid: number): number {
  const own = stat(pid);
  const living = childrenOf(pid).map((child) => stat(child));
  return (own.ticks + own.endedChildren + living.reduce((sum, child) => sum + child.ticks, 0)) / TICKS_PER_SECOND;
}

export function parentOf(pid: number): number {
  return stat(pid).parent;
}

/** The path of the executable; empty when the process has exited. */
export function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
}

/** The arguments of a process, the program first; empty when it has exited. */
export function commandLineOf(pid: number): string[] {
  return read(pid, 'cmdline').split('\0').filter(Boolean);
}

/** The number of open file descriptors; 0 when the process has exited. */
export function openFiles(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

export function allPids(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

function childrenOf(pid: number): number[] {
  return allPids().filter((candidate) => parentOf(candidate) === pid);
}

/** The fields after the name, which may contain anything. The first of them is field 3 in proc_pid_stat(5). */
function stat(pid: number): { parent: number; ticks: number; endedChildren: number } {
  const text = read(pid, 'stat');
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const at = (number: number): number => fields[number - 3] ?? 0;
  return { parent: at(4), ticks: at(14) + at(15), endedChildren: at(16) + at(17) };
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
