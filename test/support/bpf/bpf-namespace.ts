// A network namespace with the programs loaded, which a harness runs on single packets.

import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import {
  type BackendValue,
  decodeFlow,
  encodeU32,
  type FastPathProtocol,
  type FlowEntry,
} from '../../../src/fastpath/maps/entries.ts';
import { fromHex, toHex } from '../../../src/fastpath/maps/hex.ts';
import { FLOW, TICK_NS } from '../../../src/fastpath/maps/layout.ts';
import { putBackend, putFrontend, SOURCE_VALUE, sourceEntry } from '../../../src/fastpath/maps/requests.ts';
import { FAMILIES, type Family } from '../../../src/net/family.ts';
import { execute, start } from '../netns/process.ts';
import type { FlowFrames } from './flow-frames.ts';
import { ACK, mac, SYN } from './frames.ts';
import { LineProcess } from './line-process.ts';
import { batch, type ConfigOverrides, put, putConfig, putPorts, putUplink } from './map-requests.ts';
import { ADDRESSES, DEVICE, MAC, MTU, POD_PORT, SECOND_PORT, SERVICE_PORT, SETUP_SCRIPT } from './test-network.ts';

const DIST = fileURLToPath(new URL('../../../dist/bpf/', import.meta.url));

/** Verdicts of tc programs: TC_ACT_UNSPEC and TC_ACT_REDIRECT. */
export const PASSED = -1;
export const REDIRECTED = 7;

export interface ProgramResult {
  readonly verdict: number;
  readonly bytes: Uint8Array;
}

interface LoaderOptions {
  readonly pins?: string;
  /** By default, all of root's. */
  readonly capabilities?: readonly string[];
}

interface Parts {
  readonly holder: LineProcess;
  readonly loader: LineProcess;
  readonly harness: LineProcess;
  readonly hasConntrackLookup: boolean;
  readonly directory: string;
}

export class BpfNamespace {
  readonly loader: LineProcess;
  /** Whether the programs look up conntrack entries. Those that cannot (before Linux 5.18) leave UDP to nft. */
  readonly hasConntrackLookup: boolean;
  readonly #holder: LineProcess;
  readonly #harness: LineProcess;
  readonly #directory: string;
  readonly #pid: string;

  private constructor({ holder, loader, harness, hasConntrackLookup, directory }: Parts) {
    this.#holder = holder;
    this.#pid = String(holder.child.pid);
    this.#harness = harness;
    this.#directory = directory;
    this.loader = loader;
    this.hasConntrackLookup = hasConntrackLookup;
  }

  /** Creates the namespace and loads the programs. The caller closes it. */
  static async create({ load = 'load' } = {}): Promise<BpfNamespace> {
    const directory = await mkdtemp(join(tmpdir(), 'nftlane-bpf-'));
    const holder = new LineProcess(start('unshare', ['-m', '-n', 'sh', '-c', SETUP_SCRIPT, 'sh', directory]));
    if ((await holder.readLine()) !== 'ready') throw new Error('Cannot set up the namespace');
    const inside = ['-t', String(holder.child.pid), '-m', '-n'];
    const pins = `${directory}/nftlane/v1`;
    const loader = new LineProcess(start('nsenter', [...inside, `${DIST}nftlane-bpf`, pins]));
    const hasConntrackLookup = (await loader.requestOk(load)).status.includes('udp=yes');
    const harness = new LineProcess(start('nsenter', [...inside, `${DIST}bpf-harness`, pins, 'run']));
    return new BpfNamespace({ holder, loader, harness, hasConntrackLookup, directory });
  }

  /** Creates the namespace of a test file, with the maps of {@link populate} and without flows before each test. */
  static async forTests(t: Test, options: { load?: string } = {}): Promise<BpfNamespace> {
    const netns = await BpfNamespace.create(options);
    t.teardown(() => netns.close());
    await netns.populate();
    t.beforeEach(() => netns.flush());
    return netns;
  }

  /** The protocols that the programs take. */
  get protocols(): readonly FastPathProtocol[] {
    return this.hasConntrackLookup ? ['tcp', 'udp'] : ['tcp'];
  }

