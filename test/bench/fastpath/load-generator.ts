// The program that makes the load, see load-generator/main.c: a server in each pod, and one client at a time.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { LineProcess } from '../../support/bpf/line-process.ts';
import type { Namespace } from '../../support/netns/namespace.ts';

const PROGRAM = fileURLToPath(new URL('../../../dist/bpf/fastpath-load', import.meta.url));
/** Beyond the time it was given, until it is taken for stuck. */
const GRACE_MS = 15_000;

export type LoadKind = 'datagrams' | 'scattered' | 'connections' | 'requests' | 'stream';

export interface Load {
  readonly kind: LoadKind;
  readonly sockets: number;
}

export interface LoadResult {
  /** Datagrams, connections, requests or bytes. */
  readonly count: number;
  /** Processor time of client and server for each: packets are forwarded in it, and others' work on the machine is not. */
  readonly ns: number;
  readonly wallNs: number;
}

export interface Server {
  readonly pid: number;
}

/** Starts a server; it ends with its namespace's processes. */
export async function startServer(
  namespace: Namespace,
  { address, port }: { address: string; port: number },
): Promise<Server> {
  const server = new LineProcess(namespace.spawn(PROGRAM, [address, String(port), 'serve']));
  if ((await server.readLine()) !== 'ready') throw new Error(`Cannot serve at ${address} port ${port}`);
  // `ip netns exec` becomes the program that it runs.
  return { pid: server.child.pid ?? 0 };
}

/** Makes load for so many milliseconds. Rejects when anything but success came of a part of it. */
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
    if (failures > 0 || count === 0) throw new Error(`Cannot use ${count} ${kind}: ${failures} have failed`);
    const after = await cpuTimeNs(server.pid);
    return { count, wallNs: wall / count, ns: (processor + after - before) / count };
  } finally {
    clearTimeout(stuck);
  }
}

/** Nanoseconds that a process has run. */
async function cpuTimeNs(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/schedstat`, 'latin1')).split(' ')[0]);
}
