// Flows that began before the rules for them were there, or with an endpoint that does not answer: they recover.

import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Conntrack } from '../../../src/conntrack/conntrack.ts';
import type { ConntrackEntry } from '../../../src/conntrack/conntrack-entry.ts';
import { loadFactor } from '../../support/load-factor.ts';
import { createProxiedWorld, PORTS } from '../../support/netns/proxied-world.ts';
import { CLIENT, NODES } from '../../support/netns/topology.ts';
import type { DialReport, Target } from '../../support/netns/traffic/programs/messages.ts';
import { poll } from '../../support/wait-until.ts';

const DELETED = 'deleted stale TCP conntrack entries';
const LISTENING = 'listening to kernel notifications of ruleset changes';
const NODE_PORT = 30090;
const LOCAL_NODE_PORT = 30_091;
const EXTERNAL = { ip: '198.51.100.9', ip6: '2001:db8:51::7' };
/** The address of a load balancer whose Service has `externalTrafficPolicy: Local`. */
const LOCAL = { ip: '198.51.100.10', ip6: '2001:db8:51::8' };
/** In `externalIPs`. */
const UNBALANCED = { ip: '198.51.100.11', ip6: '2001:db8:51::9' };
const FAMILIES = ['ip', 'ip6'] as const;
const FAMILY_LABELS = { ip: 'ipv4', ip6: 'ipv6' };
/** Lets pod b answer no SYN. */
const DROP_SYN =
  'table inet test { chain in { type filter hook input priority 0; tcp flags & (syn | ack) == syn tcp dport 8080 drop; }; }';
const HALF_OPEN_PORT = 40_005;
/** Keeps the pod `shell` from completing a handshake. */
const DROP_SYN_ACK = `table inet test { chain in { type filter hook input priority 0; tcp flags & (syn | ack) == (syn | ack) tcp dport ${HALF_OPEN_PORT} drop; }; }`;
/** An address that no device has. */
const SILENT = '203.0.113.99';
/** Without a cleanup nothing recovers: each packet renews the entry. A SYN is repeated after 1, 2 and 4 seconds. */
const LIMIT_MS = 10_000 * loadFactor();

const proxied = await createProxiedWorld(t);
const { world } = proxied;
const { client, node1 } = world;
const shell = world.pod('shell');
const [fromClient, fromPod] = await Promise.all([client.dialer(), shell.dialer()]);
const daemon = proxied.daemon('node1');
await daemon.waitForLog(LISTENING);
// As the rules of most nodes do, this one makes the kernel track connections even while the tables of nftlane are gone.
await node1.output('nft', [
  'add table inet other; add chain inet other in { type filter hook forward priority 0; }; add rule inet other in ct state invalid counter',
]);
t.setTimeout(180_000);

// First, because other cleanups would have used the share of a core.
t.test('connections that another program translates do not keep the cleanup busy', async (t) => {
  const at = await proxied.addService('shop/foreign', 46, { pods: ['a'] });
  await proxied.waitForSync();
  const input = `table ip foreign { chain pre { type nat hook prerouting priority -150; ip daddr ${at.ip} dnat to ${SILENT}; }; }`;
  await node1.output('nft', ['-f', '-'], { input });
  const stop = new AbortController();
  const dials = dialUntil(stop.signal, { protocol: 'tcp', address: at.ip, port: 80, count: 2, timeoutMs: 100 });
  t.teardown(() => stop.abort());
  await waitForEntry(
    { protocol: 'tcp', address: at.ip },
    new RegExp(`SYN_SENT .* src=${SILENT.replaceAll('.', '\\.')} `),
  );
  const before = await cleanups();
  await proxied.setEndpoints('shop/foreign', ['a', 'b']);
  const ended = await settledCleanups(before);
  t.ok(ended - before <= 3, `${ended - before} cleanups`);
  stop.abort();
  await dials;
  await node1.output('nft', ['delete table ip foreign']);
});

t.test('flows that began while the tables were gone work again after the repair', async (t) => {
  const at = await proxied.addService('shop/flushed', 40, { pods: ['a', 'b'] });
  await proxied.waitForSync();
  const flows = FAMILIES.flatMap((family) =>
    (['tcp', 'udp'] as const).map((protocol) => ({ protocol, address: at[family], port: 80, sourcePort: 40_001 })),
  );
  daemon.signal('SIGSTOP');
  t.teardown(() => daemon.signal('SIGCONT'));
  await node1.output('nft', ['delete table ip nftlane; delete table ip6 nftlane']);
  const attempts = flows.map((flow) => repeat(flow));
  for (const { protocol, address } of flows) await waitForEntry({ protocol, address }, /\[UNREPLIED\]/);
  daemon.signal('SIGCONT');
  for (const { answered } of await Promise.all(attempts)) t.equal(answered, 1);
});

