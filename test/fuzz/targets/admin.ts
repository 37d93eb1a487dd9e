// Requests to the admin socket.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StateServer } from '../../../src/admin/state-server.ts';
import { sendBytes } from '../send-bytes.ts';
import type { FuzzTarget } from '../target.ts';

const REQUESTS = [
  'GET /state HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST /accept-loss HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n',
  'GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n',
];

let directory = '';
let server: StateServer | undefined;

async function open(): Promise<string> {
  if (server === undefined) {
    directory = await mkdtemp(join(tmpdir(), 'nftlane-fuzz-'));
    server = new StateServer({ state: () => ({ status: {}, objects: [] }) });
    server.server.listen(join(directory, 's'));
    await once(server.server, 'listening');
  }
  return join(directory, 's');
}

export const adminTarget: FuzzTarget = {
  name: 'admin-requests',
  weight: 0.5,
  seeds: REQUESTS,
  async run(input) {
    const path = await open();
    await sendBytes({ path }, Buffer.from(input, 'latin1'));
    const answer = await sendBytes({ path }, Buffer.from('GET /state HTTP/1.0\r\n\r\n'));
    if (!answer.startsWith('HTTP/1.1 200'))
      throw new Error(`The next request was answered with ${answer.slice(0, 80)}`);
  },
  async close() {
    server?.close();
    server = undefined;
    await rm(directory, { recursive: true, force: true });
  },
};
