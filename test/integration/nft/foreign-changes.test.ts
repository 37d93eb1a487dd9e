// Tests of the repair of changes by other processes, with a real nft and real packets.

import t, { type Test } from 'tap';
import { FAMILIES, type Family } from '../../../src/net/family.ts';
import { loadFactor } from '../../support/load-factor.ts';
import type { LogEntry } from '../../support/netns/daemon.ts';
import { monitorPid } from '../../support/netns/monitor-pid.ts';
import { createProxiedWorld } from '../../support/netns/proxied-world.ts';
import { poll } from '../../support/wait-until.ts';

const LISTENING = 'listening to kernel notifications of ruleset changes';
const CHANGED = 'another process changed the ruleset; repairing';
const CONTESTED = 'another process keeps undoing repairs of the ruleset; repairing less often';
/** What is promised on a quiet machine. */
const REPAIR_LIMIT_MS = 1000;
/** The longest wait before a repair while another process undoes them. */
const MAX_WAIT_MS = 10_000;

const proxied = await createProxiedWorld(t);
const { client, node1 } = proxied.world;
const WEB = await proxied.addService('shop/web', 10, { pods: ['a', 'b', 'c'] });
await proxied.waitForSync();
await proxied.daemon('node1').waitForLog(LISTENING);
const dialer = await client.dialer();
const keyOf = (family: Family) => `${WEB[family]} . tcp . 80`;
const KEY = keyOf('ip');

const nft = (command: string) => node1.output('nft', [command]);

/** The ruleset without counters and handles, and without the number of the last transaction. */
async function ruleset(): Promise<string> {
  const listing = await node1.output('nft', ['-s', 'list', 'ruleset']);
  const lines = listing.split('\n').map((line) => line.replace(/^\s*(?:elements = \{)?\s*|[\s,}]*$/g, ''));
  // Elements have no order; the wrapped ones have one line each.
  return lines
    .filter((line) => !line.startsWith('0x'))
    .sort()
    .join('\n');
}

async function handleOf(family: Family, chain: string, rule: RegExp): Promise<string> {
  const listing = await node1.output('nft', ['-a', 'list', 'chain', family, 'nftlane', chain]);
  const [, handle = ''] = /handle (\d+)$/.exec(listing.split('\n').find((line) => rule.test(line)) ?? '') ?? [];
  return handle;
}

async function answers(family: Family): Promise<number> {
  return (await dialer.dial({ protocol: 'tcp', address: WEB[family], port: 80, count: 6, timeoutMs: 500 })).answered;
}

/** Waits until the ruleset is `desired` again, and holds the time to the limit. */
async function waitForRepair(t: Test, desired: string, limitMs = REPAIR_LIMIT_MS): Promise<void> {
  const startedAt = performance.now();
  await poll(ruleset, {
    until: (now) => now === desired,
    failure: () => 'The ruleset was not repaired',
    timeoutMs: 30_000,
    everyMs: 10,
  });
  const took = Math.round(performance.now() - startedAt);
  t.ok(took <= limitMs * loadFactor(), `repaired after ${took} ms`);
}

