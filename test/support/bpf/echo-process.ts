// An echo server and its client.
//
//     echo-process.ts serve ADDRESS PORT     TCP: sends the client's address and port, then echoes. UDP: replies with as
//                                            many bytes as the number in the request says; spaces may follow it
//     echo-process.ts ask ADDRESS PORT       reads an `EchoRequest` per line as JSON, prints an `EchoResult` per line

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, isIPv6 } from 'node:net';
import { createInterface } from 'node:readline';

export interface EchoRequest {
  readonly protocol: 'tcp' | 'udp';
  /** TCP: bytes to send and receive. UDP: bytes to receive. */
  readonly bytes: number;
  readonly port?: number;
  /** UDP: the length of the request. */
  readonly padTo?: number;
  /** UDP: 5 seconds by default. */
  readonly timeoutMs?: number;
}

export interface EchoResult {
  readonly bytes?: number;
  /** The client's address and port, as the server sees them. */
  readonly greeting?: string;
  readonly error?: string;
}

const [role, address = '', port = ''] = process.argv.slice(2);
const UDP_TIMEOUT_MS = 5000;

if (role === 'serve') await serve(address, Number(port));
else if (role === 'ask') await handleRequests(address, Number(port));

async function serve(address: string, port: number): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(`${socket.remoteAddress} ${socket.remotePort}\n`);
    socket.pipe(socket);
  });
  await once(server.listen(port, address), 'listening');
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.on('message', (message, from) => {
    socket.send(Buffer.alloc(Number(message.toString()), 'x'), from.port, from.address, () => {});
  });
  socket.bind(port, address);
  await once(socket, 'listening');
  process.stdin.on('end', () => process.exit()).resume();
  process.stdout.write('listening\n');
}

async function handleRequests(address: string, port: number): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const question: EchoRequest = JSON.parse(line);
    const at = question.port ?? port;
    const outcome = await (question.protocol === 'tcp'
      ? requestTcp(address, at, question)
      : requestUdp(address, at, question));
    process.stdout.write(`${JSON.stringify(outcome)}\n`);
  }
}

function requestTcp(address: string, port: number, { bytes }: EchoRequest): Promise<EchoResult> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    const chunks: Buffer[] = [];
    const payload = Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => i % 251));
    // The server speaks first.
    socket.once('data', () => socket.end(payload));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message }));
    socket.on('end', () => {
      const all = Buffer.concat(chunks);
      const end = all.indexOf('\n') + 1;
      const same = all.subarray(end).equals(payload);
      const greeting = all.subarray(0, end - 1).toString();
      resolve(same ? { bytes, greeting } : { error: `${all.length - end} other bytes` });
    });
  });
}

function requestUdp(
  address: string,
  port: number,
  { bytes, padTo = 0, timeoutMs = UDP_TIMEOUT_MS }: EchoRequest,
): Promise<EchoResult> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const end = (outcome: EchoResult) => {
      clearTimeout(timer);
      socket.close();
      resolve(outcome);
    };
    const timer = setTimeout(() => end({ error: 'no answer' }), timeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => end({ error: error.code ?? error.message }));
    socket.on('message', (message) => end({ bytes: message.length }));
    socket.connect(port, address, () => socket.send(String(bytes).padEnd(padTo)));
  });
}
