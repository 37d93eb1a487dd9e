// Sockets that ask a responder who it is.
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { createInterface } from 'node:readline';
import type { Answer, Target } from './messages.ts';
import { createResponseWaiter } from './response-waiter.ts';

/** A socket to a responder, for one question at a time. */
export interface ClientSocket {
  request(): Promise<Answer>;
  close(): void;
}

/** Asks once, through a socket of its own. */
export async function requestOnce(target: Target): Promise<Answer> {
  const client = openClientSocket(target);
  try {
    return await client.request();
  } finally {
    client.close();
  }
}

/** Opens a socket. A failure to connect shows at the first question. */
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
  // readline passes on the errors of its input, which the socket's own listener has seen.
  createInterface({ input: socket }).on('line', responses.resolve).on('error', responses.close);
  return {
    request: () => responses.request(() => socket.write('?\n')),
    // A source port that was asked for must be free for the next connection: no TIME-WAIT.
    close: () => (source.sourcePort === undefined ? socket.destroy() : socket.resetAndDestroy()),
  };
}

function openUdpSocket({ address, port, timeoutMs, sourceAddress, sourcePort = 0 }: Target): ClientSocket {
  const responses = createResponseWaiter(timeoutMs);
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.on('error', responses.reject);
  socket.on('message', (message) => responses.resolve(message.toString()));
  // Only a connected socket is told of refusals by ICMP.
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
