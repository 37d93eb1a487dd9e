// Tests pods with a qdisc that shapes the packets sent to them: the fast path serves them through the qdisc.

import t from 'tap';
import type { FastPathStatus } from '../../../src/fastpath/status/fast-path-status.ts';
import { createFastPathWorld, NODE_PORT, TARGET_PORT } from '../../support/fastpath/fast-path-world.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { NODES } from '../../support/netns/topology.ts';

t.setTimeout(110_000);
const fast = await createFastPathWorld();
t.teardown(() => fast.close());
const { world } = fast;
const [bridged] = await fast.addBridge();
if (bridged === undefined) throw new Error('Cannot start: the bridge must have a pod');
const pods = { a: world.pod('a'), b: world.pod('b'), c: bridged };
const PORTS = { a: NODE_PORT, b: NODE_PORT + 1, c: NODE_PORT + 2 };
await Promise.all(Object.values(pods).map((pod) => pod.respond({ tcp: [TARGET_PORT], udp: [TARGET_PORT] })));
for (const [n, name] of (['a', 'b', 'c'] as const).entries())
  await fast.writeService(`shop/${name}`, n + 1, { pods: [pods[name]], nodePort: PORTS[name] });
const dialer = await world.client.dialer();

/** Not a limit for this test. */
const FAST_TBF = 'rate 1gbit burst 1mb latency 50ms';
/** 1 kB/s with a burst of 10 kB: most of the datagrams do not get through during the test. */
const SLOW_TBF = 'rate 8kbit burst 10kb limit 6kb';
const DATAGRAMS = 200;
/** Classic BPF with one instruction: drop. */
const DROP = '1,6 0 0 2,';

interface Qdisc {
  readonly packets: number;
  readonly drops: number;
}

async function setTbf(device: string, options: string): Promise<void> {
  await world.node1.output('tc', `qdisc replace dev ${device} root tbf ${options}`.split(' '));
}

async function qdiscOf(device: string): Promise<Qdisc> {
  const text = await world.node1.output('tc', ['-s', '-j', 'qdisc', 'show', 'dev', device, 'root']);
  return JSON.parse(text)[0];
}

/** Counts the UDP datagrams that the pod received. */
async function received(pod: Namespace): Promise<number> {
  const lines = (await pod.output('cat', ['/proc/net/snmp'])).split('\n').filter((line) => line.startsWith('Udp:'));
  const [names = [], values = []] = lines.map((line) => line.split(' '));
  return Number(values[names.indexOf('InDatagrams')]);
}

/** Whether packets to pod a are sent out through its device. */
function usesPodDevice({ frontends }: FastPathStatus): boolean {
  const served = frontends.filter(({ name }) => name.startsWith('shop/a'));
  return served.length > 0 && served.every(({ backends }) => backends[0]?.endsWith('(through its qdisc or filter)'));
}

t.test('the fast path serves a routed pod with a qdisc, and every packet passes the qdisc', async (t) => {
  await setTbf('pod-b', FAST_TBF);
  await setTbf('port-c', FAST_TBF);
  await fast.startDaemon('--fast-path', 'required');
  const view = await fast.waitFor('routed pods are served', ({ frontends }) => frontends.length === 8);
  for (const { name, backends } of view.frontends)
    for (const backend of backends)
      t.equal(/ \(through its qdisc or filter\)$/.test(backend), name.startsWith('shop/b'), backend);
  t.strictSame(
    view.skipped.map(({ name, cause, reason }) => `${name} ${cause} ${reason.replace(/^\S+ /, '')}`).sort(),
    ['tcp', 'tcp', 'udp', 'udp'].map((port) => `shop/c:${port} pod port-c: it has qdisc tbf`),
  );
  const before = { qdisc: await qdiscOf('pod-b'), taken: await fast.countReasons('FORWARDED', 'CREATED', 'REMAPPED') };
  for (const protocol of ['tcp', 'udp'] as const) {
    for (const family of ['ip', 'ip6'] as const) {
      const target = { protocol, address: NODES.node1[family], port: PORTS.b, count: 20 };
      const report = await dialer.dial(target);
      t.equal(report.answered, 20, `${protocol} ${family}: ${JSON.stringify(report)}`);
      t.strictSame(report.clients, [world.client[family]]);
    }
  }
  t.equal(await fast.conntrackCount(PORTS.b), 0, 'conntrack has no entry');
  const taken = (await fast.countReasons('FORWARDED', 'CREATED', 'REMAPPED')) - before.taken;
  t.ok(taken >= 20 * 2 * (3 + 1), `${taken} packets taken`);
  const queued = (await qdiscOf('pod-b')).packets - before.qdisc.packets;
  t.ok(queued >= taken, `${queued} of ${taken} passed the qdisc`);
  const bridgedReport = await dialer.dial({ protocol: 'tcp', address: NODES.node1.ip, port: PORTS.c, count: 10 });
  t.equal(bridgedReport.answered, 10, 'nftables serves the pod behind the bridge');
});

