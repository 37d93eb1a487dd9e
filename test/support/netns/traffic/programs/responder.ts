// A program that answers every TCP and UDP request with its name and the addresses that it sees. Its argument is a JSON
// document. It prints a line when it listens, and exits when standard input is closed.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, isIPv6, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Addresses } from '../../topology.ts';
import type { Answer } from './messages.ts';

interface Setup extends Addresses {
  readonly name: string;
  readonly tcp?: readonly number[];
  readonly udp?: readonly number[];
  /** The delay of answers to datagrams. */
  readonly delayMs?: number;
}

const { name, ip, ip6, tcp = [], udp = [], delayMs = 0 }: Setup = JSON.parse(process.argv[2] ?? '{}');

await Promise.all([
  ...tcp.map(listenTcp),
  // One socket per address, so that answers have the address of the request as their source.
  ...udp.flatMap((port) => [listenUdp(ip, port), listenUdp(ip6, port)]),
]);
process.stdin.on('end', () => process.exit()).resume();
process.stdout.write('listening\n');

async function listenTcp(port: number): Promise<void> {
  await once(createServer(serve).listen(port, '::'), 'listening');
}

function serve(socket: Socket): void {
  socket.setNoDelay();
  const answer: Answer = {
    pod: name,
    client: plain(socket.remoteAddress),
    clientPort: socket.remotePort ?? 0,
    local: plain(socket.localAddress),
    localPort: socket.localPort ?? 0,
  };
  const ignore = () => {};
  socket.on('error', ignore);
  createInterface({ input: socket })
    .on('line', () => socket.write(`${JSON.stringify(answer)}\n`))
    .on('error', ignore);
}

async function listenUdp(address: string, port: number): Promise<void> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.on('message', (_message, from) => {
    const answer: Answer = {
      pod: name,
      client: from.address,
      clientPort: from.port,
      local: address,
      localPort: port,
    };
    // The callback ignores errors of clients that no longer exist.
    const send = () => socket.send(JSON.stringify(answer), from.port, from.address, () => {});
    if (delayMs > 0) setTimeout(send, delayMs);
    else send();
  });
  socket.bind(port, address);
  await once(socket, 'listening');
}

/** Dual-stack sockets show IPv4 addresses as IPv4-mapped ones. */
function plain(address = ''): string {
  return address.replace(/^::ffff:/, '');
}
