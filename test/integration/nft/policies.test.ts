// Tests with real packets: choice of endpoints, session affinity, source ranges and traffic policies.

import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { familyOf } from '../../../src/net/address.ts';
import { clusterIps } from '../../support/builders/service.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import { serviceAddresses } from '../../support/netns/manifests.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { createProxiedWorld, PORTS } from '../../support/netns/proxied-world.ts';
import { type Addresses, CLIENT, NODES, type NodeName } from '../../support/netns/topology.ts';
import type { Dialer } from '../../support/netns/traffic/dialer-process.ts';
import { sendInvalidSegment } from '../../support/netns/traffic/invalid-segment.ts';
import type { DialReport, Transport } from '../../support/netns/traffic/programs/messages.ts';
import type { PairReport } from '../../support/netns/traffic/udp-pair-client.ts';

type Family = keyof Addresses;

const FAMILIES: readonly Family[] = ['ip', 'ip6'];
const FLOWS = (['tcp', 'udp'] as const).flatMap((protocol) => FAMILIES.map((family) => ({ protocol, family })));
const PAIR_CLIENT = fileURLToPath(new URL('../../support/netns/traffic/udp-pair-client.ts', import.meta.url));
const VIP: Addresses = { ip: '198.51.100.8', ip6: '2001:db8:7::8' };

/** Additional addresses of the client, each a different client for the nodes. */
const CLIENTS: readonly Addresses[] = Array.from({ length: 40 }, (_, index) => ({
  ip: CLIENT.ip.replace(/100$/, `${101 + index}`),
  ip6: CLIENT.ip6.replace(/100$/, `${101 + index}`),
}));

t.setTimeout(120_000);
const proxied = await createProxiedWorld(t);
const { world } = proxied;
const { client, node1 } = world;
const shell = world.pod('shell');
const far = world.pod('far');
await client.configure(
  CLIENTS.flatMap(({ ip, ip6 }) => [`address add ${ip}/24 dev lan`, `address add ${ip6}/64 dev lan nodad`]),
);
const dialers = new Map<Namespace, Promise<Dialer>>();

async function dial(from: Namespace, request: Parameters<Dialer['dial']>[0]): Promise<DialReport> {
  const dialer = dialers.get(from) ?? from.dialer();
  dialers.set(from, dialer);
  return (await dialer).dial(request);
}

/** A frontend of a Service. */
interface DialTarget {
  readonly protocol: Transport;
  readonly address: string;
  readonly port: number;
}

/** The pods that answer the client. Checks that all its connections are answered. */
async function podsOf(t: Test, target: DialTarget, count: number, source: Addresses = CLIENT): Promise<string[]> {
  const report = await dial(client, { ...target, sourceAddress: source[familyOf(target.address)], count });
  t.equal(report.answered, count, `${target.protocol} ${target.address} answers ${JSON.stringify(report.errors)}`);
  return Object.keys(report.pods).sort();
}

/** The pod that answers each client. */
function podOfEach(t: Test, target: DialTarget): Promise<string[]> {
  return Promise.all(CLIENTS.map(async (client) => (await podsOf(t, target, 1, client)).join()));
}

function withNodePort(nodePort: number) {
  return PORTS.map((port) => ({ ...port, nodePort }));
}

function affinity(timeoutSeconds: number): ApiObject {
  return { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds } } };
}

function annotated(annotations: ApiObject): ApiObject {
  return { metadata: { annotations } };
}

/** The affinity map of a Service port on the first node. */
function affinityEntries(name: string, { protocol, family }: { protocol: Transport; family: Family }): Promise<string> {
  return node1.output('nft', ['list', 'map', family, 'nftlane', `affinity/${name}/${protocol}/${protocol}`]);
}

/** Retries for a second: the daemon does some things right after its elements are in place. */
async function eventually(check: () => Promise<boolean>): Promise<boolean> {
  for (const deadline = performance.now() + 1000; ; await delay(30)) {
    if (await check()) return true;
    if (performance.now() > deadline) return false;
  }
}

