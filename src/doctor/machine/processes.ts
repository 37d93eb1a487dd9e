// Finds processes in /proc. Processes of other PID namespaces and users may be hidden.

import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';

export interface ProcessInfo {
  readonly pid: number;
  /** The program's name, without directory. */
  readonly name: string;
}

/** Finds the matching processes in this network namespace. */
export async function findProcesses(
  matches: (name: string, args: readonly string[]) => boolean,
): Promise<ProcessInfo[]> {
  const ownNamespace = await readlink('/proc/self/ns/net');
  const found: ProcessInfo[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const namespace = await readlink(`/proc/${entry}/ns/net`).catch(() => undefined);
    if (namespace !== ownNamespace) continue;
    const info = await readProcess(entry);
    if (matches(info.name, info.args)) found.push({ pid: Number(entry), name: info.name });
  }
  return found;
}

/** Finds the process that has a socket open. */
export async function findSocketOwner(inode: string): Promise<ProcessInfo | undefined> {
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    for (const file of await readdir(`/proc/${entry}/fd`).catch(() => [])) {
      const target = await readlink(`/proc/${entry}/fd/${file}`).catch(() => '');
      if (target !== `socket:[${inode}]`) continue;
      return { pid: Number(entry), name: (await readProcess(entry)).name };
    }
  }
  return undefined;
}

/** Prefers the command line: `comm` is the name of the first thread, which Node.js calls MainThread. */
async function readProcess(pid: string): Promise<{ readonly name: string; readonly args: readonly string[] }> {
  const [comm, line] = await Promise.all([readText(`/proc/${pid}/comm`), readText(`/proc/${pid}/cmdline`)]);
  const args = line.split('\0');
  return { name: basename(args[0] ?? '') || comm.trim(), args };
}

function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
