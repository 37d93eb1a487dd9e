// The admin socket of the daemon, which inspection commands use: one per network namespace.

import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { rm, unlink } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import { dirname, join } from 'node:path';
import { makeDirectory } from '../host/files/make-directory.ts';
import { failureReason } from '../host/files/system-error.ts';
import { EnvironmentError } from '../lib/operational-error.ts';
import type { DaemonState } from './daemon-state.ts';

/** The path of the socket for the network namespace of this process, because a ruleset belongs to a network namespace. */
export function adminSocketPath(runDir: string): string {
  const namespace = readlinkSync('/proc/self/ns/net').replaceAll(/\D/g, '');
  return join(runDir, `netns-${namespace}.sock`);
}

/** The socket does not answer, its answer is not that of an nftlane daemon, or another daemon uses it. */
export class AdminSocketError extends EnvironmentError {
  override readonly name = 'AdminSocketError';
}

/** Serves the state at `path`, which only root can open. Throws an {@link AdminSocketError} if another daemon serves it. */
export async function serveState(path: string, state: () => DaemonState): Promise<{ close(): Promise<void> }> {
  const other = await fetchState(path).catch(() => undefined);
  if (other !== undefined) {
    throw new AdminSocketError(`Cannot run: another daemon (process ${other.pid}) runs in this network namespace`);
  }
  await makeDirectory(dirname(path));
  await rm(path, { force: true });
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(state()));
  });
  await listen(server, path);
  server.unref();
  return {
    close: async () => {
      server.close();
      server.closeAllConnections();
      await unlink(path).catch(() => undefined);
    },
  };
}

/** Sets the mode of the socket by the umask: before a later chmod the socket would be open for a moment. */
async function listen(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177);
  try {
    server.listen(path);
    await once(server, 'listening');
  } finally {
    process.umask(before);
  }
}

/** The state of the daemon at `path`. Rejects with an {@link AdminSocketError}. */
export function fetchState(path: string): Promise<DaemonState> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) =>
      reject(new AdminSocketError(`Cannot read daemon state from "${path}": ${failureReason(cause)}`, { cause }));
    const query = request({ socketPath: path, path: '/state', timeout: 10_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () => {
        try {
          resolve(JSON.parse(Buffer.concat(chunks).toString()) as DaemonState);
        } catch (error) {
          fail(error as Error);
        }
      });
    });
    query.on('timeout', () => query.destroy(new Error('no answer within 10 s')));
    query.on('error', fail);
    query.end();
  });
}
