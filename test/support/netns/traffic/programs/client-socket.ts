// Sockets that send requests to a responder.

import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { createInterface } from 'node:readline';
import type { Answer, Target } from './messages.ts';
import { createResponseWaiter } from './response-waiter.ts';

/** A socket to a responder, for one request at a time. */
export interface ClientSocket {
  request(): Promise<Answer>;
  close(): void;
}

/** Sends one request through a new socket. */
export async function requestOnce(target: Target): Promise<Answer> {
  const client = openClientSocket(target);
  try {
    return await client.request();
  } finally {
    client.close();
  }
}

/** Opens a socket. A failure to connect fails the first request. */
export function openClientSocket(target: Target): ClientSocket {
  return target.protocol === 'tcp' ? openTcpSocket(target) : openUdpSocket(target);
}

function openTcpSocket({ address, port, timeoutMs, ...source }: Target): ClientSocket {
  const responses = createResponseWaiter(timeoutMs);
  const socket = connect({
    host: address,
    port,
    noDelay: true,
    ...(source.sourceAddress === undefined ? {} : { localAddress: source.sourceAddress }),
    ...(source.sourcePort === undefined ? {} : { localPort: source.sourcePort }),
  });
  socket.on('error', responses.close);
  socket.on('close', () => responses.close(Object.assign(new Error('Connection closed'), { code: 'ECLOSED' })));
  // readline emits the errors of its input again.
  createInterface({ input: socket }).on('line', responses.resolve).on('error', responses.close);
  return {
    request: () => responses.request(() => socket.write('?\n')),
    // A requested source port must be free for the next connection, without TIME-WAIT.
    close: () => (source.sourcePort === undefined ? socket.destroy() : socket.resetAndDestroy()),
  };
}

function openUdpSocket({ address, port, timeoutMs, sourceAddress, sourcePort = 0 }: Target): ClientSocket {
  const responses = createResponseWaiter(timeoutMs);
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.on('error', responses.reject);
  socket.on('message', (message) => responses.resolve(message.toString()));
  // Only connected sockets receive ICMP errors.
  const connected = new Promise<void>((resolve) => {
    const source = sourceAddress === undefined ? {} : { address: sourceAddress };
    socket.bind({ port: sourcePort, ...source }, () => socket.connect(port, address, resolve));
  });
  const send = () => socket.send('?', (error) => error && responses.reject(error));
  return {
    request: () => responses.request(() => void connected.then(send)),
    close: () => socket.close(),
  };
}
