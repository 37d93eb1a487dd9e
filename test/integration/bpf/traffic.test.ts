// Real sockets through the programs alone: there is no nft here, so that what arrives has come by the fast path.
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { FastPathProtocol } from '../../../src/fastpath/maps/entries.ts';
import { BACKEND_NEIGH } from '../../../src/fastpath/maps/layout.ts';
import { putBackend, putFrontend } from '../../../src/fastpath/maps/requests.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import type { EchoRequest, EchoResult } from '../../support/bpf/echo-process.ts';
import { LineProcess } from '../../support/bpf/line-process.ts';
import { batch, putConfig, putPorts, putUplink } from '../../support/bpf/map-requests.ts';
import { startNamespaceLoader } from '../../support/bpf/namespace-loader.ts';
import { movePodBehindBridge, podPath, readLink } from '../../support/bpf/pod-devices.ts';
import { POD_PORT, SERVICE_PORT } from '../../support/bpf/test-network.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { NODES } from '../../support/netns/topology.ts';
import { createWorld } from '../../support/netns/world.ts';

const ECHO = fileURLToPath(new URL('../../support/bpf/echo-process.ts', import.meta.url));
/** How much a long connection carries; on an emulated machine less will do. */
const LONG_STREAM_BYTES = Number(process.env['TRAFFIC_BYTES'] ?? 20_000_000);
/** A backend's port that nobody listens on, and its frontend. */
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

/** A process of the echo program somewhere; it has said that it listens, if it is to. */
async function startEcho(
  namespace: Namespace,
  { role, address, port }: { role: 'serve' | 'ask'; address: string; port: number },
): Promise<LineProcess> {
  const echoProcess = new LineProcess(namespace.spawn(process.execPath, [ECHO, role, address, String(port)]));
  if (role === 'serve') await echoProcess.readLine();
  return echoProcess;
}

async function requestEcho(asker: LineProcess, question: EchoRequest): Promise<EchoResult> {
  asker.send(JSON.stringify(question));
  return JSON.parse(await asker.readLine());
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
/** What the programs take on this kernel. */
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
  const delivery = flags === BACKEND_NEIGH ? 'through the device' : 'to its peer';
  t.test(`a ${kind} pod by ${by}, ${delivery}, offloads ${state}`, async (t) => {
    if (kind === 'bridged' && (await node1.exec('ip', ['link', 'show', 'cni0'])).status !== 0)
      await movePodBehindBridge({ node: node1, pod }, { veth: 'pod-a', bridge: 'cni0', gateway: NODES.node1.gateway });
    await setOffloads(state);
    await populate({ gen: ++gen, flags, gateway: kind === 'bridged' ? 'cni0' : 'pod-a' });
    const [uplink, veth] = [await readLink(node1, 'lan'), await readLink(node1, 'pod-a')];
    await loader.requestOk(`attach uplink ${uplink.ifindex} ${by}`);
    await loader.requestOk(`attach pod ${veth.ifindex} ${by}`);
    for (const family of FAMILIES) {
      const server = await startEcho(pod, { role: 'serve', address: pod[family], port: POD_PORT });
      const asker = await startEcho(client, { role: 'ask', address: node1[family], port: SERVICE_PORT });
      for (const bytes of [1, 100, LONG_STREAM_BYTES / 8]) {
        const outcome = await requestEcho(asker, { protocol: 'tcp', bytes });
        t.match(outcome, { bytes, greeting: new RegExp(`^${client[family]} \\d+$`) }, `${family} tcp ${bytes}`);
      }
      const long = requestEcho(asker, { protocol: 'tcp', bytes: LONG_STREAM_BYTES });
      for (let i = 0; i < 3; i++) {
        await loader.requestOk('load');
        t.equal((await loader.requestOk('replace')).status, 'ok replaced=2', 'new programs while packets flow');
      }
      t.match(await long, { bytes: LONG_STREAM_BYTES }, `${family}: none of them has missed a packet`);
      for (const bytes of hasUdp ? [0, 1, 1000, 5000, 20_000] : []) {
        t.strictSame(await requestEcho(asker, { protocol: 'udp', bytes }), { bytes }, `${family} udp ${bytes}`);
      }
      for (const protocol of protocols) {
        const outcome = await requestEcho(asker, { protocol, bytes: 1, port: CLOSED_PORT });
        t.strictSame(outcome, { error: 'ECONNREFUSED' }, `${family} ${protocol}: nobody listens`);
      }
      server.kill();
      asker.kill();
    }
    const counted = await reasonCounts();
    for (const reason of reasons) {
      t.ok((counted.get(reason) ?? 0) > 0, `${reason} was counted`);
    }
    t.equal((await node1.output('conntrack', ['-C'])).trim(), '0', 'conntrack has seen none of it');
    await loader.requestOk('flush stats');
  });
}
