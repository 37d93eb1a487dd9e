// UDP flows with a real daemon and conntrack: stale flows move, and other flows are not affected.

import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { familyOf } from '../../../src/net/address.ts';
import { FAMILY_TRAITS } from '../../../src/net/family.ts';
import { loadFactor } from '../../support/load-factor.ts';
import { createProxiedWorld, PORTS } from '../../support/netns/proxied-world.ts';
import { type Addresses, NODES } from '../../support/netns/topology.ts';
import type { DialReport, Transport } from '../../support/netns/traffic/programs/messages.ts';

const DELETED = 'deleted stale UDP conntrack entries';
const NODE_PORT = 30080;
const OTHER_NODE_PORT = 30081;
const SLOW_NODE_PORT = 30082;
const EXTERNAL: Addresses = { ip: '198.51.100.7', ip6: '2001:db8:7::7' };
const FAMILIES = ['ip', 'ip6'] as const;
/**
 * The time within which a flow must move: half of it is enough on a quiet machine. Without the cleanup a flow never moves:
 * its datagrams renew the conntrack entry, which lives 30 s or more.
 */
const LIMIT_MS = 1000 * loadFactor();
/** For flows that must not be affected: a late reply is not a loss. */
const LONG_TIMEOUT_MS = 10_000;

const proxied = await createProxiedWorld(t);
const { world } = proxied;
const { client, node1 } = world;
const [dialer] = await Promise.all([client.dialer(), world.pod('a').respond({ udp: [NODE_PORT] })]);

t.test('a flow moves from a removed endpoint to another, on the same socket', async (t) => {
  const at = await proxied.addService('shop/web', 20, { pods: ['a', 'b', 'c'] });
  await proxied.waitForSync();
  for (const family of FAMILIES) {
    const flow = await keep('udp', at[family]);
    const [pod = ''] = Object.keys((await flow.snapshot()).pods);
    await proxied.setEndpoints(
      'shop/web',
      ['a', 'b', 'c'].filter((name) => name !== pod),
    );
    const ms = await until(flow, ({ pods }) => Object.keys(pods).length > 1);
    t.ok(ms < LIMIT_MS, `${family}: ${ms} ms`);
    const { pods, refused } = await flow.stop();
    t.equal(Object.keys(pods).length, 2, 'it moved once');
    t.equal(refused, 0);
    await proxied.setEndpoints('shop/web', ['a', 'b', 'c']);
    await proxied.waitForSync();
  }
});

t.test('a flow is rejected without endpoints, and served when there is an endpoint again', async (t) => {
  const at = await proxied.addService('shop/down', 21, { pods: ['a'] });
  await proxied.waitForSync();
  for (const family of FAMILIES) {
    const flow = await keep('udp', at[family]);
    await proxied.setEndpoints('shop/down', []);
    const downMs = await until(flow, ({ refused }) => refused > 0);
    t.ok(downMs < LIMIT_MS, `${family}: refused after ${downMs} ms`);
    t.strictSame(await entriesTo(at[family]), [], 'the entry is deleted');
    const from = (await flow.snapshot()).answered;
    await proxied.setEndpoints('shop/down', ['b']);
    const upMs = await until(flow, ({ answered }) => answered > from);
    t.ok(upMs < LIMIT_MS, `${family}: answered after ${upMs} ms`);
    await flow.stop();
    await proxied.setEndpoints('shop/down', ['a']);
    await proxied.waitForSync();
  }
});

t.test('the entries of a deleted Service are deleted', async (t) => {
  const at = await proxied.addService('shop/deleted', 22, { pods: ['a', 'c'] });
  await proxied.waitForSync();
  const { answered } = await dialer.dial({ protocol: 'udp', address: at.ip, port: 80, count: 20 });
  t.equal(answered, 20);
  t.equal((await entriesTo(at.ip)).length, 20);
  const from = proxied.daemon('node1').log.length;
  await Promise.all([proxied.remove('shop-deleted.yaml'), proxied.remove('shop-deleted-endpoints.yaml')]);
  const { count, reason } = await proxied.daemon('node1').waitForLog(DELETED, from);
  t.equal(count, 20);
  t.equal(reason, `${at.ip}:80 is no longer a frontend of shop/deleted:udp`);
  t.strictSame(await entriesTo(at.ip), []);
});

t.test('a flow that is older than its Service starts to work', async (t) => {
  const flow = await keep('udp', EXTERNAL.ip);
  t.equal((await entriesTo(EXTERNAL.ip)).length, 1);
  await proxied.addService('shop/late', 23, { pods: ['a'], overrides: { spec: { externalIPs: [EXTERNAL.ip] } } });
  const ms = await until(flow, ({ answered }) => answered > 0);
  t.ok(ms < LIMIT_MS, `${ms} ms`);
  await flow.stop();
});