function addSticky(seconds: number, pods: readonly string[] = ['a', 'b', 'c']): Promise<Addresses> {
  const overrides = { spec: seconds === 0 ? { sessionAffinity: 'None' } : affinity(seconds) };
  return proxied.addService('shop/sticky', 20, { pods, ports: withNodePort(30020), overrides });
}

t.test('a client with affinity reaches the same endpoint through every frontend', async (t) => {
  const at = await addSticky(100);
  await proxied.waitForSync();
  const kept = new Map<string, string>();
  for (const { protocol, family } of FLOWS) {
    const about = `${protocol} ${family}`;
    const byIp = { protocol, address: at[family], port: 80 };
    const [pod = ''] = await podsOf(t, byIp, 1);
    kept.set(about, pod);
    t.strictSame(await podsOf(t, byIp, 199), [pod], about);
    const byNodePort = { protocol, address: NODES.node1[family], port: 30020 };
    t.strictSame(await podsOf(t, byNodePort, 200), [pod], `${about}, node port`);
    t.equal(new Set(await podOfEach(t, byIp)).size, 3, `${about}: clients spread`);
  }

  const daemon = await proxied.restart('node1');
  await daemon.waitForLog('ruleset complete');
  await proxied.waitForSync();
  for (const { protocol, family } of FLOWS) {
    const about = `${protocol} ${family}`;
    const found = await podsOf(t, { protocol, address: at[family], port: 80 }, 20);
    t.strictSame(found, [kept.get(about)], `${about}: after a restart`);
  }
});

t.test('a client whose endpoint was removed gets another one and keeps it', async (t) => {
  const at = await addSticky(100);
  const flow = { protocol: 'tcp', family: 'ip' } as const;
  const target = { protocol: 'tcp', address: at.ip, port: 80 } as const;
  await proxied.waitForSync();
  const [removed = ''] = await podsOf(t, target, 1);
  const before = await podOfEach(t, target);
  const { ip } = world.pod(removed);
  t.match(await affinityEntries('shop/sticky', flow), `: ${ip} . 8080`);
  const left = ['a', 'b', 'c'].filter((pod) => pod !== removed);
  await proxied.setEndpoints('shop/sticky', left);
  await proxied.waitForSync();
  t.ok(
    await eventually(async () => !(await affinityEntries('shop/sticky', flow)).includes(`${ip} .`)),
    'its affinity entries are removed',
  );
  const [next = ''] = await podsOf(t, target, 1);
  t.ok(left.includes(next));
  t.strictSame(await podsOf(t, target, 50), [next]);
  const after = await podOfEach(t, target);
  const moved = before.filter((pod, index) => pod !== removed && pod !== after[index]);
  t.strictSame(moved, [], 'clients of other endpoints keep them');
  await proxied.setEndpoints('shop/sticky', ['a', 'b', 'c']);
  await proxied.waitForSync();
  t.strictSame(await podsOf(t, target, 50), [next], 'they keep it when the removed endpoint is back');
});

t.test('a changed affinity timeout applies immediately, and disabled affinity leaves nothing behind', async (t) => {
  const at = await addSticky(100);
  const target = { protocol: 'udp', address: at.ip6, port: 80 } as const;
  await proxied.waitForSync();
  const pods = await podsOf(t, target, 1);
  await addSticky(7200);
  await proxied.waitForSync();
  t.strictSame(await podsOf(t, target, 10), pods);
  const listed = await affinityEntries('shop/sticky', { protocol: 'udp', family: 'ip6' });
  // Kernels differ in whether the element's timeout is updated, but not in its expiration.
  t.match(listed, new RegExp(`${CLIENT.ip6} timeout \\w+ expires 1h59m`));
  const chains = () => node1.output('nft', ['-t', 'list', 'ruleset']);
  t.ok(
    await eventually(async () => !(await chains()).includes('affinity-update-100/')),
    'the chain with the old timeout is removed',
  );
  t.match(await chains(), 'affinity-update-7200/shop/sticky/udp/udp');
  await addSticky(0);
  await proxied.waitForSync();
  t.ok(
    await eventually(async () => !/sticky[-/]|affinity-update-\d/.test(await chains())),
    'chains and maps are removed',
  );
  t.equal((await podsOf(t, target, 60)).length, 3, 'connections spread');
});

