// A program that sends two requests in a row from each of many new UDP sockets, as DNS clients do for A and AAAA records.
// Arguments: address, port and the number of sockets. Prints a PairReport.

import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

export interface PairReport {
  /** Both requests were answered by the same pod. */
  readonly sameBackend: number;
  /** The requests were answered by different pods. */
  readonly differentBackends: number;
  /** An answer is missing. */
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