t.test('a flow to a node port moves; flows to the same port of other addresses do not', async (t) => {
  const ports = PORTS.map((port) => ({ ...port, nodePort: NODE_PORT }));
  const direct = await keep('udp', world.pod('a').ip, { port: NODE_PORT, timeoutMs: LONG_TIMEOUT_MS });
  const [other] = await entriesTo(world.pod('a').ip);
  await proxied.addService('shop/node', 24, { pods: ['a'], ports });
  await proxied.waitForSync();
  const flow = await keep('udp', NODES.node1.ip, { port: NODE_PORT });
  t.strictSame(Object.keys((await flow.snapshot()).pods), ['a']);
  await proxied.setEndpoints('shop/node', ['c']);
  const ms = await until(flow, ({ pods }) => pods['c'] !== undefined);
  t.ok(ms < LIMIT_MS, `${ms} ms`);
  await flow.stop();
  t.ok(other);
  t.strictSame(await entriesTo(world.pod('a').ip), [other]);
  const { attempts, answered } = await direct.stop();
  t.equal(answered, attempts);
});

t.test('a flow that is older than its node port starts to work', async (t) => {
  const listening = await node1.respond({ udp: [OTHER_NODE_PORT] });
  const flow = await keep('udp', NODES.node1.ip, { port: OTHER_NODE_PORT });
  t.strictSame(Object.keys((await flow.snapshot()).pods), ['node1']);
  const ports = PORTS.map((port) => ({ ...port, nodePort: OTHER_NODE_PORT }));
  await proxied.addService('shop/port', 25, { pods: ['b'], ports });
  const ms = await until(flow, ({ pods }) => pods['b'] !== undefined);
  t.ok(ms < LIMIT_MS, `${ms} ms`);
  await flow.stop();
  await listening.stop();
});

t.test('a flow to a node port is not reversed by late replies of its previous server', async (t) => {
  const port = SLOW_NODE_PORT;
  const listening = await node1.respond({ udp: [port], delayMs: 400 });
  const flow = await keep('udp', NODES.node1.ip, { port });
  const ports = PORTS.map((servicePort) => ({ ...servicePort, nodePort: port }));
  await proxied.addService('shop/slow', 29, { pods: ['b'], ports });
  // Replies that were in transit when the flow was deleted arrive for 400 ms more, and recreate it in reverse.
  await until(flow, ({ pods }) => (pods['b'] ?? 0) > 20);
  const { pods } = await flow.stop();
  t.ok((pods['b'] ?? 0) > 20, JSON.stringify(pods));
  await listening.stop();
});

t.test('TCP connections keep their endpoint', async (t) => {
  const at = await proxied.addService('shop/tcp', 26, { pods: ['a'] });
  await proxied.waitForSync();
  const [tcp, udp] = [await keep('tcp', at.ip, { timeoutMs: LONG_TIMEOUT_MS }), await keep('udp', at.ip)];
  await proxied.setEndpoints('shop/tcp', ['b']);
  await until(udp, ({ pods }) => pods['b'] !== undefined);
  await udp.stop();
  await tcp.snapshot();
  const report = await tcp.stop();
  t.match(report, { answered: report.attempts, pods: { a: report.attempts } });
});

t.test('a restart of the daemon does not affect flows', async (t) => {
  const at = await proxied.addService('shop/steady', 27, { pods: ['a', 'b', 'c'] });
  await proxied.waitForSync();
  const flows = [];
  for (let n = 0; n < 10; n++)
    for (const family of FAMILIES) flows.push(await keep('udp', at[family], { timeoutMs: LONG_TIMEOUT_MS }));
  const before = [...(await entriesTo(at.ip)), ...(await entriesTo(at.ip6))];
  t.equal(before.length, 20);
  const daemon = await proxied.restart('node1');
  await daemon.waitForLog('ruleset complete');
  await proxied.addService('shop/next', 28, { pods: ['a'] });
  await proxied.waitForSync();
  await delay(700);
  t.strictSame([...(await entriesTo(at.ip)), ...(await entriesTo(at.ip6))].sort(), before.sort());
  for (const flow of flows) {
    const { attempts, answered, pods } = await flow.stop();
    t.equal(answered, attempts);
    t.equal(Object.keys(pods).length, 1);
  }
  t.strictSame(
    daemon.log.filter(({ msg, level }) => msg === DELETED || level === 'warn' || level === 'error'),
    [],
  );
});

/** A flow of the client that sends a request every 10 ms. */
function keep(protocol: Transport, address: string, { port = 80, timeoutMs = 100 } = {}) {
  return dialer.keepConnection({ protocol, address, port, everyMs: 10, timeoutMs });
}

/** The milliseconds until the condition holds for the flow. */
async function until(
  flow: { snapshot(): Promise<DialReport> },
  condition: (report: DialReport) => boolean,
): Promise<number> {
  const started = performance.now();
  const ms = (): number => Math.round(performance.now() - started);
  while (!condition(await flow.snapshot()) && ms() < 5 * LIMIT_MS) await delay(5);
  return ms();
}

/** The UDP entries of the first node to an address, with their ids, without counters and states. */
async function entriesTo(address: string): Promise<string[]> {
  const family = FAMILY_TRAITS[familyOf(address)].label.toLowerCase();
  const listing = await node1.output('conntrack', ['-L', '-p', 'udp', '-f', family, '--orig-dst', address, '-o', 'id']);
  return listing
    .split('\n')
    .filter((line) => line.startsWith('udp'))
    .map((line) => line.replace(/^udp\s+17 \d+ /, '').replace(/ \[\w+\]/g, ''));
}
