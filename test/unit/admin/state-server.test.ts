// Tests of src/admin/state-server.ts.

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { fetchState } from '../../../src/admin/fetch-state.ts';
import { StateServer, type StateServerOptions } from '../../../src/admin/state-server.ts';
import { loadFactor } from '../../support/load-factor.ts';
import { poll } from '../../support/wait-until.ts';

const BIG = {
  status: {},
  objects: Array.from({ length: 20_000 }, (_, index) => ({ key: `${index}`, text: 'x'.repeat(500) })),
};

async function serve(t: Test, limits: StateServerOptions['limits']) {
  const directory = mkdtempSync(join(tmpdir(), 'nftlane-server-'));
  const path = join(directory, 's');
  const server = new StateServer({ state: () => BIG, ...(limits === undefined ? {} : { limits }) });
  await new Promise<void>((resolve) => server.server.listen(path, resolve));
  t.teardown(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  return path;
}

/** A client that may send a request and does not read. */
async function stalledClient(
  t: Test,
  path: string,
  request = 'GET /state HTTP/1.1\r\nhost: x\r\n\r\n',
): Promise<Socket> {
  const socket = connect(path).pause();
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  socket.write(request);
  return socket;
}

t.test('100 readers that never read cost little memory, and others are answered', async (t) => {
  const path = await serve(t, undefined);
  t.ok((await fetchState(path)) !== undefined);
  const before = process.memoryUsage.rss();
  await Promise.all(Array.from({ length: 100 }, () => stalledClient(t, path)));
  const read = () =>
    fetchState(path).then(
      () => true,
      () => false,
    );
  await poll(read, { until: (answered) => answered, failure: () => 'no answer', timeoutMs: 10_000 * loadFactor() });
  const growth = process.memoryUsage.rss() - before;
  t.ok(growth < 100 * 1024 ** 2, `${Math.round(growth / 1024 ** 2)} MB, where each answer has 11 MB`);
});

t.test('a reader that has stalled makes way, and one that reads does not', async (t) => {
  const path = await serve(t, { readers: 1, stalledMs: 50, idleMs: 60_000 });
  await stalledClient(t, path);
  const read = () =>
    fetchState(path).then(
      () => 'answer',
      ({ noState }) => String(noState),
    );
  const outcomes = new Set<string>();
  await poll(async () => outcomes.add(await read()).has('answer'), {
    until: (answered) => answered,
    failure: () => [...outcomes].join(),
    timeoutMs: 10_000 * loadFactor(),
  });
  t.strictSame(
    [...outcomes].filter((outcome) => !['busy', 'answer'].includes(outcome)),
    [],
  );
});

t.test('a connection that neither sends nor reads is closed', async (t) => {
  const path = await serve(t, { idleMs: 100 });
  for (const request of ['', 'GET /st', 'GET /state HTTP/1.1\r\nhost: x\r\n\r\n']) {
    const socket = await stalledClient(t, path, request);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    // A paused socket does not see that the other end has closed.
    setTimeout(() => socket.resume(), 500).unref();
    await closed;
    t.pass(JSON.stringify(request));
  }
});

t.test('the oldest idle connection is closed for a new one', async (t) => {
  const path = await serve(t, { idleConnections: 2 });
  const first = await stalledClient(t, path, '');
  const closed = new Promise((resolve) => first.once('close', resolve));
  first.resume();
  await stalledClient(t, path, '');
  await stalledClient(t, path, '');
  await closed;
  t.ok((await fetchState(path)) !== undefined);
});

t.test('a long request is refused', async (t) => {
  const path = await serve(t, undefined);
  const socket = connect(path);
  socket.on('error', () => {});
  socket.write(`GET /state HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`);
  const [text] = await Promise.all([
    new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data)))),
  ]);
  t.match(text, /^HTTP\/1\.1 431 /);
  socket.destroy();
});
