// The admin socket of the daemon, which inspection commands use: one per network namespace.

import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { lstat, rename, rm } from 'node:fs/promises';
import type { Server } from 'node:net';
import { dirname, join } from 'node:path';
import { makeDirectory } from '../host/files/make-directory.ts';
import { AdminSocketError, fetchState } from './fetch-state.ts';
import type { DaemonState } from './state/daemon-state.ts';
import { StateServer, type StateServerOptions } from './state-server.ts';

/** The path of the socket for the network namespace of this process, because a ruleset belongs to a network namespace. */
export function adminSocketPath(runDir: string): string {
  const namespace = readlinkSync('/proc/self/ns/net').replaceAll(/\D/g, '');
  return join(runDir, `netns-${namespace}.sock`);
}

interface AdminSocketOptions extends Pick<StateServerOptions, 'limits' | 'commands'> {
  /** How often to look whether the socket's file still exists. */
  readonly checkMs?: number;
  /** The file was removed, and has been created again, or cannot be. */
  readonly onRecreated?: (error?: unknown) => void;
}

/** Cleaners of temporary files and operators remove files in /run. */
const CHECK_MS = 2_000;

/**
 * Serves the state at `path`, which only root can open, until it is closed; creates the file again if it is removed.
 * Rejects with an {@link AdminSocketError} if another process listens there, even one that does not answer.
 */
export async function serveState(
  path: string,
  state: (path: string) => DaemonState,
  { checkMs = CHECK_MS, onRecreated, ...serverOptions }: AdminSocketOptions = {},
): Promise<{ close(): Promise<void> }> {
  await ensureFree(path);
  const options = { state, ...serverOptions };
  let bound = await bind(path, options);
  const check = async (): Promise<void> => {
    if ((await inodeOf(path)) === bound.inode) return;
    await ensureFree(path);
    const previous = bound;
    bound = await bind(path, options);
    previous.server.close();
    onRecreated?.();
  };
  let checks = Promise.resolve();
  const timer = setInterval(() => {
    checks = checks.then(check).catch((error) => onRecreated?.(error));
  }, checkMs).unref();
  return {
    close: async () => {
      clearInterval(timer);
      await checks;
      bound.server.close();
      if ((await inodeOf(path)) === bound.inode) await rm(path, { force: true });
    },
  };
}

/** Rejects if a process listens at `path`. A file on which no process listens, such as that of a killed daemon, is free. */
async function ensureFree(path: string): Promise<void> {
  const other = await fetchState(path).then(
    ({ pid }) => `Cannot run: another daemon (process ${pid}) runs in this network namespace`,
    (error) => describeListener(error),
  );
  if (other !== undefined) throw new AdminSocketError(other, { noState: 'busy' });
}

/** `undefined` if no process listens. */
function describeListener(error: unknown): string | undefined {
  if (!(error instanceof AdminSocketError)) throw error;
  return error.noState === 'absent'
    ? undefined
    : `Cannot run: another process listens at the admin socket: ${error.message}`;
}

interface BoundServer {
  readonly server: StateServer;
  readonly inode: bigint | undefined;
}

/**
 * Listens under a temporary name, which then takes the place of the old file: closing a server removes the name that it
 * was bound to, even if the file is that of another process by then.
 */
async function bind(path: string, options: StateServerOptions): Promise<BoundServer> {
  const directory = dirname(path);
  await makeDirectory(directory);
  const temporary = join(directory, `.${process.pid}`);
  await rm(temporary, { force: true });
  const server = new StateServer(options);
  await listen(server.server, temporary);
  server.server.unref();
  await rename(temporary, path);
  return { server, inode: await inodeOf(path) };
}

/** Sets the mode of the socket by the umask: before a later chmod the socket would be open for a moment. */
async function listen(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
  await once(server, 'listening');
}

async function inodeOf(path: string): Promise<bigint | undefined> {
  return await lstat(path, { bigint: true }).then(
    ({ ino }) => ino,
    () => undefined,
  );
}
