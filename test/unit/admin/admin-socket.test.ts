// Tests of src/admin/admin-socket.ts.

import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { adminSocketPath, serveState } from '../../../src/admin/admin-socket.ts';
import { AdminSocketError, fetchState } from '../../../src/admin/fetch-state.ts';
import { engineState } from '../../../src/admin/state/daemon-state.ts';
import { daemonStatus } from '../../support/builders/daemon-status.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { service } from '../../support/builders/service.ts';
import { poll } from '../../support/wait-until.ts';

const state = () => ({
  version: '1',
  pid: 7,
  source: 'test',
  status: daemonStatus(),
  ...engineState(engineOf([service()])),
});

/** A short directory: a socket path is limited to 107 bytes, which t.testdir() can exceed. */
function shortDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'nftlane-admin-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

t.test('adminSocketPath() names the network namespace', async (t) => {
  t.match(adminSocketPath('/run/nftlane'), /^\/run\/nftlane\/netns-\d+\.sock$/);
});

t.test('serveState() serves the state to root only, and removes the socket on close', async (t) => {
  const path = join(shortDirectory(t), 'sub/daemon.sock');
  const socket = await serveState(path, state);
  t.equal(statSync(path).mode & 0o777, 0o600);
  const fetched = await fetchState(path);
  t.strictSame(fetched, JSON.parse(JSON.stringify(state())));
  await socket.close();
  t.notOk(existsSync(path));
});

t.test('serveState() rejects a second daemon and replaces a stale socket', async (t) => {
  const path = join(shortDirectory(t), 'daemon.sock');
  writeFileSync(path, 'stale');
  const socket = await serveState(path, state);
  t.teardown(() => socket.close());
  await t.rejects(serveState(path, state), {
    name: 'AdminSocketError',
    kind: 'environment',
    message: 'Cannot run: another daemon (process 7) runs in this network namespace',
  });
});

t.test('fetchState() rejects if no daemon answers', async (t) => {
  const directory = shortDirectory(t);
  await t.rejects(fetchState(join(directory, 'none.sock')), {
    name: 'AdminSocketError',
    message: /^Cannot read daemon state from ".*none\.sock": no such file or directory$/,
  });
  const path = join(directory, 'other.sock');
  const other = createServer((_, response) => response.end('hello')).listen(path);
  t.teardown(() => other.close());
  await new Promise((resolve) => other.once('listening', resolve));
  await t.rejects(fetchState(path), AdminSocketError);
});

t.test('serveState() creates a removed file again, and removes only its own', async (t) => {
  const path = join(shortDirectory(t), 'sub/daemon.sock');
  const recreated: unknown[] = [];
  const options = { checkMs: 20, onRecreated: (error?: unknown) => recreated.push(error) };
  const socket = await serveState(path, state, options);
  rmSync(path);
  await poll(() => existsSync(path), { until: (exists) => exists, failure: () => 'not created', timeoutMs: 30_000 });
  t.equal((await fetchState(path)).pid, 7);
  t.equal(statSync(path).mode & 0o777, 0o600);
  rmSync(join(path, '..'), { recursive: true });
  await poll(() => existsSync(path), { until: (exists) => exists, failure: () => 'not created', timeoutMs: 30_000 });
  t.ok(recreated.length >= 2);
  t.strictSame(
    recreated.filter((error) => error !== undefined),
    [],
  );
  rmSync(path);
  const other = createServer((_, response) => response.end(JSON.stringify(state()))).listen(path);
  t.teardown(() => other.close());
  await poll(() => recreated.at(-1), { until: (e) => e instanceof Error, failure: () => 'taken', timeoutMs: 30_000 });
  await socket.close();
  t.ok(existsSync(path), 'the socket of the other process stays');
});

t.test('serveState() does not take the place of a process that does not answer', async (t) => {
  const path = join(shortDirectory(t), 'daemon.sock');
  const silent = createServer(() => {}).listen(path);
  t.teardown(() => {
    silent.closeAllConnections();
    silent.close();
  });
  await t.rejects(serveState(path, state), {
    name: 'AdminSocketError',
    message: /^Cannot run: another process listens at the admin socket: .* no answer within/,
  });
  t.ok(existsSync(path));
});
