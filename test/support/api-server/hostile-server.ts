// A server that speaks raw HTTP/1.1, for responses that no well-behaved server sends.

import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { KINDS, type Kind } from '../../../src/services/objects/kinds.ts';

export interface RawRequest {
  readonly kind: Kind;
  readonly isWatch: boolean;
  readonly query: URLSearchParams;
  readonly socket: Socket;
}

export interface HostileServer {
  readonly url: string;
  /** Answers each request; replace it at any time. */
  answer: (request: RawRequest) => void;
  readonly requests: RawRequest[];
  /** The number of bytes that have been sent. */
  sentBytes(): number;
  close(): Promise<void>;
}

const KIND_OF_PATH = new Map(Object.values(KINDS).map(({ path, kind }) => [path, kind]));

export async function startHostileServer(): Promise<HostileServer> {
  const sockets = new Set<Socket>();
  let closedBytes = 0;
  const requests: RawRequest[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    let received = '';
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      closedBytes += socket.bytesWritten;
    });
    socket.on('data', (chunk) => {
      received += chunk;
      if (!received.includes('\r\n\r\n')) return;
      const [, target = '/'] = received.split(' ', 2);
      received = '';
      const { pathname, searchParams: query } = new URL(target, 'http://localhost');
      const kind = KIND_OF_PATH.get(pathname);
      if (kind === undefined) return void socket.end(head({ status: 404, headers: { 'content-length': '0' } }));
      const request = { kind, isWatch: query.has('watch'), query, socket };
      requests.push(request);
      hostile.answer(request);
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const hostile: HostileServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer: serveEmpty,
    requests,
    sentBytes: () => [...sockets].reduce((sum, { bytesWritten }) => sum + bytesWritten, closedBytes),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
  return hostile;
}

interface Head {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The head of a response whose body ends with the connection. */
export function head({ status = 200, headers = {} }: Head = {}): string {
  const all = { 'content-type': 'application/json', connection: 'close', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Status\r\n${lines.join('')}\r\n`;
}

/** One line of a watch. */
export function event(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}

/** The bookmark at the end of the initial events. */
export function listEnd(resourceVersion: string): string {
  const annotations = { 'k8s.io/initial-events-end': 'true' };
  return event('BOOKMARK', { metadata: { resourceVersion, annotations } });
}

/** A list without objects; a watch stays open. */
export function serveEmpty({ socket, isWatch, query }: RawRequest): void {
  if (!isWatch) socket.end(`${head()}{"metadata":{"resourceVersion":"7"},"items":[]}`);
  else if (query.has('sendInitialEvents')) socket.write(head() + listEnd('7'));
  else socket.write(head());
}

/** Writes the same text again and again, as fast as the client reads, until the connection ends or `times` is reached. */
export function writeRepeatedly(
  socket: Socket,
  text: string | Buffer,
  { times = Number.POSITIVE_INFINITY } = {},
): void {
  const bytes = Buffer.from(text);
  let left = times;
  const next = () => {
    while (left-- > 0 && !socket.destroyed) {
      if (!socket.write(bytes)) return void socket.once('drain', next);
    }
    if (!socket.destroyed) socket.end();
  };
  next();
}

/** Writes a text byte by byte, then the same again, until the connection ends. */
export function drip(socket: Socket, text: string, { everyMs }: { readonly everyMs: number }): void {
  let at = 0;
  socket.setNoDelay(true);
  const timer = setInterval(() => socket.write(text.charAt(at++ % text.length)), everyMs);
  socket.on('close', () => clearInterval(timer));
}
