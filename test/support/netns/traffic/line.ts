// Sockets that ask a responder who it is.
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { createInterface } from 'node:readline';
import { createMailbox } from './mailbox.ts';
import type { Answer, Target } from './traffic.ts';

/** A socket to a responder, for one question at a time. */
export interface Line {
  ask(): Promise<Answer>;
  close(): void;
}

/** Asks once, through a socket of its own. */
export async function askOnce(target: Target): Promise<Answer> {
  const line = openLine(target);
  try {
    return await line.ask();
  } finally {
    line.close();
  }
}

/** Opens a socket. A failure to connect shows at the first question. */
export function openLine(target: Target): Line {
  return target.protocol === 'tcp' ? tcpLine(target) : udpLine(target);
}

function tcpLine({ address, port, timeoutMs, ...source }: Target): Line {
  const mailbox = createMailbox(timeoutMs);
  const socket = connect({
    host: address,
    port,
    noDelay: true,
    ...(source.sourceAddress === undefined ? {} : { localAddress: source.sourceAddress }),
    ...(source.sourcePort === undefined ? {} : { localPort: source.sourcePort }),
  });
  socket.on('error', mailbox.break);
  socket.on('close', () => mailbox.break(Object.assign(new Error('Connection closed'), { code: 'ECLOSED' })));
  // readline passes on the errors of its input, which the socket's own listener has seen.
  createInterface({ input: socket }).on('line', mailbox.deliver).on('error', mailbox.break);
  return {
    ask: () => mailbox.next(() => socket.write('?\n')),
    // A source port that was asked for must be free for the next connection: no TIME-WAIT.
    close: () => (source.sourcePort === undefined ? socket.destroy() : socket.resetAndDestroy()),
  };
}

function udpLine({ address, port, timeoutMs, sourceAddress, sourcePort = 0 }: Target): Line {
  const mailbox = createMailbox(timeoutMs);
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.on('error', mailbox.fail);
  socket.on('message', (message) => mailbox.deliver(message.toString()));
  // Only a connected socket is told of refusals by ICMP.
  const connected = new Promise<void>((resolve) => {
    const source = sourceAddress === undefined ? {} : { address: sourceAddress };
    socket.bind({ port: sourcePort, ...source }, () => socket.connect(port, address, resolve));
  });
  const send = () => socket.send('?', (error) => error && mailbox.fail(error));
  return {
    ask: () => mailbox.next(() => void connected.then(send)),
    close: () => socket.close(),
  };
}
