// Tests the programs with real sockets and without nft, so that every connection uses the fast path.

import t from 'tap';
import type { FastPathProtocol } from '../../../src/fastpath/maps/entries.ts';
import { BACKEND_NEIGH } from '../../../src/fastpath/maps/layout.ts';
import { putBackend, putFrontend } from '../../../src/fastpath/maps/requests.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { startEchoClient, startEchoServer } from '../../support/bpf/echo.ts';
import { batch, putConfig, putPorts, putUplink } from '../../support/bpf/map-requests.ts';
import { startNamespaceLoader } from '../../support/bpf/namespace-loader.ts';
import { movePodBehindBridge, podPath, readLink } from '../../support/bpf/pod-devices.ts';
import { POD_PORT, SERVICE_PORT } from '../../support/bpf/test-network.ts';
import { NODES } from '../../support/netns/topology.ts';
import { createWorld } from '../../support/netns/world.ts';

/** The bytes of a long connection; emulated machines set less. */
const LONG_STREAM_BYTES = Number(process.env['TRAFFIC_BYTES'] ?? 20_000_000);
/** A pod port without a listener, and its frontend. */
const [CLOSED_POD_PORT, CLOSED_PORT] = [8081, 30081];

const world = await createWorld({ pods: { node1: ['a'] } });
t.teardown(() => world.destroy());
const { client, node1 } = world;
const pod = world.pod('a');

const loaderOfNode = await startNamespaceLoader(node1);
t.teardown(() => loaderOfNode.close());
const loader = loaderOfNode.process;

/** Fills the maps with the Services of the pod. `gen` and `flags` are those of its backends, `gateway` is a device. */
async function populate({ gen, flags, gateway }: { gen: number; flags: number; gateway: string }): Promise<void> {
  const path = await podPath({ node: node1, pod }, { veth: 'pod-a', gateway });
  const requests = [
    putConfig(),
    putUplink(await readLink(node1, 'lan')),
    ...putPorts({ frontends: [SERVICE_PORT, CLOSED_PORT], backends: [POD_PORT, CLOSED_POD_PORT] }),
  ];
  let slot = 0;
  for (const family of FAMILIES) {
    for (const protocol of protocols) {
      for (const [port, podPort] of [
        [SERVICE_PORT, POD_PORT],
        [CLOSED_PORT, CLOSED_POD_PORT],
      ] as const) {
        const svc = ++slot;
        requests.push(putBackend(slot, { ...path, address: pod[family], port: podPort, protocol, flags, gen, svc }));
        const key = { address: node1[family], port, protocol };
        requests.push(putFrontend(key, { svc, suspended: false, slots: [slot] }));
      }
    }
  }
  await loader.requestOk(batch(requests));
}

async function reasonCounts(): Promise<Map<string, number>> {
  const { lines } = await loader.requestOk('stats');
  return new Map(lines.map((line) => line.split(' ')).map(([, name = '', count]) => [name, Number(count)]));
}

async function setOffloads(state: 'on' | 'off'): Promise<void> {
  for (const [place, device] of [
    [client, 'lan'],
    [node1, 'lan'],
    [node1, 'pod-a'],
    [pod, 'eth0'],
  ] as const) {
    await place.output('ethtool', ['-K', device, 'tx', state, 'tso', state, 'gso', state, 'gro', state, 'sg', state]);
  }
}

const hasUdp = (await loader.requestOk('load')).status.includes('udp=yes');
/** The protocols that the programs take on this kernel. */
const protocols: readonly FastPathProtocol[] = hasUdp ? ['tcp', 'udp'] : ['tcp'];
const reasons = ['CREATED', 'FORWARDED', 'ANSWERED', ...(hasUdp ? ['FRAGMENT_OUT', 'ICMP_OUT'] : [])];
let gen = 0;

for (const [kind, by, flags, state] of [
  ['routed', 'tcx', 0, 'on'],
  ['routed', 'clsact', 0, 'off'],
  ['routed', 'tcx', BACKEND_NEIGH, 'off'],
  ['bridged', 'tcx', 0, 'on'],
  ['bridged', 'clsact', BACKEND_NEIGH, 'off'],
] as const) {
  const delivery = flags === BACKEND_NEIGH ? 'through its device' : 'to the peer of its device';
  t.test(`a ${kind} pod is reached by ${by}, ${delivery}, with offloads ${state}`, async (t) => {
    if (kind === 'bridged' && (await node1.exec('ip', ['link', 'show', 'cni0'])).status !== 0)
      await movePodBehindBridge({ node: node1, pod }, { veth: 'pod-a', bridge: 'cni0', gateway: NODES.node1.gateway });
    await setOffloads(state);
    await populate({ gen: ++gen, flags, gateway: kind === 'bridged' ? 'cni0' : 'pod-a' });
    const [uplink, veth] = [await readLink(node1, 'lan'), await readLink(node1, 'pod-a')];
    await loader.requestOk(`attach uplink ${uplink.ifindex} ${by}`);
    await loader.requestOk(`attach pod ${veth.ifindex} ${by}`);
    for (const family of FAMILIES) {
      const server = await startEchoServer(pod, { address: pod[family], port: POD_PORT });
      const { ask, end } = startEchoClient(client, { address: node1[family], port: SERVICE_PORT });
      for (const bytes of [1, 100, LONG_STREAM_BYTES / 8]) {
        const outcome = await ask({ protocol: 'tcp', bytes });
        t.match(outcome, { bytes, greeting: new RegExp(`^${client[family]} \\d+$`) }, `${family} tcp ${bytes}`);
      }
      const long = ask({ protocol: 'tcp', bytes: LONG_STREAM_BYTES });
      for (let i = 0; i < 3; i++) {
        await loader.requestOk('load');
        t.equal((await loader.requestOk('replace')).status, 'ok replaced=2', 'programs are replaced under traffic');
      }
      t.match(await long, { bytes: LONG_STREAM_BYTES }, `${family}: no byte was lost`);
      for (const bytes of hasUdp ? [0, 1, 1000, 5000, 20_000] : []) {
        t.strictSame(await ask({ protocol: 'udp', bytes }), { bytes }, `${family} udp ${bytes}`);
      }
      for (const protocol of protocols) {
        const outcome = await ask({ protocol, bytes: 1, port: CLOSED_PORT });
        t.strictSame(outcome, { error: 'ECONNREFUSED' }, `${family} ${protocol}: connection refused`);
      }
      server.kill();
      end();
    }
    const counted = await reasonCounts();
    for (const reason of reasons) {
      t.ok((counted.get(reason) ?? 0) > 0, `${reason} was counted`);
    }
    t.equal((await node1.output('conntrack', ['-C'])).trim(), '0', 'there are no conntrack entries');
    await loader.requestOk('flush stats');
  });
}
