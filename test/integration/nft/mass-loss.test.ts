// Tests with real packets: an API server that loses its Services, or the Node, takes no traffic from the node.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startProgram } from '../../bench/system/program.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import { loadFactor } from '../../support/load-factor.ts';
import type { LogEntry } from '../../support/netns/daemon.ts';
import { buildProgram, installBundle, startDaemon } from '../../support/netns/installation.ts';
import {
  dualStackService,
  nodeFlags,
  nodeObjects,
  serviceAddresses,
  serviceCidrObject,
  sliceObjects,
} from '../../support/netns/manifests.ts';
import { PORTS } from '../../support/netns/proxied-world.ts';
import { type Addresses, CLIENT, NODES } from '../../support/netns/topology.ts';
import type { RunningDial } from '../../support/netns/traffic/dialer-process.ts';
import { createWorld } from '../../support/netns/world.ts';
import { poll } from '../../support/wait-until.ts';

const OTHER_SERVICES = 60;
const NODE_PORT = 30_080;
const TARGET_PORT = 8080;

t.setTimeout(240_000);
const scratch = await mkdtemp(join(tmpdir(), 'nftlane-mass-loss-'));
const [program, world] = await Promise.all([
  buildProgram(join(scratch, 'nftlane.mjs')),
  createWorld({ pods: { node1: ['a', 'b', 'shell'] } }),
]);
t.teardown(async () => {
  await world.destroy();
  await rm(scratch, { recursive: true, force: true });
});

const { client, node1 } = world;
const shell = world.pod('shell');
await Promise.all(['a', 'b'].map((pod) => world.pod(pod).respond({ tcp: [TARGET_PORT], udp: [TARGET_PORT] })));
const kubeconfig = join(scratch, 'kubeconfig');
const api = await startProgram(client, 'support/api-server/main.ts', [
  ...['--listen', CLIENT.ip, '--kubeconfig-out', kubeconfig],
]);
t.teardown(() => api.stop());

async function send(line: string): Promise<void> {
  const answer = await api.request(line);
  if (!answer.startsWith('ok')) throw new Error(`${line.slice(0, 80)}: ${answer}`);
}

const WEB = serviceAddresses(10);
const EXPOSED = PORTS.map((port) => ({ ...port, nodePort: NODE_PORT }));

function service(name: string, at: Addresses, ports = PORTS): ApiObject[] {
  return [dualStackService(name, at, { ports }), ...sliceObjects(world, name, { ports, pods: ['a', 'b'] })];
}

const OBJECTS = [
  ...nodeObjects(),
  serviceCidrObject(),
  ...service('shop/web', WEB, EXPOSED),
  ...Array.from({ length: OTHER_SERVICES }, (_, n) => service(`shop/s${n}`, serviceAddresses(20 + n))).flat(),
];

async function fill(): Promise<void> {
  for (const object of OBJECTS) await send(`put ${JSON.stringify(object)}`);
}

const config = join(scratch, 'config.yaml');

function configure(gracePeriod: string): Promise<void> {
  return writeFile(
    config,
    JSON.stringify({ apiVersion: 'nftlane.io/v1alpha1', kind: 'NftlaneConfiguration', massLoss: { gracePeriod } }),
  );
}

await fill();
await configure('10m');
const installation = installBundle(node1, { program, runDir: join(scratch, 'run') });

function startNftlane(...flags: readonly string[]) {
  const common = ['--config', config, '--kubeconfig', kubeconfig, '--log-format', 'json', '--table-ownership', 'auto'];
  const started = startDaemon(installation, [...common, ...nodeFlags('node1'), ...flags]);
  t.teardown(() => started.stop());
  return started;
}

let daemon = startNftlane();
await daemon.waitForLog('ruleset complete');
const [fromPod, fromClient] = await Promise.all([shell.dialer(), client.dialer()]);

/** New and long connections, over both families, to the cluster IP and to the node port. */
async function startTraffic(): Promise<RunningDial[]> {
  const flows = (['tcp', 'udp'] as const).flatMap((protocol) =>
    (['ip', 'ip6'] as const).flatMap((family) => [
      { dialer: fromPod, target: { protocol, address: WEB[family], port: 80 } },
      { dialer: fromClient, target: { protocol, address: NODES.node1[family], port: NODE_PORT } },
    ]),
  );
  const timeoutMs = 2_000 * loadFactor();
  const dials = flows.map(async ({ dialer, target }) => [
    await dialer.dialAtRate({ ...target, perSecond: 25, timeoutMs }),
    await dialer.keepConnection({ ...target, everyMs: 50, timeoutMs }),
  ]);
  return (await Promise.all(dials)).flat();
}

