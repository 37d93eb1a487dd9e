// Pods whose devices go while the API still lists them: their clients are reset, whichever pod nft would choose next.
import t, { type Test } from 'tap';
import { createFastWorld, NODE_PORT, TARGET_PORT } from '../../support/fastpath/fast-world.ts';
import { nodeFlags } from '../../support/netns/manifests.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { type Addresses, NODES } from '../../support/netns/topology.ts';
import type { Dialling } from '../../support/netns/traffic/dialer-process.ts';

t.setTimeout(110_000);
const fast = await createFastWorld();
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
  readonly gone: string;
  readonly left?: string;
  /** Dialled at an external address, and conntrack picks no connection up in its middle. */
  readonly strict?: boolean;
  /** No daemon is there when it happens, but soon after. */
  readonly alone?: boolean;
}

const CASES: readonly Case[] = [
  { name: 'a routed pod of two', pods: [a, b], device: 'pod-b', gone: 'b', left: 'a' },
  { name: 'a routed pod by itself, with strict conntrack', pods: [e], device: 'pod-e', gone: 'e', strict: true },
  { name: 'a pod of two behind a bridge', pods: [c, d], device: 'port-d', gone: 'd', left: 'c' },
  { name: 'a pod by itself behind a bridge', pods: [c], device: 'port-c', gone: 'c' },
  { name: 'a pod, while there is no daemon', pods: [f], device: 'pod-f', gone: 'f', alone: true },
];
/** Each Service has two node ports (TCP, UDP) in two families, and one as many external addresses. */
const FRONTENDS = (CASES.length + 1) * 4;

for (const [i, one] of CASES.entries()) await serve(i, one, one.pods);
await startDaemon();
await fast.until('all frontends are served', ({ frontends }) => frontends.length === FRONTENDS);

function startDaemon() {
  return fast.startDaemon('--fast-path', 'required');
}

function serve(i: number, { strict = false }: Case, pods: readonly Namespace[]): Promise<Addresses> {
  const spec = { externalTrafficPolicy: 'Local', ...(strict ? { externalIPs: Object.values(EXTERNAL) } : {}) };
  return fast.serve(`shop/web-${i}`, i + 1, { pods, nodePort: NODE_PORT + i, overrides: { spec } });
}

/** Where a case is dialled, in both families. */
function placesOf(i: number, { strict = false }: Case): { address: string; port: number }[] {
  return (['ip', 'ip6'] as const).map((family) =>
    strict ? { address: EXTERNAL[family], port: 80 } : { address: NODES.node1[family], port: NODE_PORT + i },
  );
}

/** Until it has not been answered once; in milliseconds. */
async function untilFailed(task: Dialling, since: number): Promise<number> {
  for (;;) {
    const { attempts, answered } = await task.look();
    if (attempts > answered) return performance.now() - since;
  }
}

for (const [i, one] of CASES.entries()) {
  const { name, pods, device, gone, left, strict = false, alone = false } = one;
  t.test(`${name} goes`, async (t) => {
    await world.node1.sysctl({ 'net.netfilter.nf_conntrack_tcp_loose': strict ? 0 : 1 });
    const places = placesOf(i, one);
    // A client without an answer waits for long: nobody is to.
    const asked = places.flatMap((place) =>
      Array.from({ length: 6 }, () => {
        const timeoutMs = alone ? 60_000 : 15_000;
        return dialer.keep({ protocol: 'tcp', ...place, timeoutMs, everyMs: 50 });
      }),
    );
    const kept = await Promise.all(asked);
    const firsts = await Promise.all(kept.map((each) => each.look()));
    t.equal(await fast.tracked(places[0]?.port ?? 0), 0, 'all of them are with the fast path');
    const isDoomed = kept.map((_, n) => gone in (firsts[n]?.pods ?? {}));
    const doomed = kept.filter((_, n) => isDoomed[n]);
    t.ok(doomed.length > 0);
    t.equal(doomed.length === kept.length, left === undefined);

    if (alone) await fast.killDaemon();
    const since = performance.now();
    await world.node1.configure([`link delete dev ${device}`]);
    if (alone) await startDaemon();
    const times = await Promise.all(doomed.map((each) => untilFailed(each, since)));
    t.comment(`${times.length} clients were told after ${times.map(Math.round).sort((x, y) => x - y)} ms`);
    const reports = await Promise.all(kept.map((each) => each.stop()));
    for (const [n, { attempts, answered, timedOut, errors }] of reports.entries()) {
      t.equal(timedOut, 0, 'nobody waits in vain');
      t.strictSame(Object.keys(errors), isDoomed[n] ? ['ECONNRESET'] : []);
      if (!isDoomed[n]) t.equal(answered, attempts, 'connections to the other pod go on');
    }
    await areLikeWithNftAlone(t, places, left);
    await serve(i, one, pods.slice(0, -1));
  });
}

/** Nobody is reset who begins anew: the pod that is left answers, and the other does not, as long as it is listed. */
async function areLikeWithNftAlone(
  t: Test,
  places: readonly { address: string; port: number }[],
  left: string | undefined,
): Promise<void> {
  for (const place of places) {
    const report = await dialer.dial({ protocol: 'tcp', ...place, count: 16, timeoutMs: 500 });
    t.strictSame(Object.keys(report.pods), left === undefined ? [] : [left], 'new connections');
    t.equal(report.errors['ECONNRESET'], undefined);
  }
}

t.test('the set is no difference, and goes when the fast path is switched off', async (t) => {
  const list = async () => (await world.node1.exec('nft', ['list', 'set', 'ip', 'nftlane', 'ended-flows'])).stdout;
  t.match(await list(), / \. 30080 expires /);
  for (const source of [
    ['--run-dir', fast.runDir],
    ['-f', fast.manifests, ...nodeFlags('node1')],
  ]) {
    const { stdout, stderr, status } = await fast.nftlane('diff', ...source);
    t.equal(status, 0, stdout + stderr);
  }
  await fast.daemon.stop();
  const daemon = await fast.startDaemon('--fast-path', 'off');
  await daemon.logged('the fast path was put away', 0, 30_000);
  t.notMatch(await world.node1.output('nft', ['list', 'ruleset']), /ended/);
});
