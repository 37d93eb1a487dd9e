// The program that makes the load, see load.c: a server in each pod, and one client at a time.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Talker } from '../bpf/talker.ts';
import type { Namespace } from '../netns/namespace.ts';

const PROGRAM = fileURLToPath(new URL('../../dist/bpf/fastpath-load', import.meta.url));
/** Beyond the time it was given, until it is taken for stuck. */
const PATIENCE_MS = 15_000;

export type LoadKind = 'datagrams' | 'connections' | 'requests' | 'stream';

export interface Load {
  readonly kind: LoadKind;
  readonly sockets: number;
}

export interface Outcome {
  /** Datagrams, connections, requests or bytes. */
  readonly count: number;
  /** For each of them, by the wall's clock and by the time that the client had the processor. */
  readonly wallNs: number;
  readonly processorNs: number;
}

/** Starts a server; it ends with its namespace's processes. */
export async function serve(place: Namespace, address: string, port: number): Promise<void> {
  const server = new Talker(place.spawn(PROGRAM, [address, String(port), 'serve']));
  if ((await server.line()) !== 'ready') throw new Error(`Cannot serve at ${address} port ${port}`);
}

/** Makes load for so many milliseconds. Rejects when anything but success came of a part of it. */
export async function makeLoad(
  place: Namespace,
  { kind, sockets }: Load,
  { address, port, ms }: { address: string; port: number; ms: number },
): Promise<Outcome> {
  const client = new Talker(place.spawn(PROGRAM, [address, String(port), kind, String(sockets), String(ms)]));
  const stuck = setTimeout(() => client.end(), ms + PATIENCE_MS);
  try {
    const ended = once(client.child, 'exit');
    const [count = 0, wall = 0, processor = 0, failures = 0] = (await client.line()).split(' ').map(Number);
    await ended;
    if (failures > 0 || count === 0) throw new Error(`Cannot use ${count} ${kind}: ${failures} have failed`);
    return { count, wallNs: wall / count, processorNs: processor / count };
  } finally {
    clearTimeout(stuck);
  }
}
