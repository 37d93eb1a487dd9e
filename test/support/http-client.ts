// Sends requests to an HTTP server, as a load balancer does.

import { type Agent, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';

export interface HttpResult {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

export interface RequestOptions {
  readonly port: number;
  readonly host?: string;
  readonly path?: string;
  readonly method?: string;
  readonly agent?: Agent;
}

/** Rejects with the error of the socket. Each request has its own connection, unless an agent is given. */
export function sendRequest({ host = '127.0.0.1', path = '/', agent, ...rest }: RequestOptions): Promise<HttpResult> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, path, agent: agent ?? false, timeout: 10_000, ...rest }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no response')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** The status of the response, or the error code of the socket. */
export function outcome(options: RequestOptions): Promise<number | string | undefined> {
  return sendRequest(options).then(
    ({ status }) => status,
    (error: NodeJS.ErrnoException) => error.code,
  );
}

/** Repeats a request until it has this outcome. Returns the last outcome after ten seconds. */
export async function waitForOutcome(
  expected: number | string,
  options: RequestOptions,
): Promise<number | string | undefined> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const found = await outcome(options);
    if (found === expected || performance.now() > deadline) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Listens on this port, or on one that the kernel chooses. */
export async function occupy(port = 0, host = '0.0.0.0'): Promise<{ port: number; release(): Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    release: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** A port that is free for both families, and outside the kernel's range for outgoing connections. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const occupied = await occupy(port, '::').catch(() => undefined);
    if (occupied === undefined) continue;
    await occupied.release();
    return port;
  }
}
