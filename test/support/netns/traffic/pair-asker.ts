// A program that asks two questions at once from each of many fresh UDP sockets, as DNS clients ask for A and AAAA.
// Its arguments are address, port and the number of sockets; it prints a PairReport.
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/** What became of the pairs. */
export interface PairReport {
  /** Both questions had an answer, from one pod. */
  readonly together: number;
  /** The answers came from different pods. */
  readonly apart: number;
  /** An answer did not come. */
  readonly lost: number;
}

const TIMEOUT_MS = 500;
const [, , address = '', port = '0', count = '0'] = process.argv;

/** The names of the pods that answered. */
function askPair(): Promise<string[]> {
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

const tally = { together: 0, apart: 0, lost: 0 };
for (let asked = 0; asked < Number(count); asked++) {
  const [first, second] = await askPair();
  if (second === undefined) tally.lost++;
  else if (first === second) tally.together++;
  else tally.apart++;
}
process.stdout.write(`${JSON.stringify(tally satisfies PairReport)}\n`);