t.test('a connection whose endpoint does not answer moves to the next one when that endpoint is removed', async (t) => {
  const at = await proxied.addService('shop/silent', 41, { pods: ['b'] });
  await proxied.waitForSync();
  await world.pod('b').output('nft', ['-f', '-'], { input: DROP_SYN });
  const dials = FAMILIES.map((family) =>
    fromPod.dial({ protocol: 'tcp', address: at[family], port: 80, count: 1, sourcePort: 40_002, timeoutMs: LIMIT_MS }),
  );
  for (const family of FAMILIES) await waitForEntry({ protocol: 'tcp', address: at[family] }, /SYN_SENT/);
  await proxied.setEndpoints('shop/silent', ['a']);
  for (const { pods } of await Promise.all(dials)) t.strictSame(pods, { a: 1 });
  await world.pod('b').output('nft', ['delete table inet test']);
});

t.test('a connection to a load balancer address that is older than its Service reaches it', async (t) => {
  const targets = FAMILIES.map(
    (family) => ({ protocol: 'tcp', address: EXTERNAL[family], port: 80, sourcePort: 40_003 }) as const,
  );
  const dials = targets.map((target) => repeat(target, fromClient));
  for (const target of targets) await waitForEntry(target, /SYN_SENT|CLOSE/);
  const status = { loadBalancer: { ingress: targets.map(({ address }) => ({ ip: address })) } };
  await proxied.addService('shop/balanced', 42, { pods: ['a'], overrides: { spec: { type: 'LoadBalancer' }, status } });
  for (const { answered } of await Promise.all(dials)) t.equal(answered, 1);
});

t.test('a connection to a node port that is older than its Service reaches it', async (t) => {
  const targets = FAMILIES.map(
    (family) => ({ protocol: 'tcp', address: NODES.node1[family], port: NODE_PORT, sourcePort: 40_004 }) as const,
  );
  await node1.output('nft', ['-f', '-'], { input: dropResets(NODE_PORT) });
  const dials = targets.map((target) => repeat(target, fromClient));
  for (const target of targets) await waitForEntry(target, /SYN_SENT/);
  const ports = PORTS.map((port) => ({ ...port, nodePort: NODE_PORT }));
  await proxied.addService('shop/node', 43, { pods: ['a'], ports });
  for (const { answered } of await Promise.all(dials)) t.equal(answered, 1);
  await node1.output('nft', ['delete table inet test']);
});

t.test('connections from outside that are older than their Service reach it, also with the Local policy', async (t) => {
  const local = { externalTrafficPolicy: 'Local', healthCheckNodePort: 30_093, sessionAffinity: 'ClientIP' };
  const status = { loadBalancer: { ingress: FAMILIES.map((family) => ({ ip: LOCAL[family] })) } };
  await node1.output('nft', ['-f', '-'], { input: dropResets(LOCAL_NODE_PORT) });
  const targets = FAMILIES.flatMap((family) => [
    { protocol: 'tcp', address: UNBALANCED[family], port: 80, sourcePort: 40_006 } as const,
    { protocol: 'tcp', address: LOCAL[family], port: 80, sourcePort: 40_007 } as const,
    { protocol: 'tcp', address: NODES.node1[family], port: LOCAL_NODE_PORT, sourcePort: 40_008 } as const,
  ]);
  const dials = targets.map((target) => repeat(target, fromClient));
  for (const target of targets) await waitForEntry(target, /SYN_SENT|CLOSE/);
  const externalIPs = FAMILIES.map((family) => UNBALANCED[family]);
  await proxied.addService('shop/late', 47, { pods: ['a'], overrides: { spec: { externalIPs } } });
  await proxied.addService('shop/late-local', 48, {
    pods: ['a'],
    ports: PORTS.map((port) => ({ ...port, nodePort: LOCAL_NODE_PORT })),
    overrides: { spec: { type: 'LoadBalancer', ...local }, status },
  });
  for (const { answered } of await Promise.all(dials)) t.equal(answered, 1);
  await node1.output('nft', ['delete table inet test']);
});

