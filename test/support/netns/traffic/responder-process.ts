// Runs the responder program in a namespace.

import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Namespace } from '../namespace.ts';
import { killGroup, type PipedChild } from '../process.ts';
import { outputLines } from '../program-output.ts';
import type { Addresses } from '../topology.ts';

export interface ResponderPorts {
  readonly tcp?: readonly number[];
  readonly udp?: readonly number[];
  /** The delay of answers to datagrams. Default: none. */
  readonly delayMs?: number;
}

export interface Responder {
  /** Kills the servers, as if the pod was killed. */
  stop(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL('./programs/responder.ts', import.meta.url));

/** Resolves when the servers listen. */
export async function startResponder(
  namespace: Namespace,
  setup: ResponderPorts & Addresses & { readonly name: string },
): Promise<Responder> {
  const child = namespace.spawn(process.execPath, [PROGRAM, JSON.stringify(setup)]);
  await outputLines(child, 'responder').next();
  return { stop: () => stop(child) };
}

async function stop(child: PipedChild): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  killGroup(child);
  await exited;
}
