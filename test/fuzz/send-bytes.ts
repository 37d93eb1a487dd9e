// Sends bytes to a server and reads its answer.

import { once } from 'node:events';
import { connect, type NetConnectOpts } from 'node:net';

/** Sends the bytes and ends the sending side. Returns what the server answered until it closed. */
export async function sendBytes(server: NetConnectOpts, bytes: Buffer): Promise<string> {
  const socket = connect(server);
  let answer = '';
  socket.on('data', (data) => {
    answer += data.toString('latin1');
  });
  // The server may reset the connection.
  socket.on('error', () => {});
  socket.end(bytes);
  await once(socket, 'close').catch(() => undefined);
  return answer;
}
