// Starts the echo server and its client in a network namespace.

import { fileURLToPath } from 'node:url';
import type { Namespace } from '../netns/namespace.ts';
import type { EchoRequest, EchoResult } from './echo-process.ts';
import { LineProcess } from './line-process.ts';

const PROGRAM = fileURLToPath(new URL('echo-process.ts', import.meta.url));

export interface EchoAddress {
  readonly address: string;
  readonly port: number;
}

export interface EchoClient {
  readonly ask: (request: EchoRequest) => Promise<EchoResult>;
  readonly end: () => void;
}

/** Resolves when the server is listening. The caller kills it. */
export async function startEchoServer(namespace: Namespace, at: EchoAddress): Promise<LineProcess> {
  const server = startProgram(namespace, 'serve', at);
  await server.readLine();
  return server;
}

/** Starts a client of the server at an address and port. */
export function startEchoClient(namespace: Namespace, of: EchoAddress): EchoClient {
  const client = startProgram(namespace, 'ask', of);
  const ask = async (request: EchoRequest) => {
    client.send(JSON.stringify(request));
    return JSON.parse(await client.readLine());
  };
  return { ask, end: () => client.kill() };
}

function startProgram(namespace: Namespace, role: 'serve' | 'ask', { address, port }: EchoAddress): LineProcess {
  return new LineProcess(namespace.spawn(process.execPath, [PROGRAM, role, address, String(port)]));
}
