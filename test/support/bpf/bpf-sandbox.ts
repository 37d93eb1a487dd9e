// A network namespace with the programs loaded: an uplink, another one, and two pods, as devices without anybody behind.
import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type BackendValue,
  decodeFlow,
  encodeBackend,
  encodeConfig,
  encodeFrontend,
  encodeFrontendKey,
  encodeSource,
  encodeU32,
  encodeUplink,
  type FastPathProtocol,
  type FlowEntry,
} from '../../../src/fastpath/maps/entries.ts';
import { fromHex, toHex } from '../../../src/fastpath/maps/hex.ts';
import { BACKEND_PORTS_OFFSET, FLOW, PORT_WORDS, TICK_NS } from '../../../src/fastpath/maps/layout.ts';
import type { Family } from '../../../src/net/family.ts';
import { execute, start } from '../netns/process.ts';
import { type EthernetAddresses, mac } from './frames.ts';
import { LineProcess } from './line-process.ts';

const DIST = fileURLToPath(new URL('../../../dist/bpf/', import.meta.url));

/** MAC addresses: the node's on the uplink and towards the pod, the router's and the pod's. */
export const MAC = {
  uplink: '02:00:00:00:00:01',
  router: '02:00:00:00:00:02',
  gateway: '02:00:00:00:00:11',
  pod: '02:00:00:00:00:12',
};

/** What frames carry on the four legs of a flow. */
export const ETHERNET_HEADERS = {
  fromClient: { from: MAC.router, to: MAC.uplink },
  toPod: { from: MAC.gateway, to: MAC.pod },
  fromPod: { from: MAC.pod, to: MAC.gateway },
} satisfies Record<string, EthernetAddresses>;

export interface TestAddresses {
  readonly node: string;
  readonly pod: string;
  readonly pod2: string;
  /** By the uplink, by the other uplink, without a route, and one that nft handles. */
  readonly client: string;
  readonly otherUplinkClient: string;
  readonly unroutableClient: string;
  readonly excludedClient: string;
}

export const ADDRESSES: Readonly<Record<'ip' | 'ip6', TestAddresses>> = {
  ip: {
    node: '192.0.2.1',
    pod: '10.9.0.2',
    pod2: '10.9.0.3',
    client: '198.51.100.7',
    otherUplinkClient: '203.0.113.7',
    unroutableClient: '100.64.0.7',
    excludedClient: '198.51.100.200',
  },
  ip6: {
    node: 'fd00:1::1',
    pod: 'fd00:9::2',
    pod2: 'fd00:9::3',
    client: 'fd00:2::7',
    otherUplinkClient: 'fd00:3::7',
    unroutableClient: 'fd00:4::7',
    excludedClient: 'fd00:2::200',
  },
};

export const DEVICE = { uplink: 10, other: 12, pod: 14, pod2: 16 };
export const MTU = 1300;
export const SERVICE_PORT = 30080;
/** A second frontend of the same backends. */
export const SECOND_PORT = 30081;
export const POD_PORT = 8080;

const SETUP_SCRIPT = `
set -e
mount -t bpf bpf "$1"
ip link add up0 index 10 address ${MAC.uplink} mtu ${MTU} type veth peer name lan0 index 11 address ${MAC.router}
ip link add up1 index 12 type veth peer name lan1 index 13
ip link add pod0 index 14 address ${MAC.gateway} mtu ${MTU} type veth peer name eth0 index 15 address ${MAC.pod}
ip link add pod1 index 16 address ${MAC.gateway} mtu ${MTU} type veth peer name eth1 index 17 address ${MAC.pod}
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0
for d in up0 lan0 up1 lan1 pod0 eth0 pod1 eth1; do
  sysctl -qw net.ipv6.conf.$d.accept_dad=0
  ip link set $d up
done
ip -batch - <<END
address add 192.0.2.1/24 dev up0
address add fd00:1::1/64 dev up0 nodad
address add 192.0.3.1/24 dev up1
address add fd00:5::1/64 dev up1 nodad
route add 198.51.100.0/24 via 192.0.2.254 dev up0
route add fd00:2::/64 via fd00:1::fe dev up0
route add 203.0.113.0/24 via 192.0.3.254 dev up1
route add fd00:3::/64 via fd00:5::fe dev up1
route add 10.9.0.2 dev pod0
route add 10.9.0.3 dev pod1
route add fd00:9::2 dev pod0
route add fd00:9::3 dev pod1
END
echo ready
exec cat
`;

export interface ProgramResult {
  /** -1 handed on, 7 redirected. */
  readonly verdict: number;
  readonly bytes: Uint8Array;
}

export const PASSED = -1;
export const REDIRECTED = 7;

export const TIMEOUT_SECONDS = {
  tcpSyn: 10,
  tcpAnswered: 30,
  tcpEstablished: 432_000,
  tcpClosed: 5,
  udpNew: 30,
  udpAnswered: 120,
  fragments: 30,
};

/** How another loader is started. */
interface LoaderOptions {
  readonly pins?: string;
  readonly capabilities?: readonly string[];
}