t.test('connections from outside leave an endpoint that does not answer when it is removed', async (t) => {
  await world.pod('b').output('nft', ['-f', '-'], { input: DROP_SYN });
  const services = ['shop/late', 'shop/late-local'];
  for (const name of services) await proxied.setEndpoints(name, ['b']);
  await proxied.waitForSync();
  const targets = FAMILIES.flatMap((family) => [
    { protocol: 'tcp', address: UNBALANCED[family], port: 80, sourcePort: 40_010 } as const,
    { protocol: 'tcp', address: LOCAL[family], port: 80, sourcePort: 40_011 } as const,
    { protocol: 'tcp', address: NODES.node1[family], port: LOCAL_NODE_PORT, sourcePort: 40_012 } as const,
  ]);
  const dials = targets.map((target) => fromClient.dial({ ...target, count: 1, timeoutMs: LIMIT_MS }));
  for (const [index, target] of targets.entries()) {
    const endpoint = world.pod('b')[index < targets.length / 2 ? 'ip' : 'ip6'];
    await waitForEntry(target, new RegExp(`SYN_SENT .* src=${endpoint} `));
  }
  for (const name of services) await proxied.setEndpoints(name, ['a']);
  for (const { pods } of await Promise.all(dials)) t.strictSame(pods, { a: 1 });
  await world.pod('b').output('nft', ['delete table inet test']);
});

t.test('an established connection to a removed endpoint keeps its entry', async (t) => {
  const at = await proxied.addService('shop/kept', 44, { pods: ['a'] });
  await proxied.waitForSync();
  const kept = await fromPod.keepConnection({ protocol: 'tcp', address: at.ip, port: 80, everyMs: 20 });
  await proxied.setEndpoints('shop/kept', ['b']);
  await proxied.waitForSync();
  // A stale attempt to the same frontend shows that the cleanup has run.
  const from = daemon.log.length;
  const removed = world.pod('a').ip;
  await insertAttempt(at.ip, removed);
  await proxied.setEndpoints('shop/kept', ['b', 'c']);
  const reason = `${removed}:8080 is not an endpoint of ${at.ip}:80`;
  t.match(await daemon.waitForLog(DELETED, from), { count: 1, reason });
  await kept.snapshot();
  const { attempts, pods } = await kept.stop();
  t.strictSame(pods, { a: attempts });
});

t.test('a half-open connection to a removed endpoint keeps its entry, and is established', async (t) => {
  const at = await proxied.addService('shop/half-open', 45, { pods: ['a'] });
  await proxied.waitForSync();
  await shell.output('nft', ['-f', '-'], { input: DROP_SYN_ACK });
  const target = { protocol: 'tcp', address: at.ip, port: 80, sourcePort: HALF_OPEN_PORT } as const;
  const dial = fromPod.dial({ ...target, count: 1, timeoutMs: LIMIT_MS });
  await waitForEntry(target, /SYN_RECV/);
  await proxied.setEndpoints('shop/half-open', ['b']);
  await proxied.waitForSync();
  const from = daemon.log.length;
  await insertAttempt(at.ip, world.pod('a').ip);
  await proxied.setEndpoints('shop/half-open', ['b', 'c']);
  t.match(await daemon.waitForLog(DELETED, from), { count: 1 }, 'the cleanup has run');
  await waitForEntry(target, /SYN_RECV/);
  await shell.output('nft', ['delete table inet test']);
  t.strictSame((await dial).pods, { a: 1 });
});

t.test('20,000 attempts to a removed endpoint are deleted, and no others', async (t) => {
  const at = await proxied.addService('shop/many', 49, { pods: ['b', 'c'] });
  await proxied.waitForSync();
  const attempts = FAMILIES.flatMap((family) => {
    const [source, removed, remaining] = [CLIENT[family], world.pod('b')[family], world.pod('c')[family]];
    const insert = (endpoint: string) => (_: unknown, index: number) =>
      `-I ${attemptOptions({ source, frontend: at[family], endpoint, port: index + 1 }).join(' ')}\n`;
    return [...Array.from({ length: 10_000 }, insert(removed)), insert(remaining)(undefined, 60_000)];
  });
  const file = join(t.testdir(), 'attempts');
  await writeFile(file, attempts.join(''));
  await node1.output('conntrack', ['-R', file]);
  await proxied.setEndpoints('shop/many', ['c']);
  // Each family is deleted by a run of its own; the second one may wait for its share of a core.
  for (const family of FAMILIES) {
    const removed = world.pod('b')[family];
    await poll(
      () => node1.output('conntrack', ['-L', '-p', 'tcp', '-f', FAMILY_LABELS[family], '--orig-dst', at[family]]),
      {
        until: (listing) => !listing.includes(` src=${removed} `),
        failure: (listing) => `${listing.split('\n').length} attempts are left`,
        timeoutMs: 6 * LIMIT_MS,
        everyMs: 500,
      },
    );
    await waitForEntry({ protocol: 'tcp', address: at[family] }, /SYN_SENT .* sport=60001 /);
  }
});

