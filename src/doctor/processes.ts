// Processes that matter to a proxy, as far as they can be seen from here.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';

export interface ProcessInfo {
  readonly pid: number;
  /** The program's name, without its directory. */
  readonly name: string;
}

/** Processes of this network namespace that the predicate wants. Others' may be hidden: then they are not found. */
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

/** The process that has a socket open. */
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

/** The kernel's own name for a process is that of its first thread, which Node calls MainThread. */
async function readProcess(pid: string): Promise<{ readonly name: string; readonly args: readonly string[] }> {
  const [comm, line] = await Promise.all([readText(`/proc/${pid}/comm`), readText(`/proc/${pid}/cmdline`)]);
  const args = line.split('\0');
  return { name: basename(args[0] ?? '') || comm.trim(), args };
}

function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