/** Stops the traffic, of which no Service may be lost. */
async function stopTraffic(t: Test, dials: readonly RunningDial[]): Promise<void> {
  const reports = await Promise.all(dials.map((dial) => dial.stop()));
  const attempts = reports.reduce((sum, report) => sum + report.attempts, 0);
  t.ok(attempts > 50, `${attempts} requests`);
  const failures = reports.flatMap((report) => report.failures);
  t.equal(failures.length, 0, `none of ${attempts} requests is lost`, {
    failures,
    log: failures.flatMap(({ at }) => logAround(at)),
  });
}

/** What the daemon logged within a second of a failure. */
function logAround(at: number): string[] {
  const near = daemon.log.filter((entry) => Math.abs(Date.parse(String(entry['time'])) - at) < 1_000);
  return near.map((entry) => JSON.stringify(entry));
}

const run = (...args: readonly string[]) => installation.exec(args);

async function reaches(at: Addresses): Promise<boolean> {
  const target = { protocol: 'tcp', address: at.ip, port: 80, count: 3, timeoutMs: 500 } as const;
  return (await fromPod.dial(target)).answered === 3;
}

async function waitForReach(at: Addresses, expected: boolean): Promise<void> {
  await poll(() => reaches(at), {
    until: (answer) => answer === expected,
    failure: () => `${at.ip} ${expected ? 'is not' : 'is still'} forwarded`,
    timeoutMs: 15_000 * loadFactor(),
  });
}

t.test('an API server with an empty database takes no Service from the node', async (t) => {
  const traffic = await startTraffic();
  const from = daemon.log.length;
  await send('empty-backup');
  const held = await daemon.waitForLog('source lost most Services; keeping them', from);
  t.match(held, { level: 'warn', count: OTHER_SERVICES + 1, services: OTHER_SERVICES + 1 });
  await poll(() => run('inspect', 'services', 'shop/web'), {
    until: ({ stdout }) => /PROBLEM: 61 Services kept as last known for \d+s: lost suddenly/.test(stdout),
    failure: ({ stdout, stderr }) => stdout + stderr,
    timeoutMs: 15_000 * loadFactor(),
  });
  const { stdout, status } = await run('doctor');
  t.match(stdout, /problem +source +61 Services kept as last known/);
  t.equal(status, 1);
  t.match(await node1.output('curl', ['-s', 'http://127.0.0.1:10249/metrics']), /^nftlane_held_services 61$/m);
  t.equal((await run('diff')).status, 0, 'the kernel has everything');
  const later = serviceAddresses(9);
  for (const object of service('shop/later', later)) await send(`put ${JSON.stringify(object)}`);
  await waitForReach(later, true);
  await stopTraffic(t, traffic);
  const accepted = await run('accept-loss');
  t.equal(accepted.stdout, 'applied the loss of 61 Services\n');
  await waitForReach(WEB, false);
  t.ok(await reaches(later), 'the new Service stays');
  t.equal((await run('accept-loss')).stdout, 'no loss is held back\n');
});

t.test('single deletions of all Services are held back as well, until they come back', async (t) => {
  await fill();
  await waitForReach(WEB, true);
  await poll(() => run('diff'), {
    until: ({ status }) => status === 0,
    failure: ({ stdout }) => stdout,
    timeoutMs: 15_000 * loadFactor(),
  });
  const traffic = await startTraffic();
  const from = daemon.log.length;
  await send('delete-all');
  await daemon.waitForLog('source lost most Services; keeping them', from);
  t.ok(await reaches(serviceAddresses(20)), 'also one that was deleted first');
  t.ok(await reaches(serviceAddresses(20 + OTHER_SERVICES - 1)));
  await fill();
  await daemon.waitForLog('source has its Services again', from);
  await stopTraffic(t, traffic);
});

t.test('a held loss is applied after the grace period, which can be changed at run time', async (t) => {
  const from = daemon.log.length;
  await configure('2s');
  await daemon.waitForLog('configuration changed', from);
  await send('empty-backup');
  await daemon.waitForLog('source lost most Services; keeping them', from);
  t.match(await daemon.waitForLog('applied the loss of Services', from), { reason: 'the grace period is over' });
  await waitForReach(WEB, false);
  await fill();
  await waitForReach(WEB, true);
});

t.test('a Node object that is deleted opens node ports at no other address', async (t) => {
  const others = { ip: '203.0.113.5', ip6: '2001:db8:113::5' };
  await node1.configure([`address add ${others.ip}/32 dev lo`, `address add ${others.ip6}/128 dev lo nodad`]);
  await client.configure(
    (['ip', 'ip6'] as const).map((family) => `route add ${others[family]} via ${NODES.node1[family]}`),
  );
  const dial = async (address: string) =>
    (await fromClient.dial({ protocol: 'tcp', address, port: NODE_PORT, count: 2, timeoutMs: 500 })).answered;
  const reached = () => Promise.all([NODES.node1.ip, NODES.node1.ip6, others.ip, others.ip6].map(dial));
  t.strictSame(await reached(), [2, 2, 0, 0]);
  const from = daemon.log.length;
  await send('delete Node node1');
  t.match(await daemon.waitForLog('own Node is incomplete; keeping last known values', from), {
    missing: ['the Node object'],
  });
  t.strictSame(await reached(), [2, 2, 0, 0]);
  t.match(
    (await run('inspect', 'services')).stdout,
    /PROBLEM: Node node1 kept as last known for \d+s: missing: the Node/,
  );
  t.equal((await run('diff')).status, 0);
});

