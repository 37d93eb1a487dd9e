// Tests of src/admin/fetch-state.ts.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createNetServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type AdminSocketError, fetchState } from '../../../src/admin/fetch-state.ts';

async function listening(t: Test, server: Server): Promise<string> {
  // A socket path is limited to 107 bytes, which t.testdir() can exceed.
  const directory = mkdtempSync(join(tmpdir(), 'nftlane-fetch-'));
  const path = join(directory, 's');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.teardown(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  return path;
}

const causeOf = (path: string, answerMs = 100) =>
  fetchState(path, { answerMs }).then(
    () => 'none',
    (error: AdminSocketError) => error.noState,
  );

t.test('fetchState() says why there is no state', async (t) => {
  t.equal(await causeOf('/nowhere/s'), 'absent');
  const file = join(t.testdir({ f: '' }), 'f');
  writeFileSync(file, 'x');
  t.equal(await causeOf(file), 'absent', 'a file that is not a socket');
  t.equal(
    await causeOf(
      await listening(
        t,
        createServer((_, response) => response.end('hello')),
      ),
    ),
    'invalid',
  );
  t.equal(
    await causeOf(
      await listening(
        t,
        createServer((_, response) => response.end('{}')),
      ),
    ),
    'invalid',
  );
  const busy = createServer((_, response) => response.writeHead(503).end('{"message":"busy: 8 others"}'));
  const path = await listening(t, busy);
  t.equal(await causeOf(path), 'busy');
  await t.rejects(fetchState(path), { message: /: busy: 8 others$/ });
});

t.test('fetchState() does not wait for a process that accepts and never answers', async (t) => {
  const sockets: { destroy(): void }[] = [];
  const path = await listening(
    t,
    createNetServer((socket) => void sockets.push(socket)),
  );
  const startedAt = performance.now();
  t.equal(await causeOf(path, 100), 'silent');
  t.ok(performance.now() - startedAt < 5_000);
  const halfway = createServer((_, response) => void response.write('{"objects":'));
  t.equal(await causeOf(await listening(t, halfway), 100), 'silent', 'an answer that stops');
  halfway.closeAllConnections();
  for (const socket of sockets) socket.destroy();
});
