// The fast path on the node of the measurements: its maps filled, its programs attached and detached.
import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  encodeBackend,
  encodeConfig,
  encodeFrontend,
  encodeFrontendKey,
  encodeU32,
  encodeUplink,
} from '../../../src/fastpath/maps/entries.ts';
import { toHex } from '../../../src/fastpath/maps/hex.ts';
import { BACKEND_PORTS_OFFSET } from '../../../src/fastpath/maps/layout.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { TIMEOUT_SECONDS } from '../../support/bpf/bpf-sandbox.ts';
import { PROTOCOLS } from '../../support/bpf/flow-frames.ts';
import { mac } from '../../support/bpf/frames.ts';
import { LineProcess } from '../../support/bpf/line-process.ts';
import { start } from '../../support/netns/process.ts';
import { type BenchNetwork, NODE, PODS, type PodName, UPLINK, vethOf } from './bench-network.ts';
import { NODE_PORTS, TARGET_PORT } from './rules.ts';

const LOADER = fileURLToPath(new URL('../../../dist/bpf/nftlane-bpf', import.meta.url));
const ENTER_SCRIPT = 'mount -t bpf bpf "$1" && exec nsenter --net="/run/netns/$2" "$3" "$1/nftlane/v1"';

export type Hook = 'tcx' | 'clsact';

/** Loads the programs and fills their maps. Nothing is attached. The caller closes it. */
export async function loadPrograms(network: BenchNetwork): Promise<Programs> {
  const directory = await mkdtemp(join(tmpdir(), 'nftlane-bpf-'));
  const args = ['-m', 'sh', '-c', ENTER_SCRIPT, 'sh', directory, network.node.name, LOADER];
  const loader = new LineProcess(start('unshare', args));
  try {
    await loader.requestOk('load');
    await loader.requestOk(['batch', ...(await mapEntries(network)), 'end'].join('\n'));
    const { ifindex } = await network.link(network.node, UPLINK);
    const veths = await Promise.all(PODS.map((pod) => network.link(network.node, vethOf(pod))));
    return new Programs(loader, { directory, uplink: ifindex, veths: veths.map((veth) => veth.ifindex) });
  } catch (error) {
    loader.kill();
    throw error;
  }
}

export class Programs {
  readonly #loader: LineProcess;
  readonly #directory: string;
  readonly #hooks: readonly string[];
  #attached = false;

  constructor(loader: LineProcess, given: { directory: string; uplink: number; veths: readonly number[] }) {
    this.#loader = loader;
    this.#directory = given.directory;
    this.#hooks = [`uplink ${given.uplink}`, ...given.veths.map((veth) => `pod ${veth}`)];
  }

  async attach(by: Hook): Promise<void> {
    if (this.#attached) return;
    for (const place of this.#hooks) await this.#loader.requestOk(`attach ${place} ${by}`);
    this.#attached = true;
  }

  async detach(): Promise<void> {
    if (!this.#attached) return;
    for (const place of this.#hooks) await this.#loader.requestOk(`detach ${place}`);
    this.#attached = false;
  }

  /** Forgets flows and counts. */
  async flush(): Promise<void> {
    for (const map of ['flows_v4', 'flows_v6', 'stats', 'slot_counts']) await this.#loader.requestOk(`flush ${map}`);
  }

  /** Packets that went by the fast path since {@link flush}. */
  async fastPathPackets(): Promise<number> {
    const { lines } = await this.#loader.requestOk('stats');
    const counted = lines.map((line) => line.split(' '));
    return counted.reduce((sum, [, , count, fate]) => sum + (fate === 'forwarded' ? Number(count) : 0), 0);
  }

  /** How the daemon would attach them on this kernel. */
  async bestHook(): Promise<Hook> {
    const { status } = await this.#loader.requestOk('probe');
    return status.includes('attach=tcx') ? 'tcx' : 'clsact';
  }

  async close(): Promise<void> {
    await this.#loader.requestOk('remove');
    this.#loader.kill();
    await rmdir(this.#directory).catch(() => {});
  }
}

/** What the daemon would put into the maps for the Services. */
async function mapEntries(network: BenchNetwork): Promise<string[]> {
  const { ifindex, mtu } = await network.link(network.node, UPLINK);
  const lines = [
    put('config', encodeU32(0), encodeConfig({ create: true, timeouts: TIMEOUT_SECONDS })),
    put('uplinks', encodeU32(ifindex), encodeUplink(mtu)),
    ...portWords(0, Object.values(NODE_PORTS)),
    ...portWords(BACKEND_PORTS_OFFSET, [TARGET_PORT]),
  ];
  for (const [n, pod] of PODS.entries()) lines.push(...(await podEntries(network, pod, 1 + 4 * n)));
  return lines;
}

/** Backends and frontends of a pod: two protocols in two families, in as many slots. */
async function podEntries(network: BenchNetwork, pod: PodName, firstSlot: number): Promise<string[]> {
  const { node } = network;
  const [veth, gateway] = [await network.link(node, vethOf(pod)), await network.link(node, network.gatewayDevice(pod))];
  const eth0 = await network.link(network.pod(pod), 'eth0');
  const common = { port: TARGET_PORT, flags: 0, gen: 1, ifindex: veth.ifindex, l3if: gateway.ifindex, mtu: veth.mtu };
  const macs = { mac: mac(eth0.address), gatewayMac: mac(gateway.address) };
  return FAMILIES.flatMap((family, f) =>
    PROTOCOLS.flatMap((protocol, p) => {
      const slot = firstSlot + 2 * f + p;
      const backend = { ...common, ...macs, address: network.pod(pod)[family], protocol, svc: slot };
      const key = encodeFrontendKey({ address: NODE[family], port: NODE_PORTS[pod], protocol });
      return [
        put('backends', encodeU32(slot), encodeBackend(backend)),
        put('frontends', key, encodeFrontend({ svc: slot, suspended: false, slots: [slot] })),
      ];
    }),
  );
}

function put(map: string, key: Uint8Array, value: Uint8Array): string {
  return `put ${map} ${toHex(key)} ${toHex(value)}`;
}

/** The words of the port bits in which one of these is set. */
function portWords(firstWord: number, ports: readonly number[]): string[] {
  const words = new Map<number, bigint>();
  for (const port of ports) words.set(port >> 6, (words.get(port >> 6) ?? 0n) | (1n << BigInt(port & 63)));
  return [...words].map(([at, word]) =>
    put('ports', encodeU32(firstWord + at), new Uint8Array(new BigUint64Array([word]).buffer)),
  );
}
