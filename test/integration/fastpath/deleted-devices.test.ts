// Pods whose devices go while the API still lists them: their clients are reset, whichever pod nft would choose next.
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
if (c === undefined || d === undefined) throw new Error('There are two pods behind the bridge');
await Promise.all([a, b, c, d, e, f].map((pod) => pod.respond({ tcp: [TARGET_PORT], udp: [TARGET_PORT] })));
const dialer = await world.client.dialer();
const EXTERNAL = { ip: '198.51.100.1', ip6: '2001:db8:7::1' };

interface Case {
  readonly name: string;
  /** The last one's device goes. Its processes live on, so that nobody but the node can tell its clients. */
  readonly pods: readonly Namespace[];
  readonly device: string;
  readonly deletedPod: string;
  readonly remainingPod?: string;
  /** Dialled at an external address, and conntrack picks no connection up in its middle. */
  readonly strictConntrack?: boolean;
  /** No daemon is there when it happens, but soon after. */
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
/** Each Service has two node ports (TCP, UDP) in two families, and one as many external addresses. */
const FRONTENDS = (CASES.length + 1) * 4;

for (const [i, one] of CASES.entries()) await writeCaseService(i, one, one.pods);
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

/** Where a case is dialled, in both families. */
function frontendsOf(i: number, { strictConntrack = false }: Case): { address: string; port: number }[] {
  return (['ip', 'ip6'] as const).map((family) =>
    strictConntrack ? { address: EXTERNAL[family], port: 80 } : { address: NODES.node1[family], port: NODE_PORT + i },
  );
}

/** Until it has not been answered once; in milliseconds. */
async function waitForFailure(task: RunningDial, since: number): Promise<number> {
  for (;;) {
    const { attempts, answered } = await task.snapshot();
    if (attempts > answered) return performance.now() - since;
  }
}

for (const [i, one] of CASES.entries()) {
  const { name, pods, device, deletedPod, remainingPod, strictConntrack = false, withoutDaemon = false } = one;
  t.test(`${name} goes`, async (t) => {
    await world.node1.sysctl({ 'net.netfilter.nf_conntrack_tcp_loose': strictConntrack ? 0 : 1 });
    const places = frontendsOf(i, one);
    // A client without an answer waits for long: nobody is to.
    const asked = places.flatMap((place) =>
      Array.from({ length: 6 }, () => {
        const timeoutMs = withoutDaemon ? 60_000 : 15_000;
        return dialer.keepConnection({ protocol: 'tcp', ...place, timeoutMs, everyMs: 50 });
      }),
    );
    const kept = await Promise.all(asked);
    const firsts = await Promise.all(kept.map((each) => each.snapshot()));
    t.equal(await fast.conntrackCount(places[0]?.port ?? 0), 0, 'all of them are with the fast path');
    const isDoomed = kept.map((_, n) => deletedPod in (firsts[n]?.pods ?? {}));
    const doomed = kept.filter((_, n) => isDoomed[n]);
    t.ok(doomed.length > 0);
    t.equal(doomed.length === kept.length, remainingPod === undefined);

    if (withoutDaemon) await fast.killDaemon();
    const since = performance.now();
    await world.node1.configure([`link delete dev ${device}`]);
    if (withoutDaemon) await startDaemon();
    const times = await Promise.all(doomed.map((each) => waitForFailure(each, since)));
    t.comment(`${times.length} clients were told after ${times.map(Math.round).sort((x, y) => x - y)} ms`);
    const reports = await Promise.all(kept.map((each) => each.stop()));
    for (const [n, { attempts, answered, timedOut, errors }] of reports.entries()) {
      t.equal(timedOut, 0, 'nobody waits in vain');
      t.strictSame(Object.keys(errors), isDoomed[n] ? ['ECONNRESET'] : []);
      if (!isDoomed[n]) t.equal(answered, attempts, 'connections to the other pod go on');
    }
    await expectSameAsNft(t, places, remainingPod);
    await writeCaseService(i, one, pods.slice(0, -1));
  });
}

/** Nobody is reset who begins anew: the pod that is left answers, and the other does not, as long as it is listed. */
async function expectSameAsNft(
  t: Test,
  places: readonly { address: string; port: number }[],
  left: string | undefined,
): Promise<void> {
  for (const namespace of places) {
    const report = await dialer.dial({ protocol: 'tcp', ...namespace, count: 16, timeoutMs: 500 });
    t.strictSame(Object.keys(report.pods), left === undefined ? [] : [left], 'new connections');
    t.equal(report.errors['ECONNRESET'], undefined);
  }
}

t.test('the set is no difference, and goes when the fast path is switched off', async (t) => {
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
  t.notMatch(await world.node1.output('nft', ['list', 'ruleset']), /ended/);
});