/** Whether the process still exists. */
function isSent(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** An address and a cluster IP that only another process would use. */
const FOREIGN = {
  ip: { type: 'ipv4_addr', address: '10.6.6.6', clusterIp: '172.30.66.66' },
  ip6: { type: 'ipv6_addr', address: 'fd00:6::6', clusterIp: 'fd00:30::6666' },
} as const;

/** Commands of nft on the table of one family. */
function changesOf(family: Family): Record<string, () => string | Promise<string>> {
  const table = `${family} nftlane`;
  const key = keyOf(family);
  const { type, address, clusterIp } = FOREIGN[family];
  const handle = () => handleOf(family, 'cluster-3', /numgen/);
  return {
    'a deleted element': () => `delete element ${table} service-ips { ${key} }`,
    'a replaced element': () =>
      `delete element ${table} endpoints { ${key} . 0 }; add element ${table} endpoints { ${key} . 0 : ${address} . 8080 }`,
    'an added element': () => `add element ${table} service-ips { ${clusterIp} . tcp . 80 : drop }`,
    'a flushed map': () => `flush map ${table} endpoints`,
    'an inserted rule': () => `insert rule ${table} services tcp dport 80 drop`,
    'a replaced rule': async () => `replace rule ${table} cluster-3 handle ${await handle()} counter`,
    'a deleted rule': async () => `delete rule ${table} cluster-3 handle ${await handle()}`,
    'a chain policy': () => `add chain ${table} filter-forward { policy drop; }`,
    'a dormant table': () => `add table ${table} { flags dormant; }`,
    'an added base chain': () => `add chain ${table} other { type filter hook forward priority -200; policy drop; }`,
    'an added set with a rule': () =>
      `add set ${table} other { type ${type}; }; add chain ${table} other; add rule ${table} other ${family} saddr @other drop`,
    'a deleted chain': () =>
      `flush map ${table} service-ips; flush map ${table} service-nodeports; delete chain ${table} cluster-3`,
    'a base chain at another priority': () =>
      `delete chain ${table} filter-forward; ` +
      `add chain ${table} filter-forward { type filter hook forward priority 50; policy drop; }`,
    'a set with another type': () =>
      `flush chain ${table} cluster-ips-check; delete set ${table} cluster-ips; ` +
      `add set ${table} cluster-ips { type inet_service; }`,
    'a deleted table': () => `delete table ${table}`,
    'a flushed ruleset': () => 'flush ruleset',
    'a ruleset loaded from an old file': async () => {
      // Without the lock, whose owner alone may load it.
      const tables = FAMILIES.map((each) => node1.output('nft', ['list', 'table', each, 'nftlane']));
      const file = (await Promise.all(tables)).join('');
      return `flush ruleset\n${file.replaceAll(` : ${proxied.world.pod('a')[family]} `, ` : ${address} `)}`;
    },
  };
}

t.test('every kind of change by another process is repaired within a second', async (t) => {
  const desired = await ruleset();
  for (const family of FAMILIES) {
    t.equal(await answers(family), 6);
    for (const [name, command] of Object.entries(changesOf(family))) {
      await t.test(`${name}, ${family}`, async (t) => {
        await node1.output('nft', ['-f', '-'], { input: `${await command()}\n` });
        await waitForRepair(t, desired);
        t.equal(await answers(family), 6, 'new connections reach the endpoints');
      });
    }
  }
});

t.test('the log names the process and what it changed, a bounded number of times', async (t) => {
  const { log } = proxied.daemon('node1');
  const reports = log.filter(({ msg }) => msg === CHANGED);
  t.match(reports[0], { first: [`delete element ip service-ips ${KEY}`], changes: '1 element', transactions: 1 });
  t.ok(reports.every(({ pid, program }) => Number(pid) > 0 && program !== ''));
  const seconds = (entry: LogEntry | undefined) => Date.parse(String(entry?.['time'])) / 1000;
  const windows = 1 + Math.ceil((seconds(reports.at(-1)) - seconds(reports[0])) / 10);
  t.ok(reports.length <= 5 * windows, `${reports.length} messages in ${windows} windows of ten seconds`);
  t.notOk(
    log.some(({ msg }) => msg === CONTESTED),
    'different changes do not count as a contest',
  );
});

t.test('changes are noticed by the next monitor after the first one was killed', async (t) => {
  const daemon = proxied.daemon('node1');
  const from = daemon.log.length;
  const desired = await ruleset();
  process.kill(await monitorPid(node1), 'SIGKILL');
  await daemon.waitForLog('no kernel notifications of ruleset changes; restarting nft monitor', from);
  await nft(`delete element ip nftlane service-ips { ${KEY} }`);
  await waitForRepair(t, desired, 5000);
  await daemon.waitForLog(LISTENING, from);
  await nft(`delete element ip nftlane service-ips { ${KEY} }`);
  await waitForRepair(t, desired);
});

t.test('changes are noticed by the next monitor, however often the monitor was killed', async (t) => {
  const daemon = proxied.daemon('node1');
  const desired = await ruleset();
  for (let kill = 0; kill < 8; kill++) {
    const from = daemon.log.length;
    process.kill(await monitorPid(node1), 'SIGKILL');
    await daemon.waitForLog(LISTENING, from);
  }
  const from = daemon.log.length;
  process.kill(await monitorPid(node1), 'SIGKILL');
  await nft(`delete element ip nftlane service-ips { ${KEY} }`);
  await waitForRepair(t, desired, 5000);
  // The table check may have repaired it before there is a monitor again.
  await daemon.waitForLog(LISTENING, from);
});

t.test('changes are noticed within two seconds while the monitor is stopped, which is continued', async (t) => {
  const daemon = proxied.daemon('node1');
  const from = daemon.log.length;
  const desired = await ruleset();
  const pid = await monitorPid(node1);
  process.kill(pid, 'SIGSTOP');
  await nft(`delete element ip nftlane service-ips { ${KEY} }`);
  await waitForRepair(t, desired, 2000);
  await daemon.waitForLog('nft monitor was stopped; continuing it', from);
  t.equal(await monitorPid(node1), pid, 'its notifications were not lost');
});

t.test('a monitor that is stopped again and again is replaced', async (t) => {
  const daemon = proxied.daemon('node1');
  const from = daemon.log.length;
  const desired = await ruleset();
  const pid = await monitorPid(node1);
  const stopper = setInterval(() => isSent(pid, 'SIGSTOP') || clearInterval(stopper), 2);
  t.teardown(() => clearInterval(stopper));
  await daemon.waitForLog('no kernel notifications of ruleset changes; restarting nft monitor', from);
  await daemon.waitForLog(LISTENING, from);
  clearInterval(stopper);
  await nft(`delete element ip nftlane service-ips { ${KEY} }`);
  await waitForRepair(t, desired);
  t.not(await monitorPid(node1), pid);
});

t.test('a contest with another process is held back and reported, and its end repaired', async (t) => {
  const daemon = proxied.daemon('node1');
  const desired = await ruleset();
  const from = daemon.log.length;
  const loop = 'while nft insert rule ip nftlane nodeports counter; do sleep 0.02; done';
  const fighter = node1.spawn('sh', ['-c', loop]);
  const contested = await daemon.waitForLog(CONTESTED, from);
  t.match(contested, { level: 'error', repairs: 11, waitMs: 200 });
  const doctor = await proxied.run('node1', 'doctor', '-o', 'json');
  t.match(doctor.stdout, /has undone \d+ repairs of the ruleset in a row/);
  process.kill(-(fighter.pid ?? 0), 'SIGKILL');
  await waitForRepair(t, desired, MAX_WAIT_MS + REPAIR_LIMIT_MS);
  const repairs = daemon.log.slice(from).filter(({ msg, operations }) => msg === 'synced' && Number(operations) > 0);
  t.ok(repairs.length < 40, `${repairs.length} repairs`);
  t.notOk(
    daemon.log.some(({ msg }) => msg.startsWith('accepting the form')),
    'a rule of the other is never ours',
  );
});
