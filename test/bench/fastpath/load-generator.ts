// The load generator (load-generator/main.c): a server in each pod, and one client at a time.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { LineProcess } from '../../support/bpf/line-process.ts';
import type { Namespace } from '../../support/netns/namespace.ts';

const PROGRAM = fileURLToPath(new URL('../../../dist/bpf/fastpath-load', import.meta.url));
/** The time beyond the requested one after which the client is killed. */
const GRACE_MS = 15_000;

export type LoadKind = 'datagrams' | 'scattered' | 'connections' | 'requests' | 'stream';

export interface Load {
  readonly kind: LoadKind;
  readonly sockets: number;
}

export interface LoadResult {
  /** Datagrams, connections, requests or bytes. */
  readonly count: number;
  /** Processor time of client and server for each, which includes forwarding, but no other work of the machine. */
  readonly ns: number;
  readonly wallNs: number;
}

export interface Server {
  readonly pid: number;
}

/** Starts a server, which ends with the other processes of its namespace. */
export async function startServer(
  namespace: Namespace,
  { address, port }: { address: string; port: number },
): Promise<Server> {
  const server = new LineProcess(namespace.spawn(PROGRAM, [address, String(port), 'serve']));
  if ((await server.readLine()) !== 'ready') throw new Error(`Cannot serve on "${address}" port ${port}`);
  // `ip netns exec` executes the program in its own process.
  return { pid: server.child.pid ?? 0 };
}

/** Generates load for a time. Rejects when a part of it failed. */
export async function generateLoad(
  namespace: Namespace,
  { kind, sockets }: Load,
  { address, port, ms, server }: { address: string; port: number; ms: number; server: Server },
): Promise<LoadResult> {
  const before = await cpuTimeNs(server.pid);
  const client = new LineProcess(namespace.spawn(PROGRAM, [address, String(port), kind, String(sockets), String(ms)]));
  const stuck = setTimeout(() => client.kill(), ms + GRACE_MS);
  try {
    const ended = once(client.child, 'exit');
    const [count = 0, wall = 0, processor = 0, failures = 0] = (await client.readLine()).split(' ').map(Number);
    await ended;
    if (failures > 0 || count === 0) throw new Error(`Cannot generate load: ${failures} of ${count} ${kind} failed`);
    const after = await cpuTimeNs(server.pid);
    return { count, wallNs: wall / count, ns: (processor + after - before) / count };
  } finally {
    clearTimeout(stuck);
  }
}

/** The processor time of a process. */
async function cpuTimeNs(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/schedstat`, 'latin1')).split(' ')[0]);
}
