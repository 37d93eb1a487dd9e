// Asks an HTTP server, as a load balancer would.
import { type Agent, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';

export interface Heard {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

export interface AskOptions {
  readonly port: number;
  readonly host?: string;
  readonly path?: string;
  readonly method?: string;
  readonly agent?: Agent;
}

/** Rejects with the error of the socket. Each question has a connection of its own, unless an agent is given. */
export function ask({ host = '127.0.0.1', path = '/', agent, ...rest }: AskOptions): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const asking = request({ host, path, agent: agent ?? false, timeout: 10_000, ...rest }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    asking.on('timeout', () => asking.destroy(new Error('no answer')));
    asking.on('error', reject);
    asking.end();
  });
}

/** The status of the answer, or the error code of the socket. */
export function outcome(options: AskOptions): Promise<number | string | undefined> {
  return ask(options).then(
    ({ status }) => status,
    (error: NodeJS.ErrnoException) => error.code,
  );
}

/** Asks again and again until this is what comes of it; then, or after ten seconds, returns what does. */
export async function outcomeOnce(wanted: number | string, options: AskOptions): Promise<number | string | undefined> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const found = await outcome(options);
    if (found === wanted || performance.now() > deadline) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Somebody who listens at a port of the kernel's choice, or at this one. */
export async function occupy(port = 0, host = '0.0.0.0'): Promise<{ port: number; leave(): Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    leave: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** A port that was free a moment ago, for both families, and that no outgoing connection is given by the kernel. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const occupied = await occupy(port, '::').catch(() => undefined);
    if (occupied === undefined) continue;
    await occupied.leave();
    return port;
  }
}