export class BpfNamespace {
  readonly loader: LineProcess;
  /** Whether the programs ask conntrack. Those that cannot, before Linux 5.18, leave UDP to nft. */
  readonly hasConntrackLookup: boolean;
  readonly #shell: LineProcess;
  readonly #harness: LineProcess;
  readonly #directory: string;
  readonly #pid: string;

  private constructor(
    holder: LineProcess,
    { loader, harness, hasConntrackLookup }: { loader: LineProcess; harness: LineProcess; hasConntrackLookup: boolean },
    directory: string,
  ) {
    this.#shell = holder;
    this.#pid = String(holder.child.pid);
    this.#harness = harness;
    this.#directory = directory;
    this.loader = loader;
    this.hasConntrackLookup = hasConntrackLookup;
  }

  /** Makes the namespace and loads the programs into it. The caller ends it. */
  static async create({ load = 'load' } = {}): Promise<BpfNamespace> {
    const directory = await mkdtemp(join(tmpdir(), 'nftlane-bpf-'));
    const holder = new LineProcess(start('unshare', ['-m', '-n', 'sh', '-c', SETUP_SCRIPT, 'sh', directory]));
    if ((await holder.readLine()) !== 'ready') throw new Error('The namespace is not ready');
    const inside = ['-t', String(holder.child.pid), '-m', '-n'];
    const pins = `${directory}/nftlane/v1`;
    const loader = new LineProcess(start('nsenter', [...inside, `${DIST}nftlane-bpf`, pins]));
    const asksConntrack = (await loader.requestOk(load)).status.includes('udp=yes');
    const harness = new LineProcess(start('nsenter', [...inside, `${DIST}bpf-harness`, pins, 'run']));
    return new BpfNamespace(holder, { loader, harness, hasConntrackLookup: asksConntrack }, directory);
  }

  /** What the programs take. */
  get protocols(): readonly FastPathProtocol[] {
    return this.hasConntrackLookup ? ['tcp', 'udp'] : ['tcp'];
  }

  /** For what holds with any protocol: UDP, whose packets all look alike, where the programs take it. */
  get anyProtocol(): FastPathProtocol {
    return this.hasConntrackLookup ? 'udp' : 'tcp';
  }