t.test('the qdisc shapes packets of the fast path', async (t) => {
  await setTbf('pod-b', SLOW_TBF);
  const before = { received: await received(pods.b), taken: await fast.countReasons('FORWARDED', 'CREATED') };
  const send = `exec 3>/dev/udp/${NODES.node1.ip}/${PORTS.b}; for i in $(seq ${DATAGRAMS}); do head -c 1400 /dev/zero >&3; done`;
  await world.client.exec('bash', ['-c', send]);
  t.ok(
    (await fast.countReasons('FORWARDED', 'CREATED')) - before.taken >= DATAGRAMS,
    'the fast path took all datagrams',
  );
  const { drops } = await qdiscOf('pod-b');
  const arrived = (await received(pods.b)) - before.received;
  t.ok(drops > DATAGRAMS / 2, `the qdisc dropped ${drops} of ${DATAGRAMS}`);
  t.ok(arrived > 0 && arrived < DATAGRAMS / 2, `${arrived} of ${DATAGRAMS} arrived`);
  await setTbf('pod-b', FAST_TBF);
});

t.test('a foreign egress filter of a pod handles packets of the fast path', async (t) => {
  await fast.killDaemon();
  await world.node1.output('tc', 'qdisc add dev pod-a clsact'.split(' '));
  const filter = 'filter add dev pod-a egress protocol ip bpf direct-action bytecode'.split(' ');
  await world.node1.output('tc', [...filter, DROP]);
  await fast.startDaemon('--fast-path', 'required');
  await fast.waitFor('the filter or qdisc is detected', usesPodDevice);
  const before = await fast.countReasons('FORWARDED', 'CREATED', 'REMAPPED');
  const to = (family: 'ip' | 'ip6') =>
    dialer.dial({ protocol: 'tcp', address: NODES.node1[family], port: PORTS.a, count: 5 });
  t.equal((await to('ip6')).answered, 5, 'the filter accepts IPv6');
  t.equal((await to('ip')).answered, 0, 'the filter drops IPv4');
  const taken = (await fast.countReasons('FORWARDED', 'CREATED', 'REMAPPED')) - before;
  t.ok(taken >= 5 * 4 + 5, `the fast path took ${taken} packets of both`);
  await fast.killDaemon();
  await world.node1.output('tc', 'qdisc delete dev pod-a clsact'.split(' '));
  await fast.startDaemon('--fast-path', 'required');
  await fast.waitFor('the removal of the filter is detected', (view) => !usesPodDevice(view));
});

t.test('a qdisc that is added later applies to live connections', async (t) => {
  const kept = await dialer.keepConnection({ protocol: 'tcp', address: NODES.node1.ip, port: PORTS.a });
  await fast.waitFor('the connection is counted', ({ flows }) => flows.ip > 0);
  await fast.killDaemon();
  await setTbf('pod-a', FAST_TBF);
  await fast.startDaemon('--fast-path', 'required');
  await fast.waitFor('the filter or qdisc is detected', usesPodDevice);
  const before = (await qdiscOf('pod-a')).packets;
  const { attempts } = await kept.snapshot();
  for (let tries = 0; (await kept.snapshot()).attempts < attempts + 5 && tries < 100; tries++) await fast.inspect();
  t.ok((await qdiscOf('pod-a')).packets >= before + 5, 'its packets pass the qdisc');
  const report = await kept.stop();
  t.equal(report.answered, report.attempts, `${report.answered} of ${report.attempts} answers`);
});
