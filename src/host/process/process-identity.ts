// Identifies processes beyond their number, which the kernel gives to another process later.

import { readdir, readFile, readlink } from 'node:fs/promises';

/** A process as its own PID namespace sees it. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from the boot of the machine to its start. */
  readonly startTime: number;
}

/** `undefined` if there is no such process, or only a zombie, in this PID namespace. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name in parentheses may contain spaces and parentheses; state is the first field after it, start time the 20th.
  const [state, ...fields] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const startTime = Number(fields[18]);
  return text === '' || state === 'Z' || Number.isNaN(startTime) ? undefined : { pid, startTime };
}

export async function isAlive({ pid, startTime }: ProcessIdentity): Promise<boolean> {
  return (await identify(pid))?.startTime === startTime;
}

/** The inode of this process's PID namespace; 0 if it cannot be read. */
export async function pidNamespace(pid: number | 'self' = 'self'): Promise<number> {
  const link = await readlink(`/proc/${pid}/ns/pid`).catch(() => '');
  return Number(link.replaceAll(/\D/g, ''));
}

/** The number, in this PID namespace, of a process that another one knows as `pid`; `undefined` if it is not visible. */
export async function visiblePid(pid: number, namespace: number): Promise<number | undefined> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || (await pidNamespace(Number(name))) !== namespace) continue;
    const status = await readFile(`/proc/${name}/status`, 'utf8').catch(() => '');
    const [, numbers = ''] = /^NSpid:\s*(.*)$/m.exec(status) ?? [];
    if (Number(numbers.split(/\s+/).at(-1)) === pid) return Number(name);
  }
  return undefined;
}
