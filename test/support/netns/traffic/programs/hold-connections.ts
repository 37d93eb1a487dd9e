// Keeps connections open without using them, and keeps coming back after they are closed.
//   hold-connections.ts ADDRESS PORT COUNT SOURCE...     prints the number opened when all have been tried

import { connect } from 'node:net';
import { argv } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

const [address = '', port, count, ...sources] = argv.slice(2);
/** In steps that fit into the queue of connections that wait for the server. */
const STEP = 200;
/** New connections each second after the first `count`. Idle connections are tested here, not a flood of packets. */
const RATE = 100;
let opened = 0;

/** Some send nothing, and some one request, after which the connection stays open. Resolves when it is open or refused. */
function hold(index: number): Promise<void> {
  const localAddress = sources[index % sources.length];
  const source = localAddress === undefined ? {} : { localAddress };
  const socket = connect({ host: address, port: Number(port), ...source }).on('error', () => {});
  socket.resume();
  return new Promise((resolve) => {
    socket.once('close', resolve).once('connect', () => {
      opened += 1;
      if (index % 2 === 0) socket.write('GET /livez HTTP/1.1\r\nHost: node\r\n\r\n');
      resolve();
    });
  });
}

const indexes = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);
let next = 0;
for (; next < Number(count); next += STEP) await Promise.all(indexes(next, next + STEP).map(hold));
process.stdout.write(`${opened}\n`);
for (; ; next += RATE / 10) {
  await Promise.all(indexes(next, next + RATE / 10).map(hold));
  await delay(100);
}