t.test('affinity to a remote endpoint does not apply where only local ones may be used', async (t) => {
  const spec = { ...affinity(100), internalTrafficPolicy: 'Local' };
  const given = { pods: ['a', 'c'], ports: withNodePort(30029), overrides: { spec } };
  const at = await proxied.addService('shop/inner', 29, given);
  await proxied.waitForSync();
  const byNodePort = { protocol: 'tcp', address: NODES.node1.ip, port: 30029 } as const;
  const before = await podOfEach(t, byNodePort);
  t.equal(new Set(before).size, 2);
  t.strictSame(new Set(await podOfEach(t, { protocol: 'tcp', address: at.ip, port: 80 })), new Set(['a']));
  t.strictSame(await podOfEach(t, byNodePort), before);
});

t.test('an affinity entry expires without use, and is refreshed by use', async (t) => {
  const at = await proxied.addService('shop/short', 21, { pods: ['a', 'b', 'c'], overrides: { spec: affinity(2) } });
  await proxied.waitForSync();
  const target = { protocol: 'tcp', address: at.ip, port: 80 } as const;
  const isRemembered = async () =>
    (await affinityEntries('shop/short', { protocol: 'tcp', family: 'ip' })).includes(`${CLIENT.ip} `);
  const pods = await podsOf(t, target, 1);
  for (let used = 0; used < 3; used++) {
    await delay(1000);
    t.strictSame(await podsOf(t, target, 1), pods, 'use refreshes the entry');
  }
  t.ok(await isRemembered());
  await delay(2300);
  t.notOk(await isRemembered(), 'it expires after two idle seconds');
});

t.test('with source-hash a client keeps its endpoint without an affinity entry', async (t) => {
  const overrides = annotated({ 'nftlane.io/balance': 'source-hash' });
  const at = await proxied.addService('shop/hash', 22, { pods: ['a', 'b', 'c'], overrides });
  await proxied.waitForSync();
  for (const { protocol, family } of FLOWS) {
    const target = { protocol, address: at[family], port: 80 };
    const first = await podOfEach(t, target);
    t.equal(new Set(first).size, 3, `${protocol} ${family}: clients spread`);
    t.strictSame(await podOfEach(t, target), first, `${protocol} ${family}: the same again`);
    t.equal((await podsOf(t, target, 50)).length, 1, `${protocol} ${family}: fifty connections`);
  }
});

t.test('with maglev all nodes choose the same endpoints, and few clients move', async (t) => {
  // Each port of each address has 4,000 slots, so one family is enough.
  const spec = clusterIps(serviceAddresses(23).ip);
  const overrides = { ...annotated({ 'nftlane.io/balance': 'maglev' }), spec };
  const given = { ports: withNodePort(30023).slice(0, 1), overrides };
  await proxied.addService('shop/maglev', 23, { pods: ['a', 'b', 'c'], ...given });
  await proxied.waitForSync();
  const at = (node: NodeName) => ({ protocol: 'tcp', address: NODES[node].ip, port: 30023 }) as const;
  const before = await podOfEach(t, at('node1'));
  t.equal(new Set(before).size, 3, 'clients spread');
  t.strictSame(await podOfEach(t, at('node2')), before, 'from either node');
  await proxied.setEndpoints('shop/maglev', ['a', 'c']);
  await proxied.waitForSync();
  const after = await podOfEach(t, at('node1'));
  const moved = before.filter((pod, index) => pod !== 'b' && pod !== after[index]);
  t.ok(moved.length <= 2, `${moved.length} clients of other endpoints moved`);
  t.notOk(after.includes('b'));
  await proxied.remove('shop-maglev.yaml');
});

