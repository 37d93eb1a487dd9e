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
  encodeNumber,
  encodeUplink,
} from '../../../src/fastpath/maps/entries.ts';
import { toHex } from '../../../src/fastpath/maps/hex.ts';
import { BACKEND_PORT_WORDS } from '../../../src/fastpath/maps/layout.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { mac } from '../../support/bpf/frames.ts';
import { PROTOCOLS } from '../../support/bpf/legs.ts';
import { SECONDS } from '../../support/bpf/place.ts';
import { Talker } from '../../support/bpf/talker.ts';
import { start } from '../../support/netns/process.ts';
import { NODE, type Place, PODS, type PodName, UPLINK, vethOf } from './place.ts';
import { NODE_PORTS, TARGET_PORT } from './rules.ts';

const LOADER = fileURLToPath(new URL('../../../dist/bpf/nftlane-bpf', import.meta.url));
const ENTER = 'mount -t bpf bpf "$1" && exec nsenter --net="/run/netns/$2" "$3" "$1/nftlane/v1"';

export type Hook = 'tcx' | 'clsact';

/** Loads the programs and fills their maps. Nothing is attached. The caller closes it. */
export async function loadPrograms(place: Place): Promise<Programs> {
  const directory = await mkdtemp(join(tmpdir(), 'nftlane-bpf-'));
  const args = ['-m', 'sh', '-c', ENTER, 'sh', directory, place.node.name, LOADER];
  const loader = new Talker(start('unshare', args));
  try {
    await loader.must('load');
    await loader.must(['batch', ...(await contents(place)), 'end'].join('\n'));
    const { ifindex } = await place.link(place.node, UPLINK);
    const veths = await Promise.all(PODS.map((pod) => place.link(place.node, vethOf(pod))));
    return new Programs(loader, { directory, uplink: ifindex, veths: veths.map((veth) => veth.ifindex) });
  } catch (error) {
    loader.end();
    throw error;
  }
}

export class Programs {
  readonly #loader: Talker;
  readonly #directory: string;
  readonly #places: readonly string[];
  #attached = false;

  constructor(loader: Talker, given: { directory: string; uplink: number; veths: readonly number[] }) {
    this.#loader = loader;
    this.#directory = given.directory;
    this.#places = [`uplink ${given.uplink}`, ...given.veths.map((veth) => `pod ${veth}`)];
  }

  async attach(by: Hook): Promise<void> {
    if (this.#attached) return;
    for (const place of this.#places) await this.#loader.must(`attach ${place} ${by}`);
    this.#attached = true;
  }

  async detach(): Promise<void> {
    if (!this.#attached) return;
    for (const place of this.#places) await this.#loader.must(`detach ${place}`);
    this.#attached = false;
  }

  /** Forgets flows and counts. */
  async forget(): Promise<void> {
    for (const map of ['f4', 'f6', 'stats', 'slots']) await this.#loader.must(`flush ${map}`);
  }

  /** Packets that went by the fast path since {@link forget}. */
  async translated(): Promise<number> {
    const { lines } = await this.#loader.must('stats');
    const counted = lines.map((line) => line.split(' '));
    return counted.reduce((sum, [, , count, fate]) => sum + (fate === 'taken' ? Number(count) : 0), 0);
  }

  /** How the daemon would attach them on this kernel. */
  async hook(): Promise<Hook> {
    const { end } = await this.#loader.must('probe');
    return end.includes('attach=tcx') ? 'tcx' : 'clsact';
  }

  async close(): Promise<void> {
    await this.#loader.must('remove');
    this.#loader.end();
    await rmdir(this.#directory).catch(() => {});
  }
}

/** What the daemon would put into the maps for the Services. */
async function contents(place: Place): Promise<string[]> {
  const { ifindex, mtu } = await place.link(place.node, UPLINK);
  const lines = [
    put('cfg', encodeNumber(0), encodeConfig({ create: true, timeouts: SECONDS })),
    put('uplinks', encodeNumber(ifindex), encodeUplink(mtu)),
    ...bits(0, Object.values(NODE_PORTS)),
    ...bits(BACKEND_PORT_WORDS, [TARGET_PORT]),
  ];
  for (const [n, pod] of PODS.entries()) lines.push(...(await podContents(place, pod, 1 + 4 * n)));
  return lines;
}

/** Backends and frontends of a pod: two protocols in two families, in as many slots. */
async function podContents(place: Place, pod: PodName, firstSlot: number): Promise<string[]> {
  const { node } = place;
  const [veth, gateway] = [await place.link(node, vethOf(pod)), await place.link(node, place.gatewayOf(pod))];
  const eth0 = await place.link(place.pod(pod), 'eth0');
  const common = { port: TARGET_PORT, flags: 0, gen: 1, ifindex: veth.ifindex, l3if: gateway.ifindex, mtu: veth.mtu };
  const macs = { mac: mac(eth0.address), gatewayMac: mac(gateway.address) };
  return FAMILIES.flatMap((family, f) =>
    PROTOCOLS.flatMap((protocol, p) => {
      const slot = firstSlot + 2 * f + p;
      const backend = { ...common, ...macs, address: place.pod(pod)[family], protocol, svc: slot };
      const key = encodeFrontendKey({ address: NODE[family], port: NODE_PORTS[pod], protocol });
      return [
        put('be', encodeNumber(slot), encodeBackend(backend)),
        put('fe', key, encodeFrontend({ svc: slot, pass: false, slots: [slot] })),
      ];
    }),
  );
}

function put(map: string, key: Uint8Array, value: Uint8Array): string {
  return `put ${map} ${toHex(key)} ${toHex(value)}`;
}

/** The words of the port bits in which one of these is set. */
function bits(firstWord: number, ports: readonly number[]): string[] {
  const words = new Map<number, bigint>();
  for (const port of ports) words.set(port >> 6, (words.get(port >> 6) ?? 0n) | (1n << BigInt(port & 63)));
  return [...words].map(([at, word]) =>
    put('ports', encodeNumber(firstWord + at), new Uint8Array(new BigUint64Array([word]).buffer)),
  );
}
