// Real sockets through the programs alone: there is no nft here, so that what arrives has come by the fast path.
import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import {
  type BackendValue,
  encodeBackend,
  encodeConfig,
  encodeFrontend,
  encodeFrontendKey,
  encodeU32,
  encodeUplink,
} from '../../../src/fastpath/maps/entries.ts';
import { toHex } from '../../../src/fastpath/maps/hex.ts';
import { BACKEND_NEIGH, BACKEND_PORTS_OFFSET } from '../../../src/fastpath/maps/layout.ts';
import { POD_PORT, SERVICE_PORT, TIMEOUT_SECONDS } from '../../support/bpf/bpf-sandbox.ts';
import type { EchoRequest, EchoResult } from '../../support/bpf/echo-process.ts';
import { FAMILIES, type Protocol } from '../../support/bpf/flow-frames.ts';
import { mac } from '../../support/bpf/frames.ts';
import { LineProcess } from '../../support/bpf/line-process.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { start } from '../../support/netns/process.ts';
import { NODES } from '../../support/netns/topology.ts';
import { createWorld } from '../../support/netns/world.ts';

const ECHO = fileURLToPath(new URL('../../support/bpf/echo-process.ts', import.meta.url));
const LOADER = fileURLToPath(new URL('../../../dist/bpf/nftlane-bpf', import.meta.url));
/** How much a long connection carries; on an emulated machine less will do. */
const LONG_STREAM_BYTES = Number(process.env['TRAFFIC_BYTES'] ?? 20_000_000);
/** A backend's port that nobody listens on, and its frontend. */
const [CLOSED_POD_PORT, CLOSED_PORT] = [8081, 30081];

const world = await createWorld({ pods: { node1: ['a'] } });
t.teardown(() => world.destroy());
const { client, node1 } = world;
const pod = world.pod('a');

const directory = await mkdtemp(join(tmpdir(), 'nftlane-bpf-'));
const enterScript = 'mount -t bpf bpf "$1" && exec nsenter --net="/run/netns/$2" "$3" "$1/nftlane/v1"';
const loader = new LineProcess(start('unshare', ['-m', 'sh', '-c', enterScript, 'sh', directory, node1.name, LOADER]));
t.teardown(async () => {
  loader.kill();
  await rmdir(directory).catch(() => {});
});

interface Link {
  readonly ifindex: number;
  readonly address: string;
  readonly mtu: number;
}

async function link(place: Namespace, name: string): Promise<Link> {
  const [found]: Link[] = JSON.parse(await place.output('ip', ['-j', 'link', 'show', 'dev', name]));
  if (found === undefined) throw new Error(`There is no device "${name}"`);
  return found;
}

const put = (map: string, key: Uint8Array, value: Uint8Array) => `put ${map} ${toHex(key)} ${toHex(value)}`;
const portWords = (ports: readonly number[]) => {
  const words = new Map<number, bigint>();
  for (const port of ports) words.set(port >> 6, (words.get(port >> 6) ?? 0n) | (1n << BigInt(port & 63)));
  return [...words].map(([at, word]) => [at, new Uint8Array(new BigUint64Array([word]).buffer)] as const);
};

/** Fills the maps with the service of the pod. `gen` and `flags` are those of its backends, `gateway` is a device. */
async function populate(gen: number, flags: number, gateway: string): Promise<void> {
  const [uplink, veth, eth0] = [await link(node1, 'lan'), await link(node1, 'pod-a'), await link(pod, 'eth0')];
  const { ifindex: l3if, address: gatewayAddress } = await link(node1, gateway);
  const lines = [
    put('config', encodeU32(0), encodeConfig({ create: true, timeouts: TIMEOUT_SECONDS })),
    put('uplinks', encodeU32(uplink.ifindex), encodeUplink(uplink.mtu)),
    ...portWords([SERVICE_PORT, CLOSED_PORT]).map(([at, word]) => put('ports', encodeU32(at), word)),
    ...portWords([POD_PORT, CLOSED_POD_PORT]).map(([at, word]) =>
      put('ports', encodeU32(BACKEND_PORTS_OFFSET + at), word),
    ),
  ];
  let slot = 0;
  for (const family of FAMILIES) {
    for (const protocol of protocols) {
      for (const [port, target] of [
        [SERVICE_PORT, POD_PORT],
        [CLOSED_PORT, CLOSED_POD_PORT],
      ] as const) {
        const backend: BackendValue = {
          address: pod[family],
          port: target,
          protocol,
          flags,
          ifindex: veth.ifindex,
          gen,
          svc: ++slot,
          l3if,
          mtu: veth.mtu,
          mac: mac(eth0.address),
          gatewayMac: mac(gatewayAddress),
        };
        lines.push(put('backends', encodeU32(slot), encodeBackend(backend)));
        const key = encodeFrontendKey({ address: node1[family], port, protocol });
        lines.push(put('frontends', key, encodeFrontend({ svc: slot, suspended: false, slots: [slot] })));
      }
    }
  }
  await loader.requestOk(['batch', ...lines, 'end'].join('\n'));
}

/** A process of the echo program somewhere; it has said that it listens, if it is to. */
async function startEcho(place: Namespace, role: 'serve' | 'ask', address: string, port: number): Promise<LineProcess> {
  const echoProcess = new LineProcess(place.spawn(process.execPath, [ECHO, role, address, String(port)]));
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
const protocols: readonly Protocol[] = hasUdp ? ['tcp', 'udp'] : ['tcp'];
const reasons = ['CREATED', 'FORWARDED', 'ANSWERED', ...(hasUdp ? ['FRAGMENT_OUT', 'ICMP_OUT'] : [])];
let gen = 0;

/** Puts the pod behind a bridge, which takes over the gateway's addresses. */
async function movePodBehindBridge(): Promise<void> {
  const { gateway } = NODES.node1;
  await node1.configure([
    'link add name cni0 type bridge forward_delay 0 mcast_snooping 0',
    'link set dev cni0 up',
    `address delete ${gateway.ip}/32 dev pod-a`,
    `address delete ${gateway.ip6}/128 dev pod-a`,
    'link set dev pod-a master cni0',
    `address add ${gateway.ip}/32 dev cni0`,
    `address add ${gateway.ip6}/128 dev cni0 nodad`,
    `route replace ${pod.ip}/32 dev cni0`,
    `route replace ${pod.ip6}/128 dev cni0`,
  ]);
  await pod.output('ip', ['neigh', 'flush', 'dev', 'eth0']);
}

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
      await movePodBehindBridge();
    await setOffloads(state);
    await populate(++gen, flags, kind === 'bridged' ? 'cni0' : 'pod-a');
    const [uplink, veth] = [await link(node1, 'lan'), await link(node1, 'pod-a')];
    await loader.requestOk(`attach uplink ${uplink.ifindex} ${by}`);
    await loader.requestOk(`attach pod ${veth.ifindex} ${by}`);
    for (const family of FAMILIES) {
      const server = await startEcho(pod, 'serve', pod[family], POD_PORT);
      const asker = await startEcho(client, 'ask', node1[family], SERVICE_PORT);
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
