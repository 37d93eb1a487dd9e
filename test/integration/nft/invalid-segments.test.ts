// TCP segments that conntrack calls invalid: those of asymmetric routes pass, and those of endpoints reset no connection.

import t from 'tap';
import { FAMILIES } from '../../../src/net/family.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { createProxiedWorld } from '../../support/netns/proxied-world.ts';
import { CLIENT } from '../../support/netns/topology.ts';
import { sendInvalidSegment } from '../../support/netns/traffic/invalid-segment.ts';
import type { DialReport } from '../../support/netns/traffic/programs/messages.ts';

/** No Service has it as a target port. */
const OTHER_PORT = 8081;
const TARGET_PORT = 8080;
const COUNT = 5;

const proxied = await createProxiedWorld(t);
const { world } = proxied;
const { client, node1 } = world;
const pod = world.pod('a');
await addSecondLink(pod);
await Promise.all([client.respond({ tcp: [OTHER_PORT] }), pod.respond({ tcp: [OTHER_PORT] })]);
const [fromClient, fromPod] = await Promise.all([client.dialer(), pod.dialer()]);
await proxied.addService('shop/cart', 40, { pods: ['a', 'c'] });
await proxied.waitForSync();

/** Packets to the pod take the second link; those of the pod pass its node. */
async function addSecondLink(pod: Namespace): Promise<void> {
  const address = '02:00:00:00:40:01';
  await client.configure([
    `link add second type veth peer name second address ${address} netns ${pod.name}`,
    'link set second up',
  ]);
  // A link without an IPv4 address would accept no packet whose reply takes another link (rp_filter).
  await pod.configure(['link set second up', 'addr add 198.18.0.2/32 dev second']);
  await client.configure([
    `neigh add ${pod.ip} lladdr ${address} dev second`,
    `neigh add ${pod.ip6} lladdr ${address} dev second`,
    `route add ${pod.ip}/32 dev second src ${CLIENT.ip}`,
    `route add ${pod.ip6}/128 dev second src ${CLIENT.ip6}`,
  ]);
}

async function bothDirections(family: (typeof FAMILIES)[number]): Promise<Record<string, number>> {
  const dial = async (report: Promise<DialReport>) => (await report).answered;
  const base = { protocol: 'tcp', count: COUNT, timeoutMs: 1000 } as const;
  return {
    fromPod: await dial(fromPod.dial({ ...base, address: CLIENT[family], port: OTHER_PORT })),
    toPod: await dial(fromClient.dial({ ...base, address: pod[family], port: OTHER_PORT })),
    toTargetPort: await dial(fromClient.dial({ ...base, address: pod[family], port: TARGET_PORT })),
  };
}

t.test('a pod with a second link has all of its connections', async (t) => {
  const all = { fromPod: COUNT, toPod: COUNT, toTargetPort: COUNT };
  for (const family of FAMILIES) {
    t.strictSame(await bothDirections(family), all, family);
    const listing = await node1.output('nft', ['list', 'chain', family, 'nftlane', 'filter-forward']);
    t.match(listing, /ct state invalid .*@hairpin-connections drop/);
  }
});

t.test('a segment outside the window of an endpoint that drains does not reset its connection', async (t) => {
  const at = await proxied.addService('shop/window', 41, { pods: ['b'] });
  await proxied.waitForSync();
  // Of the same node, which translates the flow and has seen all of it.
  const dialer = await world.pod('shell').dialer();
  const connections = FAMILIES.map((family, n) => ({ family, sourcePort: 45_678 + n }));
  const kept = await Promise.all(
    connections.map(({ family, sourcePort }) =>
      dialer.keepConnection({
        protocol: 'tcp',
        address: at[family],
        port: 80,
        sourcePort,
        everyMs: 250,
        timeoutMs: 5000,
      }),
    ),
  );
  await proxied.setDraining('shop/window', ['c'], ['b']);
  await proxied.waitForSync();
  for (const { sourcePort } of connections) {
    if (!(await sendInvalidSegment(world.pod('b'), TARGET_PORT, sourcePort))) t.comment('this needs Python');
  }
  for (const connection of kept) {
    await connection.snapshot();
    const report = await connection.stop();
    t.match(report, { answered: report.attempts, pods: { b: report.attempts } }, 'every request was answered');
  }
});

t.test('no segment is dropped as invalid where conntrack is liberal', async (t) => {
  const invalid = async () => {
    const chains = FAMILIES.map((family) =>
      node1.output('nft', ['list', 'chain', family, 'nftlane', 'filter-forward']),
    );
    return (await Promise.all(chains)).filter((chain) => chain.includes('invalid')).length;
  };
  const restart = async (liberal: 0 | 1, ...flags: readonly string[]) => {
    await node1.sysctl({ 'net.netfilter.nf_conntrack_tcp_be_liberal': liberal });
    const daemon = await proxied.restart('node1', ...flags);
    await daemon.waitForLog('ruleset complete');
    return invalid();
  };
  t.equal(await invalid(), 2);
  t.equal(await restart(1), 0, 'by the setting of the kernel');
  t.equal((await proxied.run('node1', 'diff')).status, 0);
  t.equal(await restart(0), 2);
  t.equal(await restart(0, '--conntrack-tcp-be-liberal'), 0, 'by the flag');
  t.equal((await node1.output('sysctl', ['-n', 'net.netfilter.nf_conntrack_tcp_be_liberal'])).trim(), '1');
});