const HELD = 'source lacks most Services of the kernel; holding the start';
const RELEASED = 'start is not held any more';
/** A change counts as overdue after two periods: /livez would fail then. */
const OVERDUE = { flags: ['--iptables-sync-period', '1s'], ms: 2_000 };

/** Restarts the daemon while the API server knows the nodes and nothing else. Resolves when the start is held with `lost` Services. */
async function restartWithoutServices(lost = OTHER_SERVICES + 1): Promise<LogEntry> {
  await daemon.stop();
  await send('empty-backup');
  for (const object of nodeObjects()) await send(`put ${JSON.stringify(object)}`);
  daemon = startNftlane(...OVERDUE.flags);
  const held = await daemon.waitForLog(HELD);
  t.match(held, { level: 'warn', count: lost, services: lost });
  return held;
}

const get = (path: string) => node1.output('curl', ['-s', '-w', '\n%{http_code}', `http://127.0.0.1:${path}`]);

t.test('a daemon that starts while the API server is empty changes nothing, and says so', async (t) => {
  await fill();
  await waitForReach(WEB, true);
  await configure('10m');
  const traffic = await startTraffic();
  await restartWithoutServices();
  const heldAt = Date.now();
  const problem =
    /61 Services kept as last known for \d+s: lost while no daemon ran; the start waits and changes nothing/;
  for (let overdue = false; !overdue; ) {
    overdue = Date.now() - heldAt > 2 * OVERDUE.ms;
    t.match(await get('10256/livez'), /"stale":"61 Services kept as last known for \d+s".*\n200$/);
  }
  t.match(await get('10256/healthz'), /"healthy":false.*\n503$/);
  t.match(await get('10249/statusz'), problem);
  t.match(await get('10249/metrics'), /^nftlane_held_services 61$/m);
  const [inspect, doctor] = await Promise.all([run('inspect', 'services'), run('doctor')]);
  t.match(inspect.stdout.split('\n')[0], problem);
  t.match(doctor.stdout, problem);
  t.equal(doctor.status, 1);
  t.equal((await run('diff')).status, 1, 'the kernel is not as the source says');
  const isOwned = (await node1.output('nft', ['-t', 'list', 'table', 'ip', 'nftlane'])).includes('flags owner');
  if (isOwned) await node1.output('nft', ['flush', 'ruleset']);
  else t.comment('the tables cannot be owned on this kernel');

  const stoppedAt = Date.now();
  t.equal(await daemon.stop(), 0);
  const stopMs = Date.now() - stoppedAt;
  t.ok(stopMs < 2_000 * loadFactor(), `SIGTERM ends it in ${stopMs} ms`);
  t.match(await restartWithoutServices(), { effect: /for 5\d\d s$/ }, 'the second daemon does not begin again');
  await fill();
  t.match(await daemon.waitForLog(RELEASED), { level: 'info', reason: 'the source has all or most Services again' });
  t.match(await daemon.waitForLog('ruleset complete'), { operations: 0 });
  await daemon.waitUntilReady();
  t.match(await get('10256/healthz'), /\n200$/);
  await stopTraffic(t, traffic);
});

t.test('a start that is held continues when an operator accepts the loss, or after the grace period', async (t) => {
  await restartWithoutServices();
  const later = serviceAddresses(9);
  for (const object of service('shop/later', later)) await send(`put ${JSON.stringify(object)}`);
  t.ok(await reaches(WEB));
  t.equal((await run('accept-loss')).stdout, 'applied the loss of 61 Services\n');
  t.match(await daemon.waitForLog(RELEASED), { level: 'warn', reason: 'accepted by an operator' });
  await waitForReach(later, true);
  t.notOk(await reaches(WEB));

  await fill();
  await daemon.waitUntilReady();
  await restartWithoutServices(OTHER_SERVICES + 2);
  await configure('2s');
  t.match(await daemon.waitForLog(RELEASED), { level: 'warn', reason: 'the grace period is over' });
  await waitForReach(WEB, false);
  await daemon.waitUntilReady();

  await fill();
  await waitForReach(serviceAddresses(20 + OTHER_SERVICES - 1), true);
  await daemon.waitUntilReady();
  t.match(await restartWithoutServices(), { effect: /for 2 s$/ }, 'the next loss is held for the whole time again');
});
