// Tests of src/admin/state-file/hold-file.ts.

import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { HoldFile, holdFilePath } from '../../../../src/admin/state-file/hold-file.ts';
import { type Stamp, stampNow } from '../../../../src/admin/state-file/stamp.ts';
import { waitUntil } from '../../../support/wait-until.ts';

async function pathIn(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'nftlane-hold-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return holdFilePath(join(directory, 'run', 'netns-1.sock'));
}

async function heldMsOf(t: Test, text: string): Promise<number | undefined> {
  const path = await pathIn(t);
  await mkdir(join(path, '..'));
  await writeFile(path, text);
  return (await HoldFile.open(path)).heldMs;
}

const before = (ms: number): Stamp => {
  const now = stampNow();
  return { ...now, monotonicMs: now.monotonicMs - ms };
};

t.test('HoldFile leaves the latest time of a hold, and nothing after it', async (t) => {
  const path = await pathIn(t);
  const file = await HoldFile.open(path);
  t.equal(file.heldMs, undefined);
  for (const heldMs of [0, 10_000, 20_000]) file.save(heldMs);
  await waitUntil('file', () => existsSync(path));
  let heldMs = 0;
  for (let attempt = 0; attempt < 500 && heldMs < 20_000; attempt++) heldMs = (await HoldFile.open(path)).heldMs ?? 0;
  t.ok(heldMs >= 20_000 && heldMs < 80_000, `${heldMs} ms`);
  t.match(await readFile(path, 'utf8'), /"heldMs":20000/);
  file.save(30_000);
  file.clear();
  await waitUntil('end', () => readdirSync(join(path, '..')).length === 0);
});

t.test('HoldFile counts the time without a daemon, and no old or other file', async (t) => {
  const heldMs = await heldMsOf(t, JSON.stringify({ stamp: before(30_000), heldMs: 5_000 }));
  t.ok(heldMs !== undefined && heldMs >= 35_000 && heldMs < 95_000, `${heldMs} ms`);
  t.equal(await heldMsOf(t, JSON.stringify({ stamp: before(601_000), heldMs: 5_000 })), undefined, 'old');
  const otherBoot = { ...before(1_000), bootId: 'another' };
  t.equal(await heldMsOf(t, JSON.stringify({ stamp: otherBoot, heldMs: 5_000 })), undefined, 'before a reboot');
  for (const text of [
    '',
    '{',
    '[]',
    'null',
    '{"stamp":1,"heldMs":1}',
    JSON.stringify({ stamp: before(0), heldMs: -1 }),
  ])
    t.equal(await heldMsOf(t, text), undefined, text);
  t.equal(await heldMsOf(t, ' '.repeat(5000)), undefined, 'too large');
});

t.test('HoldFile counts the time until the first list has arrived', async (t) => {
  const path = await pathIn(t);
  await mkdir(join(path, '..'));
  await writeFile(path, JSON.stringify({ stamp: before(30_000), heldMs: 5_000 }));
  const file = await HoldFile.open(path);
  const atOpen = file.heldMs ?? Number.NaN;
  await waitUntil('later time', () => (file.heldMs ?? 0) >= atOpen + 20);
  t.ok(atOpen >= 35_000);
});

t.test('HoldFile survives a directory that cannot be written', async (t) => {
  const path = join('/proc/nftlane', 'netns-1.hold.json');
  const file = await HoldFile.open(path);
  file.save(1);
  file.clear();
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(file.heldMs, undefined);
});