  /** For tests of either protocol: UDP, whose packets are all alike, if the programs take it. */
  get anyProtocol(): FastPathProtocol {
    return this.hasConntrackLookup ? 'udp' : 'tcp';
  }

  /** Runs another program of the build in the namespace, with the pin directory as its first argument. */
  async runTool(
    program: string,
    { args, input }: { args: readonly string[]; input: string },
  ): Promise<{ status: number; stdout: string }> {
    const inside = ['-t', this.#pid, '-m', '-n', `${DIST}${program}`, `${this.#directory}/nftlane/v1`];
    return await execute('nsenter', [...inside, ...args], { input, timeoutMs: 3_600_000 });
  }

  /** Runs a command in the namespace; rejects when it fails. */
  async exec(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await execute('nsenter', ['-t', this.#pid, '-m', '-n', ...args]);
    if (status !== 0) throw new Error(`Cannot run "${args.join(' ')}": ${stderr}`);
    return stdout;
  }

  /** The names on the BPF file system, without those that the kernel creates. */
  async pins(): Promise<string[]> {
    const find = ['find', this.#directory, '-mindepth', '1', '!', '-name', '*.debug', '-printf', '%f\\n'];
    return (await this.exec(...find)).split('\n').filter((name) => name !== '');
  }

  /** Starts another loader, with the same pins unless others are given. */
  startLoader({ pins = `${this.#directory}/nftlane/v1`, capabilities }: LoaderOptions = {}): LineProcess {
    const bounding = ['-all', ...(capabilities ?? []).map((name) => `+${name}`)].join();
    const limited = ['setpriv', '--no-new-privs', `--bounding-set=${bounding}`, '--inh-caps=-all', '--'];
    const inside = ['-t', this.#pid, '-m', '-n', ...(capabilities === undefined ? [] : limited)];
    return new LineProcess(start('nsenter', [...inside, `${DIST}nftlane-bpf`, pins]));
  }

  /** The hooks that the kernel has, the preferred one first. */
  async attachModes(): Promise<readonly ('tcx' | 'clsact')[]> {
    const { status } = await this.loader.requestOk('probe');
    return status.includes('attach=tcx') ? ['tcx', 'clsact'] : ['clsact'];
  }

  /** Runs a program on a frame. */
  async runPacket(
    program: 'uplink' | 'pod',
    bytes: Uint8Array,
    { device = program === 'pod' ? DEVICE.pod : DEVICE.uplink, gsoSize = 0 } = {},
  ): Promise<ProgramResult> {
    this.#harness.send(`${program} ${device} ${gsoSize} ${toHex(bytes)}`);
    const answer = await this.#harness.readLine();
    const [verdict = '', hex = ''] = answer.split(' ');
    if (verdict === 'error') throw new Error(`Cannot run the program on a packet: ${answer}`);
    return { verdict: Number(verdict), bytes: fromHex(hex) };
  }

  /** Creates a TCP flow by a three-way handshake. */
  async establish(flow: FlowFrames): Promise<void> {
    await this.runPacket('uplink', flow.fromClient({ flags: SYN }));
    await this.runPacket('pod', flow.fromPod({ flags: SYN | ACK }));
    await this.runPacket('uplink', flow.fromClient());
  }

  async putConfig(overrides: ConfigOverrides = {}): Promise<void> {
    await this.loader.requestOk(putConfig(overrides));
  }

  async putBackend(
    slot: number,
    overrides: Partial<BackendValue> & Pick<BackendValue, 'address' | 'protocol'>,
  ): Promise<void> {
    const backend: BackendValue = {
      port: POD_PORT,
      flags: 0,
      ifindex: DEVICE.pod,
      gen: 1,
      svc: overrides.protocol === 'tcp' ? 1 : 2,
      l3if: DEVICE.pod,
      mtu: MTU,
      mac: mac(MAC.pod),
      gatewayMac: mac(MAC.gateway),
      ...overrides,
    };
    await this.loader.requestOk(putBackend(slot, backend));
  }

  async putFrontend(
    address: string,
    protocol: FastPathProtocol,
    frontend: { port?: number; slots: readonly number[]; suspended?: boolean; svc?: number },
  ): Promise<void> {
    const { port = SERVICE_PORT, slots, suspended = false, svc = protocol === 'tcp' ? 1 : 2 } = frontend;
    await this.loader.requestOk(putFrontend({ address, port, protocol }, { svc, suspended, slots }));
  }

  async putPorts(ports: { frontends: readonly number[]; backends: readonly number[] }): Promise<void> {
    await this.loader.requestOk(batch(putPorts(ports)));
  }

  /** One Service with one pod, by TCP (slot 1) and UDP (slot 2), in both families (IPv6: slots 3 and 4). */
  async populate(): Promise<void> {
    await this.putConfig();
    await this.loader.requestOk(putUplink({ ifindex: DEVICE.uplink, mtu: MTU }));
    await this.loader.requestOk(putUplink({ ifindex: DEVICE.other, mtu: 1500 }));
    for (const family of FAMILIES) {
      const { node, pod, excludedClient } = ADDRESSES[family];
      const first = family === 'ip' ? 1 : 3;
      const length = family === 'ip' ? 32 : 128;
      const source = sourceEntry({ family, text: `${excludedClient}/${length}`, length });
      await this.loader.requestOk(`put ${source} ${SOURCE_VALUE}`);
      for (const [i, protocol] of (['tcp', 'udp'] as const).entries()) {
        const slots = [first + i];
        await this.putBackend(first + i, { address: pod, protocol });
        for (const port of [SERVICE_PORT, SECOND_PORT]) await this.putFrontend(node, protocol, { port, slots });
      }
    }
    await this.putPorts({ frontends: [SERVICE_PORT, SECOND_PORT], backends: [POD_PORT] });
  }

  /** Deletes flows and fragments, and zeroes the counters. */
  async flush(): Promise<void> {
    for (const map of ['flows_v4', 'flows_v6', 'fragments_v4', 'fragments_v6', 'stats', 'slot_counts'])
      await this.loader.requestOk(`flush ${map}`);
  }

  /** The counters that are not 0, by reason. */
  async reasonCounts(): Promise<Record<string, number>> {
    const { lines } = await this.loader.requestOk('stats');
    const pairs = lines.map((line) => line.split(' ')).map(([, name = '', count]) => [name, Number(count)] as const);
    return Object.fromEntries(pairs.filter(([, count]) => count > 0));
  }

  async entries(map: string): Promise<(readonly [Uint8Array, Uint8Array])[]> {
    const { lines } = await this.loader.requestOk(`dump ${map}`);
    return lines.map((line) => line.split(' ')).map(([, key = '', value = '']) => [fromHex(key), fromHex(value)]);
  }

  /** The entries of the flows of a family, two for each flow. */
  async flows(family: Family): Promise<FlowEntry[]> {
    return (await this.entries(flowMap(family))).map(([key, value]) => decodeFlow(family, key, value));
  }

  /** Ages the flow entries of a family by seconds; those of one direction if it is given. */
  async ageFlows(family: Family, seconds: number, direction?: FlowEntry['direction']): Promise<void> {
    const map = flowMap(family);
    const offset = FLOW[family].fields.find(({ name }) => name === 'last')?.offset ?? 0;
    for (const [key, value] of await this.entries(map)) {
      const flow = decodeFlow(family, key, value);
      if (direction !== undefined && flow.direction !== direction) continue;
      const last = (flow.lastTicks - Math.ceil((seconds * 1e9) / TICK_NS)) >>> 0;
      const older = Uint8Array.from(value);
      older.set(encodeU32(last), offset);
      await this.loader.requestOk(put(map, key, older));
    }
  }

  async close(): Promise<void> {
    for (const child of [this.loader, this.#harness, this.#holder]) child.kill();
    await rmdir(this.#directory).catch(() => {});
  }
}

export function flowMap(family: Family): 'flows_v4' | 'flows_v6' {
  return family === 'ip' ? 'flows_v4' : 'flows_v6';
}
