// Two programs for protocols in which the server sends first: a server that sends words on request, and its listeners.
//
//     announcer-process.ts announce PORT  greets each TCP connection and each UDP client. Sends each line of input to all
//                                      of them, and prints how many they are
//     announcer-process.ts listen         answers JSON lines, `ListenerCommand`, with JSON lines, `ListenerReport`

import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, isIPv6, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** Opens sockets and waits for their greetings, or waits until all open sockets have received a word. */
export type ListenerCommand =
  | { readonly open: number; readonly protocol: 'tcp' | 'udp'; readonly address: string; readonly port: number }
  | { readonly word: string };

export interface ListenerReport {
  /** Sockets that have received the greeting or the word. */
  readonly sockets: number;
  readonly errors: readonly string[];
}

const GREETING = 'welcome';
const TIMEOUT_MS = 15_000;
const POLL_MS = 10;

const [role, port = ''] = process.argv.slice(2);
if (role === 'announce') await announce(Number(port));
else if (role === 'listen') await runListener();

async function announce(port: number): Promise<void> {
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket.setNoDelay());
    socket.on('close', () => connections.delete(socket)).on('error', () => {});
    socket.write(`${GREETING}\n`);
  });
  await once(server.listen(port, '::'), 'listening');
  const udpClients = new Map<string, () => void>();
  let word = GREETING;
  for (const type of ['udp4', 'udp6'] as const) {
    const socket = createSocket({ type, ipv6Only: type === 'udp6' });
    socket.on('message', (_message, from) => {
      const answer = (): void => sendMessage(socket, from, word);
      udpClients.set(`${from.address} ${from.port}`, answer);
      sendMessage(socket, from, GREETING);
    });
    socket.bind(port);
    await once(socket, 'listening');
  }
  process.stdout.write('listening\n');
  for await (const line of createInterface({ input: process.stdin })) {
    word = line;
    for (const connection of connections) connection.write(`${word}\n`);
    for (const answer of udpClients.values()) answer();
    process.stdout.write(`${connections.size + udpClients.size}\n`);
  }
  process.exit();
}

/** The callback ignores the error of a client that has exited. */
function sendMessage(socket: UdpSocket, { port, address }: RemoteInfo, word: string): void {
  socket.send(`${word}\n`, port, address, () => {});
}

async function runListener(): Promise<void> {
  const receivedWords: Set<string>[] = [];
  const errors: string[] = [];
  const waitForWord = async (word: string): Promise<ListenerReport> => {
    const deadline = performance.now() + TIMEOUT_MS;
    const count = (): number => receivedWords.filter((words) => words.has(word)).length;
    while (count() < receivedWords.length && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return { sockets: count(), errors };
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const command: ListenerCommand = JSON.parse(line);
    if ('open' in command) {
      for (let i = 0; i < command.open; i++) receivedWords.push(openListener(command, (error) => errors.push(error)));
    }
    process.stdout.write(`${JSON.stringify(await waitForWord('open' in command ? GREETING : command.word))}\n`);
  }
  process.exit();
}

/** Opens a socket, and collects the received words. A UDP client has to send a datagram first. */
function openListener(
  { protocol, address, port }: Extract<ListenerCommand, { open: number }>,
  onError: (error: string) => void,
): Set<string> {
  const words = new Set<string>();
  const take = (text: Buffer): void => {
    for (const line of text.toString().split('\n')) words.add(line);
  };
  if (protocol === 'tcp') {
    const socket = connect(port, address);
    socket.on('data', take).on('error', ({ message }) => onError(message));
    socket.on('close', () => onError('connection closed'));
    return words;
  }
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.on('message', take).on('error', ({ message }) => onError(message));
  socket.connect(port, address, () => socket.send('?'));
  return words;
}