  /** Runs another program of the build in the namespace, with the directory of pins as its first argument. */
  async runTool(program: string, args: readonly string[], input: string): Promise<{ status: number; stdout: string }> {
    const inside = ['-t', this.#pid, '-m', '-n', `${DIST}${program}`, `${this.#directory}/nftlane/v1`];
    return await execute('nsenter', [...inside, ...args], { input, timeoutMs: 3_600_000 });
  }

  /** Runs any command in the namespace; rejects when it fails. */
  async exec(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await execute('nsenter', ['-t', this.#pid, '-m', '-n', ...args]);
    if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** Names of what is on the BPF file system, less those that the kernel puts there. */
  async pins(): Promise<string[]> {
    const found = await this.exec(
      'find',
      this.#directory,
      '-mindepth',
      '1',
      '!',
      '-name',
      '*.debug',
      '-printf',
      '%f\\n',
    );
    return found.split('\n').filter((name) => name !== '');
  }

  /** Another loader, on the same pins unless it is told otherwise; with no more than these capabilities. */
  startLoader({ pins = `${this.#directory}/nftlane/v1`, capabilities }: LoaderOptions = {}): LineProcess {
    const bounding = ['-all', ...(capabilities ?? []).map((name) => `+${name}`)].join();
    const limited = ['setpriv', '--no-new-privs', `--bounding-set=${bounding}`, '--inh-caps=-all', '--'];
    const inside = ['-t', this.#pid, '-m', '-n', ...(capabilities === undefined ? [] : limited)];
    return new LineProcess(start('nsenter', [...inside, `${DIST}nftlane-bpf`, pins]));
  }

  /** How the kernel lets programs be attached, the better way first. */
  async attachModes(): Promise<readonly ('tcx' | 'clsact')[]> {
    const { status } = await this.loader.requestOk('probe');
    return status.includes('attach=tcx') ? ['tcx', 'clsact'] : ['clsact'];
  }

  /** What a program makes of a frame. */
  async runPacket(
    program: 'uplink' | 'pod',
    bytes: Uint8Array,
    { device = program === 'pod' ? DEVICE.pod : DEVICE.uplink, gsoSize = 0 } = {},
  ): Promise<ProgramResult> {
    this.#harness.send(`${program} ${device} ${gsoSize} ${toHex(bytes)}`);
    const answer = await this.#harness.readLine();
    const [verdict = '', hex = ''] = answer.split(' ');
    if (verdict === 'error') throw new Error(`The kernel does not take the packet: ${answer}`);
    return { verdict: Number(verdict), bytes: fromHex(hex) };
  }

  async put(map: string, key: Uint8Array, value: Uint8Array): Promise<void> {
    await this.loader.requestOk(`put ${map} ${toHex(key)} ${toHex(value)}`);
  }

  async putConfig({
    create = true,
    seconds = {},
  }: {
    create?: boolean;
    seconds?: Partial<typeof TIMEOUT_SECONDS>;
  } = {}) {
    const timeouts = { ...TIMEOUT_SECONDS, ...seconds };
    await this.put('config', encodeU32(0), encodeConfig({ create, timeouts }));
  }

  async putBackend(
    slot: number,
    given: Partial<BackendValue> & Pick<BackendValue, 'address' | 'protocol'>,
  ): Promise<void> {
    const backend: BackendValue = {
      port: POD_PORT,
      flags: 0,
      ifindex: DEVICE.pod,
      gen: 1,
      svc: given.protocol === 'tcp' ? 1 : 2,
      l3if: DEVICE.pod,
      mtu: MTU,
      mac: mac(MAC.pod),
      gatewayMac: mac(MAC.gateway),
      ...given,
    };
    await this.put('backends', encodeU32(slot), encodeBackend(backend));
  }

  async putFrontend(
    address: string,
    protocol: FastPathProtocol,
    given: { port?: number; slots: readonly number[]; suspended?: boolean; svc?: number },
  ): Promise<void> {
    const { port = SERVICE_PORT, slots, suspended = false, svc = protocol === 'tcp' ? 1 : 2 } = given;
    const key = encodeFrontendKey({ address, port, protocol });
    await this.put('frontends', key, encodeFrontend({ svc, suspended, slots }));
  }

  async putPorts(frontends: readonly number[], backends: readonly number[]): Promise<void> {
    const words = new BigUint64Array(PORT_WORDS);
    const set = (base: number, port: number) => {
      const at = base + (port >> 6);
      words[at] = (words[at] ?? 0n) | (1n << BigInt(port & 63));
    };
    for (const port of frontends) set(0, port);
    for (const port of backends) set(BACKEND_PORTS_OFFSET, port);
    for (const [i, word] of words.entries()) {
      if (word !== 0n) await this.put('ports', encodeU32(i), new Uint8Array(new BigUint64Array([word]).buffer));
    }
  }

  /** One service with one pod, by TCP (slot 1) and UDP (slot 2), in both families (IPv6: slots 3 and 4). */
  async populate(): Promise<void> {
    await this.putConfig();
    await this.put('uplinks', encodeU32(DEVICE.uplink), encodeUplink(MTU));
    await this.put('uplinks', encodeU32(DEVICE.other), encodeUplink(1500));
    for (const [family, { node, pod, excludedClient }] of Object.entries(ADDRESSES)) {
      const first = family === 'ip' ? 1 : 3;
      const map = family === 'ip' ? 'sources_v4' : 'sources_v6';
      await this.put(map, encodeSource(excludedClient, family === 'ip' ? 32 : 128), encodeU32(1));
      for (const [i, protocol] of (['tcp', 'udp'] as const).entries()) {
        const slots = [first + i];
        await this.putBackend(first + i, { address: pod, protocol });
        for (const port of [SERVICE_PORT, SECOND_PORT]) await this.putFrontend(node, protocol, { port, slots });
      }
    }
    await this.putPorts([SERVICE_PORT, SECOND_PORT], [POD_PORT]);
  }

  /** Forgets flows and counts. */
  async flush(): Promise<void> {
    for (const map of ['flows_v4', 'flows_v6', 'fragments_v4', 'fragments_v6', 'stats', 'slot_counts'])
      await this.loader.requestOk(`flush ${map}`);
  }

  /** The reasons that have been counted. */
  async reasonCounts(): Promise<Record<string, number>> {
    const { lines } = await this.loader.requestOk('stats');
    const pairs = lines.map((line) => line.split(' ')).map(([, name = '', count]) => [name, Number(count)] as const);
    return Object.fromEntries(pairs.filter(([, count]) => count > 0));
  }

  async entries(map: string): Promise<(readonly [Uint8Array, Uint8Array])[]> {
    const { lines } = await this.loader.requestOk(`dump ${map}`);
    return lines.map((line) => line.split(' ')).map(([, key = '', value = '']) => [fromHex(key), fromHex(value)]);
  }

  /** Makes the flows of a family older, in seconds; of one direction, if that is given. */
  async ageFlows(family: Family, seconds: number, direction?: FlowEntry['direction']): Promise<void> {
    const map = family === 'ip' ? 'flows_v4' : 'flows_v6';
    const offset = FLOW[family].fields.find(({ name }) => name === 'last')?.offset ?? 0;
    for (const [key, value] of await this.entries(map)) {
      const flow = decodeFlow(family, key, value);
      if (direction !== undefined && flow.direction !== direction) continue;
      const last = (flow.lastTicks - Math.ceil((seconds * 1e9) / TICK_NS)) >>> 0;
      const older = Uint8Array.from(value);
      older.set(encodeU32(last), offset);
      await this.put(map, key, older);
    }
  }

  async close(): Promise<void> {
    for (const child of [this.loader, this.#harness, this.#shell]) child.kill();
    await rmdir(this.#directory).catch(() => {});
  }
}
