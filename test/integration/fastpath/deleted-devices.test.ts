// Tests that clients are reset when the device of a pod is deleted while the API still lists the pod.

import t, { type Test } from 'tap';
import { createFastPathWorld, NODE_PORT, TARGET_PORT } from '../../support/fastpath/fast-path-world.ts';
import { nodeFlags } from '../../support/netns/manifests.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { type Addresses, NODES } from '../../support/netns/topology.ts';
import type { RunningDial } from '../../support/netns/traffic/dialer-process.ts';

t.setTimeout(110_000);
const fast = await createFastPathWorld();
t.teardown(() => fast.close());
const { world } = fast;
const [c, d] = await fast.addBridge();
const [a, b] = [world.pod('a'), world.pod('b')];
const [e, f] = [await world.addPod('node1', 'e'), await world.addPod('node1', 'f')];
if (c === undefined || d === undefined) throw new Error('Cannot start: the bridge must have two pods');
await Promise.all([a, b, c, d, e, f].map((pod) => pod.respond({ tcp: [TARGET_PORT], udp: [TARGET_PORT] })));
const dialer = await world.client.dialer();
const EXTERNAL = { ip: '198.51.100.1', ip6: '2001:db8:7::1' };

interface Case {
  readonly name: string;
  /** The device of the last one is deleted. Its processes keep running, so that only the node can reset its clients. */
  readonly pods: readonly Namespace[];
  readonly device: string;
  readonly deletedPod: string;
  readonly remainingPod?: string;
  /** Uses an external IP, and conntrack does not pick up established connections. */
  readonly strictConntrack?: boolean;
  /** The device is deleted while no daemon runs; one starts soon after. */
  readonly withoutDaemon?: boolean;
}

const CASES: readonly Case[] = [
  { name: 'a routed pod of two', pods: [a, b], device: 'pod-b', deletedPod: 'b', remainingPod: 'a' },
  {
    name: 'a routed pod by itself, with strict conntrack',
    pods: [e],
    device: 'pod-e',
    deletedPod: 'e',
    strictConntrack: true,
  },
  { name: 'a pod of two behind a bridge', pods: [c, d], device: 'port-d', deletedPod: 'd', remainingPod: 'c' },
  { name: 'a pod by itself behind a bridge', pods: [c], device: 'port-c', deletedPod: 'c' },
  { name: 'a pod, while there is no daemon', pods: [f], device: 'pod-f', deletedPod: 'f', withoutDaemon: true },
];
/** Each Service has two node ports (TCP, UDP) in two families; one has as many external IPs. */
const FRONTENDS = (CASES.length + 1) * 4;

for (const [i, testCase] of CASES.entries()) await writeCaseService(i, testCase, testCase.pods);
await startDaemon();
await fast.waitFor('all frontends are served', ({ frontends }) => frontends.length === FRONTENDS);

function startDaemon() {
  return fast.startDaemon('--fast-path', 'required');
}

function writeCaseService(
  i: number,
  { strictConntrack = false }: Case,
  pods: readonly Namespace[],
): Promise<Addresses> {
  const spec = { externalTrafficPolicy: 'Local', ...(strictConntrack ? { externalIPs: Object.values(EXTERNAL) } : {}) };
  return fast.writeService(`shop/web-${i}`, i + 1, { pods, nodePort: NODE_PORT + i, overrides: { spec } });
}

/** The frontends of a case, in both families. */
function frontendsOf(i: number, { strictConntrack = false }: Case): { address: string; port: number }[] {
  return (['ip', 'ip6'] as const).map((family) =>
    strictConntrack ? { address: EXTERNAL[family], port: 80 } : { address: NODES.node1[family], port: NODE_PORT + i },
  );
}

/** Waits for the first request without a response. Returns the time since `since`, in milliseconds. */
async function waitForFailure(task: RunningDial, since: number): Promise<number> {
  for (;;) {
    const { attempts, answered } = await task.snapshot();
    if (attempts > answered) return performance.now() - since;
  }
}

for (const [i, testCase] of CASES.entries()) {
  const { name, pods, device, deletedPod, remainingPod, strictConntrack = false, withoutDaemon = false } = testCase;
  t.test(`clients are reset when the device is deleted of ${name}`, async (t) => {
    await world.node1.sysctl({ 'net.netfilter.nf_conntrack_tcp_loose': strictConntrack ? 0 : 1 });
    const frontends = frontendsOf(i, testCase);
    // A client without a response would wait for this long.
    const dials = frontends.flatMap((frontend) =>
      Array.from({ length: 6 }, () => {
        const timeoutMs = withoutDaemon ? 60_000 : 15_000;
        return dialer.keepConnection({ protocol: 'tcp', ...frontend, timeoutMs, everyMs: 50 });
      }),
    );
    const kept = await Promise.all(dials);
    const firsts = await Promise.all(kept.map((client) => client.snapshot()));
    t.equal(await fast.conntrackCount(frontends[0]?.port ?? 0), 0, 'the fast path has all connections');
    const isAffected = kept.map((_, n) => deletedPod in (firsts[n]?.pods ?? {}));
    const affected = kept.filter((_, n) => isAffected[n]);
    t.ok(affected.length > 0);
    t.equal(affected.length === kept.length, remainingPod === undefined);

    if (withoutDaemon) await fast.killDaemon();
    const since = performance.now();
    await world.node1.configure([`link delete dev ${device}`]);
    if (withoutDaemon) await startDaemon();
    const times = await Promise.all(affected.map((client) => waitForFailure(client, since)));
    t.comment(`${times.length} clients were reset after ${times.map(Math.round).sort((x, y) => x - y)} ms`);
    const reports = await Promise.all(kept.map((client) => client.stop()));
    for (const [n, { attempts, answered, timedOut, errors }] of reports.entries()) {
      t.equal(timedOut, 0, 'no client timed out');
      t.strictSame(Object.keys(errors), isAffected[n] ? ['ECONNRESET'] : []);
      if (!isAffected[n]) t.equal(answered, attempts, 'connections to the other pod continue');
    }
    await expectSameAsNft(t, frontends, remainingPod);
    await writeCaseService(i, testCase, pods.slice(0, -1));
  });
}

/** New connections are not reset: the remaining pod answers, and the deleted one does not while it is listed. */
async function expectSameAsNft(
  t: Test,
  frontends: readonly { address: string; port: number }[],
  remainingPod: string | undefined,
): Promise<void> {
  for (const frontend of frontends) {
    const report = await dialer.dial({ protocol: 'tcp', ...frontend, count: 16, timeoutMs: 500 });
    t.strictSame(Object.keys(report.pods), remainingPod === undefined ? [] : [remainingPod], 'new connections');
    t.equal(report.errors['ECONNRESET'], undefined);
  }
}

t.test('the set of connections is not drift, and is removed when the fast path is disabled', async (t) => {
  const list = async () =>
    (await world.node1.exec('nft', ['list', 'set', 'ip', 'nftlane', 'reset-connections'])).stdout;
  t.match(await list(), / \. 30080 expires /);
  for (const source of [[], ['-f', fast.manifests, ...nodeFlags('node1')]]) {
    const { stdout, stderr, status } = await fast.execNftlane('diff', ...source);
    t.equal(status, 0, stdout + stderr);
  }
  await fast.daemon.stop();
  const daemon = await fast.startDaemon('--fast-path', 'off');
  await daemon.waitForLog('fast path removed', 0, 30_000);
  t.notMatch(await world.node1.output('nft', ['list', 'ruleset']), /reset-connections/);
});