t.test('weights determine shares', async (t) => {
  const { ip, ip6 } = world.pod('a');
  const overrides = annotated({ 'nftlane.io/weights': `${ip}=3,${ip6}=3` });
  const at = await proxied.addService('shop/weights', 24, { pods: ['a', 'c'], overrides });
  await proxied.waitForSync();
  for (const { protocol, family } of FLOWS) {
    const { answered, pods } = await dial(client, { protocol, address: at[family], port: 80, count: 400 });
    t.equal(answered, 400);
    // Four standard deviations, each 8.7.
    t.ok(Math.abs((pods['a'] ?? 0) - 300) < 35, `${protocol} ${family}: ${JSON.stringify(pods)}`);
  }
});

t.test('two datagrams in a row from a new socket reach the same endpoint', async (t) => {
  const at = await proxied.addService('shop/dns', 25, { pods: ['a', 'b', 'c'] });
  await proxied.waitForSync();
  for (const from of [client, node1]) {
    for (const family of FAMILIES) {
      const out = await from.output(process.execPath, [PAIR_CLIENT, at[family], '80', '300']);
      const report: PairReport = JSON.parse(out);
      t.strictSame(report, { sameBackend: 300, differentBackends: 0, lost: 0 }, `${from.name} ${family}`);
    }
  }
});

const WEB_PORT = 30026;

/** Adds a Service with a load balancer IP and these source ranges. */
function addRestricted(loadBalancerSourceRanges: readonly string[]): Promise<Addresses> {
  const overrides = {
    spec: { type: 'LoadBalancer', loadBalancerSourceRanges },
    status: { loadBalancer: { ingress: Object.values(VIP).map((ip) => ({ ip })) } },
  };
  return proxied.addService('shop/restricted', 26, { pods: ['a', 'c'], ports: withNodePort(WEB_PORT), overrides });
}

/** Which of these clients are admitted at the load balancer IP. */
async function admitted(family: Family): Promise<Record<'first' | 'second' | 'pod' | 'node', boolean>> {
  const target = { protocol: 'tcp', address: VIP[family], port: 80, timeoutMs: 150, count: 2 } as const;
  const sourceAddress = CLIENTS[0]?.[family] ?? '';
  const reports = await Promise.all([
    dial(client, { ...target, sourceAddress: CLIENT[family] }),
    dial(client, { ...target, sourceAddress }),
    dial(shell, target),
    dial(node1, target),
  ]);
  const [first = false, second = false, pod = false, node = false] = reports.map(({ answered }) => answered === 2);
  return { first, second, pod, node };
}

const ALL = { first: true, second: true, pod: true, node: true };
const NONE = { first: false, second: false, pod: false, node: false };
const RANGES: readonly [ranges: string[], ip: typeof ALL, ip6: typeof ALL][] = [
  [[`${CLIENT.ip}/32`, `${CLIENT.ip6}/128`], { ...NONE, first: true }, { ...NONE, first: true }],
  [['10.1.0.0/16', '10.1.0.0/24', '10.1.1.0/24', '10.1.1.9/32'], { ...NONE, pod: true }, ALL],
  [['fd00:1::/32', 'fd00:1:1::/48', 'fd00:1:1::/64', 'fd00:1:1::9/128'], ALL, { ...NONE, pod: true }],
  [[`${CLIENT.ip}/32`, '0.0.0.0/0'], ALL, ALL],
  [[`${CLIENT.ip6}/128`, '::/0'], ALL, ALL],
  [['nowhere', '192.168.300.0/24'], ALL, ALL],
];

