// A program that asks two questions at once from each of many fresh UDP sockets, as DNS clients ask for A and AAAA.
// Its arguments are address, port and the number of sockets; it prints a PairReport.
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/** What became of the pairs. */
export interface PairReport {
  /** Both questions had an answer, from one pod. */
  readonly sameBackend: number;
  /** The answers came from different pods. */
  readonly differentBackends: number;
  /** An answer did not come. */
  readonly lost: number;
}

const TIMEOUT_MS = 500;
const [, , address = '', port = '0', count = '0'] = process.argv;

/** The names of the pods that answered. */
function requestPair(): Promise<string[]> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  const pods: string[] = [];
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      socket.close();
      resolve(pods);
    };
    const timer = setTimeout(end, TIMEOUT_MS);
    socket.on('error', () => {});
    socket.on('message', (message) => {
      pods.push(JSON.parse(message.toString()).pod);
      if (pods.length === 2) end();
    });
    socket.connect(Number(port), address, () => {
      socket.send('A?');
      socket.send('AAAA?');
    });
  });
}

const counts = { sameBackend: 0, differentBackends: 0, lost: 0 };
for (let asked = 0; asked < Number(count); asked++) {
  const [first, second] = await requestPair();
  if (second === undefined) counts.lost++;
  else if (first === second) counts.sameBackend++;
  else counts.differentBackends++;
}
process.stdout.write(`${JSON.stringify(counts satisfies PairReport)}\n`);