t.test('an attempt that is answered between listing and deletion is not deleted', async (t) => {
  const wrapper = join(t.testdir(), 'conntrack');
  await writeFile(wrapper, `#!/bin/sh\nexec ip netns exec ${client.name} conntrack "$@"\n`);
  await chmod(wrapper, 0o755);
  const conntrack = new Conntrack({ command: wrapper });
  const tuple = ['-p', 'tcp', '-s', '203.0.113.1', '-d', '203.0.113.2', '--sport', '1000', '--dport', '80'];
  const list = async (): Promise<ConntrackEntry[]> => {
    const entries: ConntrackEntry[] = [];
    await conntrack.listAttempts(FAMILIES, (entry) => entries.push(entry));
    return entries.filter(({ original }) => original.destination === '203.0.113.2');
  };
  await client.output('conntrack', ['-I', ...tuple, '--state', 'SYN_SENT', '--timeout', '60']);
  const [first] = await list();
  t.ok(first);
  if (first === undefined) return;
  await client.output('conntrack', ['-U', ...tuple, '--state', 'ESTABLISHED', '--status', 'SEEN_REPLY']);
  for (const count of [1, 2]) t.equal(await conntrack.delete({ first, count, reason: '' }), 0);
  t.match(await client.output('conntrack', ['-L', ...tuple]), /ESTABLISHED/);
  await client.output('conntrack', ['-D', ...tuple]);
});

/** Drops what the node itself answers, before it is tracked: a reset would end the entry. */
function dropResets(port: number): string {
  return `table inet test { chain out { type filter hook output priority -400; tcp sport ${port} drop; }; }`;
}

/** Dials from the same port until it is answered, and returns the last report. */
async function repeat(target: Target, dialer = fromPod): Promise<DialReport> {
  return poll(() => dialer.dial({ ...target, count: 1, timeoutMs: 900 }), {
    until: ({ answered }) => answered === 1,
    failure: (report) => `${target.protocol} to ${target.address} gets no answer: ${JSON.stringify(report)}`,
    timeoutMs: 2 * LIMIT_MS,
    everyMs: 50,
  });
}

/** Inserts a conntrack entry of the first node: an attempt that was translated to an endpoint. */
async function insertAttempt(frontend: string, endpoint: string): Promise<void> {
  await node1.output('conntrack', ['-I', ...attemptOptions({ source: CLIENT.ip, frontend, endpoint, port: 1000 })]);
}

interface Attempt {
  readonly source: string;
  readonly frontend: string;
  readonly endpoint: string;
  /** The client's. */
  readonly port: number;
}

function attemptOptions({ source, frontend, endpoint, port }: Attempt): string[] {
  const tuple = ['-p', 'tcp', '-s', source, '-d', frontend, '--dport', '80', '-r', endpoint, '-q', source];
  const ports = ['--sport', `${port}`, '--reply-port-dst', `${port}`, '--reply-port-src', '8080'];
  return [...tuple, ...ports, '--state', 'SYN_SENT', '--timeout', '300'];
}

/** Begins connections from new ports until the signal aborts. */
async function dialUntil(signal: AbortSignal, request: Target & { readonly count: number }): Promise<void> {
  while (!signal.aborted) await fromPod.dial(request);
}

/** The number of TCP cleanups that the daemon has completed. */
async function cleanups(): Promise<number> {
  const metrics = await node1.output('curl', ['-s', 'http://127.0.0.1:10249/metrics']);
  return Number(/^nftlane_conntrack_tcp_cleanup_duration_seconds_count (\d+)$/m.exec(metrics)?.[1]);
}

/**
 * The number of TCP cleanups when there have been more than `before`, and then none for three seconds: without end, one would
 * take at most two.
 */
async function settledCleanups(before: number): Promise<number> {
  const seen = { count: before, at: 0 };
  await poll(cleanups, {
    until: (count) => {
      if (count !== seen.count) Object.assign(seen, { count, at: performance.now() });
      return seen.count > before && performance.now() - seen.at > 3000 * loadFactor();
    },
    failure: (count) => `cleanups do not end: ${count}`,
    timeoutMs: 3 * LIMIT_MS,
    everyMs: 100,
  });
  return seen.count;
}

/** Waits for an entry of the first node. */
async function waitForEntry({ protocol, address }: Pick<Target, 'protocol' | 'address'>, state: RegExp): Promise<void> {
  const family = address.includes(':') ? 'ipv6' : 'ipv4';
  await poll(() => node1.output('conntrack', ['-L', '-p', protocol, '-f', family, '--orig-dst', address]), {
    until: (listing) => state.test(listing),
    failure: (listing) => `no entry of ${protocol} to ${address} is ${state}: ${listing}`,
    timeoutMs: LIMIT_MS,
    everyMs: 20,
  });
}