t.test('a load balancer IP admits its source ranges', async (t) => {
  for (const [ranges, ip, ip6] of RANGES) {
    await addRestricted(ranges);
    await proxied.waitForSync();
    t.strictSame(await admitted('ip'), ip, `${ranges}`);
    t.strictSame(await admitted('ip6'), ip6, `${ranges}, IPv6`);
  }
  const at = await addRestricted(['203.0.113.0/24', '2001:db8:9::/64']);
  await proxied.waitForSync();
  for (const { protocol, family } of FLOWS) {
    await podsOf(t, { protocol, address: at[family], port: 80 }, 3);
    await podsOf(t, { protocol, address: NODES.node1[family], port: WEB_PORT }, 3);
    const closed = { protocol, address: VIP[family], port: 80, count: 2, timeoutMs: 150 };
    t.match(
      await dial(client, closed),
      { timedOut: 2 },
      `${protocol} ${family}: only the load balancer IP is restricted`,
    );
  }
});

t.test('changes of source ranges do not affect clients inside them', async (t) => {
  await addRestricted(['192.168.0.0/16', 'fd00:70::/28']);
  await proxied.waitForSync();
  const dialer = await client.dialer();
  const flows = await Promise.all(
    FAMILIES.map((family) => dialer.dialAtRate({ protocol: 'tcp', address: VIP[family], port: 80, perSecond: 200 })),
  );
  for (const ranges of [
    ['192.0.0.0/8', 'fd00:70::/28'],
    ['192.168.0.0/16', 'fd00:77::/32'],
    ['192.168.77.0/24', 'fd00:77::/64'],
  ]) {
    await addRestricted(ranges);
    await proxied.waitForSync();
    for (const family of FAMILIES) t.strictSame(await admitted(family), { ...ALL, pod: false }, `${family} ${ranges}`);
  }
  for (const flow of flows) {
    const report = await flow.stop();
    t.match(report, { answered: report.attempts, refused: 0, timedOut: 0, errors: {} });
  }
});

t.test('strict source ranges admit no client if they cannot be parsed', async (t) => {
  await addRestricted(['nowhere']);
  await proxied.restart('node1', '--strict-source-ranges');
  await proxied.waitForSync();
  t.strictSame([await admitted('ip'), await admitted('ip6')], [NONE, NONE]);
  await addRestricted([`${CLIENT.ip}/32`]);
  await proxied.waitForSync();
  t.strictSame([await admitted('ip'), await admitted('ip6')], [{ ...NONE, first: true }, NONE]);
  await proxied.restart('node1');
  await proxied.waitForSync();
  t.strictSame(await admitted('ip6'), ALL);
});

t.test("a remote pod reaches an endpoint on its own node through this node's port", async (t) => {
  const overrides = { spec: { externalTrafficPolicy: 'Local' } };
  for (const pods of [['c'], ['a', 'c']]) {
    await proxied.addService('shop/far', 27, { pods, ports: withNodePort(30027), overrides });
    await proxied.waitForSync();
    for (const { protocol, family } of FLOWS) {
      const report = await dial(far, { protocol, address: NODES.node1[family], port: 30027, count: 20 });
      t.match(report, { answered: 20 }, `${protocol} ${family} to ${pods}: ${JSON.stringify(report)}`);
    }
  }
});

t.test('a segment outside the window does not reset the connection', async (t) => {
  const at = await proxied.addService('shop/window', 28, { pods: ['a'] });
  await proxied.waitForSync();
  // Of the same node, which translates the flow and has seen all of it.
  const dialer = await shell.dialer();
  for (const [n, family] of FAMILIES.entries()) {
    const sourcePort = 45678 + n;
    const target = { protocol: 'tcp', address: at[family], port: 80 } as const;
    const kept = await dialer.keepConnection({ ...target, sourcePort, everyMs: 250, timeoutMs: 5000 });
    for (let sent = 0; sent < 2; sent++) {
      const isSent = await sendInvalidSegment(world.pod('a'), 8080, sourcePort);
      if (!isSent) t.comment('this needs Python');
    }
    await kept.snapshot();
    const report = await kept.stop();
    t.match(
      report,
      { answered: report.attempts, pods: { a: report.attempts } },
      `${family}: every request was answered`,
    );
  }
});
