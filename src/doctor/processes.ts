// Processes that matter to a proxy, as far as they can be seen from here.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';

export interface SeenProcess {
  readonly pid: number;
  /** The program's name, without its directory. */
  readonly name: string;
}

/** Processes of this network namespace that the predicate wants. Others' may be hidden: then they are not found. */
export async function findProcesses(
  wanted: (name: string, words: readonly string[]) => boolean,
): Promise<SeenProcess[]> {
  const own = await readlink('/proc/self/ns/net');
  const found: SeenProcess[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const namespace = await readlink(`/proc/${entry}/ns/net`).catch(() => undefined);
    if (namespace !== own) continue;
    const seen = await readProcess(entry);
    if (wanted(seen.name, seen.words)) found.push({ pid: Number(entry), name: seen.name });
  }
  return found;
}

/** The process that has a socket open. */
export async function ownerOf(inode: string): Promise<SeenProcess | undefined> {
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
async function readProcess(pid: string): Promise<{ readonly name: string; readonly words: readonly string[] }> {
  const [comm, line] = await Promise.all([readText(`/proc/${pid}/comm`), readText(`/proc/${pid}/cmdline`)]);
  const words = line.split('\0');
  return { name: basename(words[0] ?? '') || comm.trim(), words };
}

function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
