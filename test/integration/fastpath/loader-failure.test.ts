// Tests that the status shows what is attached: while syncs fail, after another process detached programs, and after a
// start on a node with a conflict.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { setUpOneService } from '../../support/fastpath/fast-path-fixture.ts';
import { NODE_PORT } from '../../support/fastpath/fast-path-world.ts';
import { LOADER } from '../../support/netns/bpf-mount.ts';
import { NODES } from '../../support/netns/topology.ts';

t.setTimeout(110_000);
const { fast, pods, dialer } = await setUpOneService(t);
const { world } = fast;

/** A loader that can be broken, and writes its PID. */
const directory = t.testdir({});
const [program, brokenMarker, pid] = ['loader', 'broken', 'pid'].map((name) => join(directory, name)) as [
  string,
  string,
  string,
];
await writeFile(
  program,
  `#!/bin/sh\nif [ -e ${brokenMarker} ]; then echo 'out of order' >&2; exit 1; fi\necho $$ >${pid}\nexec ${LOADER} "$@"\n`,
  { mode: 0o755 },
);
const METRICS = '127.0.0.1:10249';
const FLAGS = ['--fast-path', 'auto', '--fast-path-program', program, '--metrics-bind-address', METRICS];

/** Returns how many of 20 connections were answered, and how many the programs took. */
async function dial(): Promise<{ answered: number; taken: number }> {
  const before = await fast.countReasons('CREATED', 'REMAPPED');
  const { answered } = await dialer.dial({ protocol: 'tcp', address: NODES.node1.ip, port: NODE_PORT, count: 20 });
  return { answered, taken: (await fast.countReasons('CREATED', 'REMAPPED')) - before };
}

async function metrics(): Promise<Map<string, number>> {
  const page = await world.node1.output(process.execPath, [
    '-e',
    `fetch('http://${METRICS}/metrics').then((answer) => answer.text()).then((text) => process.stdout.write(text))`,
  ]);
  const pairs = page.split('\n').map((line) => /^nftlane_fastpath_(\S+) (\d+)$/.exec(line));
  return new Map(pairs.flatMap((found) => (found === null ? [] : [[found[1] ?? '', Number(found[2])] as const])));
}

/** Lists the attached programs. */
async function attached(): Promise<string[]> {
  return (await fast.requestLoader('list')).filter((line) => line.startsWith('attachment '));
}

/** Waits for longer than the interval of device checks. */
async function waitUntil(description: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 45_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`Timed out waiting until ${description}`);
    await delay(200);
  }
}

t.test('attached programs keep running when the loader cannot be started', async (t) => {
  const daemon = await fast.startDaemon(...FLAGS);
  await fast.waitFor('all frontends are served', ({ frontends }) => frontends.length === 4);
  t.match(Object.fromEntries(await metrics()), {
    enabled: 1,
    failing: 0,
    sync_failures_total: 0,
    loader_restarts_total: 0,
  });
  await writeFile(brokenMarker, '');
  process.kill(Number(await readFile(pid, 'utf8')), 'SIGKILL');
  const view = await fast.waitFor('syncs have failed several times', ({ failing }) => (failing?.attempts ?? 0) >= 4);
  t.match(view.failing, { reason: /exited: .*out of order/, since: /^\d{4}-\d\d-\d\dT/ });
  t.match(
    view,
    { state: 'on', uplinks: [{ name: 'lan' }], podDevices: ['pod-a', 'pod-b'] },
    'attached programs keep running',
  );
  t.equal(view.frontends.length, 4);
  const text = await fast.execNftlane('inspect', 'fastpath');
  t.match(text.stdout, /^# .*\nfast path: on .*\nwarning: out of sync since .*out of order/);
  const counted = await metrics();
  t.match(Object.fromEntries(counted), { enabled: 1, failing: 1 });
  t.ok((counted.get('sync_failures_total') ?? 0) >= 4);
  t.match(await dial(), { answered: 20, taken: 20 }, 'new connections do not need the daemon');
  const records = daemon.log.filter(({ msg }) => /out of sync/.test(msg));
  t.ok(records.length <= 2, `${records.length} lines for ${counted.get('sync_failures_total')} failures`);

  await rm(brokenMarker);
  await daemon.waitForLog('fast path in sync again', 0, 40_000);
  const after = await fast.waitFor('the fast path is in sync', ({ failing }) => failing === undefined);
  t.equal(after.state, 'on');
  t.ok(after.totals.loaderRestarts >= 1);
  await fast.writeService('shop/more', 2, { pods, nodePort: NODE_PORT + 1 });
  await fast.waitFor('the new Service is served', ({ frontends }) => frontends.length === 8);
  t.match(Object.fromEntries(await metrics()), { enabled: 1, failing: 0 });
});

t.test('programs that another process detached are attached again', async (t) => {
  const before = await attached();
  t.equal(before.length, 3, before.join('; '));
  for (const attachment of before) await fast.requestLoader(`detach ${attachment.split(' ').slice(1, 3).join(' ')}`);
  await waitUntil('all programs are attached', async () => (await attached()).length === 3);
  t.match(await dial(), { answered: 20, taken: 20 });
});

t.test('programs are detached if the next start finds a conflict', async (t) => {
  await fast.killDaemon();
  await world.node1.configure(['link add name cali123 type bridge']);
  const daemon = await fast.startDaemon(...FLAGS);
  t.match(await daemon.waitForLog('fast path is off'), { reason: /Calico/ });
  await waitUntil('nothing is attached', async () => (await attached()).length === 0);
  const view = await fast.inspect();
  t.match(view, { state: 'off', reason: /Calico/, frontends: [] });
  t.ok(view.skipped.length === 8 && view.skipped.every(({ cause }) => cause === 'node'));
  t.match(await dial(), { answered: 20, taken: 0 }, 'nftables serves');
  t.equal((await metrics()).get('skipped_frontends{cause="node"}'), 8);

  await world.node1.configure(['link delete dev cali123']);
  await fast.waitFor('the fast path is on again', ({ state, frontends }) => state === 'on' && frontends.length === 8);
  t.match(await dial(), { answered: 20, taken: 20 });
});
