// Deletes namespaces when the process that created them exits.

import { spawnSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { output } from './process.ts';

const PREFIX = /^nl(\d+)-\d+-/;

/** Something to clean up when the process exits. */
export interface Closable {
  closeSync(): void;
}

const open = new Set<Closable>();
let worldCount = 0;
let areHandlersInstalled = false;

/** A prefix for the names of namespaces that contains the ID of this process. */
export function uniquePrefix(): string {
  return `nl${process.pid}-${++worldCount}-`;
}

/** Closes the world when the process exits, or receives a signal that can be handled. */
export function closeAtExit(world: Closable): void {
  open.add(world);
  if (areHandlersInstalled) return;
  areHandlersInstalled = true;
  process.on('exit', closeAll);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => exitOnSignal(signal));
}

/** Call this after closing a world explicitly. */
export function unregister(world: Closable): void {
  open.delete(world);
}

/** Deletes namespaces synchronously, for a process that is about to exit. */
export function deleteNamespacesSync(namespaces: readonly string[]): void {
  spawnSync('ip', ['-force', '-batch', '-'], { input: deleteCommands(namespaces) });
}

/** Deletes existing namespaces. */
export async function deleteNamespaces(namespaces: readonly string[]): Promise<void> {
  await output('ip', ['-batch', '-'], { input: deleteCommands(namespaces) });
}

/** Deletes the namespaces that killed processes left behind, together with their processes. */
export async function deleteStaleNamespaces(): Promise<void> {
  const names = await readdir('/run/netns').catch(() => []);
  await Promise.all(names.filter(isStaleNamespace).map(deleteStaleNamespace));
}

async function deleteStaleNamespace(name: string): Promise<void> {
  // Another process may be doing the same concurrently.
  const pids = await output('ip', ['netns', 'pids', name]).catch(() => '');
  for (const pid of pids.split('\n').filter(Boolean)) kill(Number(pid));
  await output('ip', ['netns', 'delete', name]).catch(() => '');
}

function isStaleNamespace(name: string): boolean {
  const pid = PREFIX.exec(name)?.[1];
  return pid !== undefined && !isAlive(Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It exited in the meantime.
  }
}

function closeAll(): void {
  for (const world of open) world.closeSync();
  open.clear();
}

function exitOnSignal(signal: NodeJS.Signals): void {
  closeAll();
  process.kill(process.pid, signal);
}

function deleteCommands(namespaces: readonly string[]): string {
  return namespaces.map((name) => `netns delete ${name}\n`).join('');
}
