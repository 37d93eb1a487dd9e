// Tests of src/admin/state-file/state-file-writer.ts.

import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { engineState } from '../../../../src/admin/state/daemon-state.ts';
import type { DaemonStatus } from '../../../../src/admin/state/daemon-status.ts';
import { readStateFiles } from '../../../../src/admin/state-file/read-state-files.ts';
import { StateFileWriter } from '../../../../src/admin/state-file/state-file-writer.ts';
import { stateFilePaths } from '../../../../src/admin/state-file/state-files.ts';
import { systemClock } from '../../../../src/host/clock.ts';
import { daemonStatus } from '../../../support/builders/daemon-status.ts';
import { engineOf } from '../../../support/builders/engine.ts';
import { service } from '../../../support/builders/service.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';
import { poll } from '../../../support/wait-until.ts';

const TIMEOUT_MS = 30_000;

function given(t: Test, directory = mkdtempSync(join(tmpdir(), 'nftlane-state-'))) {
  const paths = stateFilePaths(join(directory, 'run/netns-1.sock'));
  const { log, lines } = recordLog();
  const now: { status: DaemonStatus } = { status: daemonStatus() };
  let states = 0;
  const state = () => {
    states++;
    return { version: '1', pid: 7, source: 'test', status: now.status, ...engineState(engineOf([service()])) };
  };
  const options = { paths, status: () => now.status, state, clock: systemClock, log, intervalMs: 5 };
  const stop = new AbortController();
  const done = new StateFileWriter(options).run(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await done;
  };
  t.teardown(async () => {
    await end();
    rmSync(directory, { recursive: true, force: true });
  });
  return { paths, lines, now, end, states: () => states };
}

function written({ paths }: ReturnType<typeof given>) {
  return poll(() => readStateFiles(paths, '1'), {
    until: ({ status, state }) => status !== undefined && state !== undefined,
    failure: () => 'no state files',
    timeoutMs: TIMEOUT_MS,
  });
}

t.test('the files have the last status and state, and say that the daemon was stopped', async (t) => {
  const writer = given(t);
  const { status, state } = await written(writer);
  t.match(status, { status: { node: 'n1', pid: 7 }, isStopped: false });
  t.equal(state?.objects.Service.length, 1);
  for (const path of Object.values(writer.paths)) t.equal(statSync(path).mode & 0o777, 0o600, path);
  t.match(gunzipSync(readFileSync(writer.paths.state)).toString(), /"key":"shop\/web"/);
  await writer.end();
  t.equal((await readStateFiles(writer.paths, '1')).status?.isStopped, true);
});

t.test('the state is written again only after a commit', async (t) => {
  const writer = given(t);
  await written(writer);
  const before = writer.states();
  writer.now.status = daemonStatus({ node: 'n2' });
  await poll(() => readStateFiles(writer.paths, '1'), {
    until: ({ status }) => status?.status.node === 'n2',
    failure: () => 'no status',
    timeoutMs: TIMEOUT_MS,
  });
  t.equal(writer.states(), before);
  writer.now.status = daemonStatus({ sync: { commits: 2, syncedMs: 0 } });
  await poll(async () => writer.states(), {
    until: (states) => states > before,
    failure: String,
    timeoutMs: TIMEOUT_MS,
  });
});

t.test('the state of an earlier daemon stays until the first sync', async (t) => {
  const writer = given(t);
  await written(writer);
  await writer.end();
  writer.now.status = daemonStatus({ node: 'n2', sync: { commits: 0 } });
  const options = { ...writer, status: () => writer.now.status, clock: systemClock, intervalMs: 5 };
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const state = () => {
    throw new Error('asked for the state');
  };
  const { log, lines } = recordLog();
  void new StateFileWriter({ ...options, state, log }).run(stop.signal);
  const { state: saved } = await poll(() => readStateFiles(writer.paths, '1'), {
    until: ({ status }) => status?.status.node === 'n2',
    failure: () => 'no status',
    timeoutMs: TIMEOUT_MS,
  });
  t.equal(saved?.status.node, 'n1');
  t.strictSame(lines, []);
});

t.test('a failure is logged once, and so is its end', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'nftlane-state-'));
  writeFileSync(join(directory, 'file'), 'not a directory');
  mkdirSync(join(directory, 'directory'));
  symlinkSync('file', join(directory, 'run'));
  const { lines } = given(t, directory);
  const messages = () => lines.map(({ message }) => message);
  const logged = (message: string) =>
    poll(async () => messages(), { until: (all) => all.includes(message), failure: String, timeoutMs: TIMEOUT_MS });
  await logged('cannot write state files; without the daemon, commands know only the kernel');
  // In one step, so that no attempt sees anything else.
  symlinkSync('directory', join(directory, 'next'));
  renameSync(join(directory, 'next'), join(directory, 'run'));
  await logged('state files are written again');
  t.equal(messages().length, 2);
});
