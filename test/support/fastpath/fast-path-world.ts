// A node that runs nftlane with the fast path, an external client, and pods of two kinds: routed and behind a bridge.
//
//   client ── lan ── node1 ┬── pod-a, pod-b     routed, 10.1.1.10 and .11
//                          └── br0 ┬── port-c   behind a bridge, 10.1.1.128/25
//                                  └── port-d

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastPathStatus } from '../../../src/fastpath/status/fast-path-status.ts';
import type { ApiObject } from '../deployment/merge.ts';
import { BpfMount, LOADER } from '../netns/bpf-mount.ts';
import type { Daemon } from '../netns/daemon.ts';
import { buildProgram, type Installation, installBundle, startDaemon } from '../netns/installation.ts';
import {
  dualStackService,
  dualStackSlices,
  nodeFlags,
  nodeObjects,
  serviceAddresses,
  writeManifest,
} from '../netns/manifests.ts';
import { Namespace } from '../netns/namespace.ts';
import { type ExecResult, execute } from '../netns/process.ts';
import type { Addresses } from '../netns/topology.ts';
import { createWorld, type World } from '../netns/world.ts';
import { poll } from '../wait-until.ts';

export const TARGET_PORT = 8080;
export const NODE_PORT = 30080;
/** Enough for an emulated machine. */
const TIMEOUT_MS = 60_000;

/** The gateway of the pods behind the bridge. */
export const BRIDGE = { ip: '10.1.1.129', ip6: 'fd00:1:1:1::1' };

/** The network of a remote client. */
const FAR_NETWORK = {
  net: { ip: '203.0.113.0/24', ip6: '2001:db8:9::/64' },
  router: { ip: '203.0.113.1', ip6: '2001:db8:9::1' },
  client: { ip: '203.0.113.7', ip6: '2001:db8:9::7' },
};

/** nftlane with the fast path, installed on the node. Its commands see the node's BPF file system. */
export interface FastPathInstallation extends Installation {
  /** Flags of `run` in addition to those of the world and the test. */
  readonly runFlags: readonly string[];
  readonly cleanupFlags: readonly string[];
}

/** The node to install on. */
export interface NodeFixture {
  readonly world: World;
  /** Directories of the node: `manifests`, `run`, and `bpf`, where `mount` is. */
  readonly scratch: string;
  readonly mount: BpfMount;
}

export type InstallFastPath = (node: NodeFixture) => Promise<FastPathInstallation>;

/** Creates the world with pods `a` and `b` on the node. nftlane is installed as the bundle by default. */
export async function createFastPathWorld(install: InstallFastPath = installFastPathBundle) {
  const scratch = await mkdtemp(join(tmpdir(), 'nftlane-fast-'));
  await Promise.all(['manifests', 'run'].map((name) => mkdir(join(scratch, name))));
  const mount = await BpfMount.make(join(scratch, 'bpf'));
  const world = await createWorld({ pods: { node1: ['a', 'b'] } });
  const node = { world, scratch, mount };
  return new FastPathWorld(node, await install(node));
}

async function installFastPathBundle({ world, scratch, mount }: NodeFixture): Promise<FastPathInstallation> {
  const program = await buildProgram(join(scratch, 'nftlane.mjs'));
  const flags = ['--fast-path-dir', mount.pins, '--fast-path-program', LOADER];
  return {
    ...installBundle(world.node1, { program, runDir: join(scratch, 'run'), mount }),
    runFlags: ['--manifests', join(scratch, 'manifests'), ...flags],
    cleanupFlags: flags,
  };
}

export class FastPathWorld {
  readonly world: World;
  readonly #node: NodeFixture;
  readonly #scratch: string;
  readonly #mount: BpfMount;
  #installation: FastPathInstallation;
  #daemon: Daemon | undefined;
  readonly #bridged: Namespace[] = [];

  constructor(node: NodeFixture, installation: FastPathInstallation) {
    this.world = node.world;
    this.#node = node;
    this.#scratch = node.scratch;
    this.#mount = node.mount;
    this.#installation = installation;
  }

  /** Installs nftlane in another way. */
  async install(install: InstallFastPath): Promise<void> {
    this.#installation = await install(this.#node);
  }

  get daemon(): Daemon {
    if (this.#daemon === undefined) throw new Error('Cannot use daemon: not started');
    return this.#daemon;
  }

  /** Adds two pods behind a bridge of the node. */
  async addBridge(): Promise<Namespace[]> {
    const { node1 } = this.world;
    await node1.configure([
      // A fixed MAC address, as network plugins set it: one inherited from a port would change when the port is deleted.
      'link add name br0 address 02:00:00:00:01:01 type bridge forward_delay 0 mcast_snooping 0',
      'link set dev br0 up',
      `address add ${BRIDGE.ip}/25 dev br0`,
      `address add ${BRIDGE.ip6}/64 dev br0 nodad`,
    ]);
    for (const [i, name] of ['c', 'd'].entries()) {
      const pod = await this.world.addPod('node1', name);
      const [ip, ip6] = [`10.1.1.${140 + i}`, `fd00:1:1:1::${140 + i}`];
      // addPod() creates a routed pod: its device is replaced by a bridge port.
      await node1.configure([`link delete dev pod-${name}`]);
      await node1.configure([
        `link add name port-${name} type veth peer name eth0 netns ${pod.name}`,
        `link set dev port-${name} master br0 up`,
      ]);
      await pod.configure([
        'link set dev eth0 up',
        `address add ${ip}/25 dev eth0`,
        `address add ${ip6}/64 dev eth0 nodad`,
        `route add default via ${BRIDGE.ip}`,
        `route add default via ${BRIDGE.ip6}`,
      ]);
      this.#bridged.push(new Namespace(name, { name: pod.name, ip, ip6 }));
    }
    return this.#bridged;
  }

  /**
   * Adds a client behind node2 and a router. Neither end knows the MTU of the link between the two:
   *
   *   far ── router ── 1300 bytes ── node2 ── lan ── node1
   */
  async addFarClient(mtu: number): Promise<Namespace> {
    const { node1, node2 } = this.world;
    const router = await this.world.addPod('node2', 'router');
    const far = await this.world.addPod('node2', 'far');
    await node2.configure([`link set dev pod-router mtu ${mtu}`, 'link delete dev pod-far']);
    await router.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 });
    await router.configure([
      `link set dev eth0 mtu ${mtu}`,
      `link add name far type veth peer name eth0 netns ${far.name}`,
      'link set dev far up',
      `address add ${FAR_NETWORK.router.ip}/24 dev far`,
      `address add ${FAR_NETWORK.router.ip6}/64 dev far nodad`,
    ]);
    await far.configure([
      'link set dev eth0 up',
      `address add ${FAR_NETWORK.client.ip}/24 dev eth0`,
      `address add ${FAR_NETWORK.client.ip6}/64 dev eth0 nodad`,
      `route add default via ${FAR_NETWORK.router.ip}`,
      `route add default via ${FAR_NETWORK.router.ip6}`,
    ]);
    for (const family of ['ip', 'ip6'] as const) {
      await node2.configure([`route add ${FAR_NETWORK.net[family]} via ${router[family]}`]);
      await node1.configure([`route add ${FAR_NETWORK.net[family]} via ${node2[family]}`]);
    }
    return new Namespace('far', { name: far.name, ...FAR_NETWORK.client });
  }

  /**
   * Writes a Service with externalTrafficPolicy Local, a node port, and these pods as endpoints. Returns its cluster IPs,
   * the nth of their ranges.
   */
  async writeService(
    name: string,
    n: number,
    options: { pods: readonly Namespace[]; nodePort: number; overrides?: ApiObject },
  ): Promise<Addresses> {
    const { pods, nodePort, overrides = { spec: { externalTrafficPolicy: 'Local' } } } = options;
    const ports = (['tcp', 'udp'] as const).map((protocol) => ({
      ...{ name: protocol, protocol, port: 80, targetPort: TARGET_PORT, nodePort },
    }));
    const at = serviceAddresses(n);
    const object = dualStackService(name, at, { ports, overrides });
    const endpoints = pods.map(({ ip, ip6 }) => ({ ip, ip6, nodeName: 'node1' as const }));
    const slices = dualStackSlices(name, ports, endpoints);
    await writeManifest(this.manifests, `${name.replace('/', '-')}.yaml`, [object, ...slices]);
    return at;
  }

  async startDaemon(...flags: readonly string[]): Promise<Daemon> {
    await writeManifest(this.manifests, 'nodes.yaml', nodeObjects());
    this.#daemon = startDaemon(this.#installation, this.#runFlags(flags));
    await this.#daemon.waitUntilReady();
    return this.#daemon;
  }

  /** Runs a daemon that is expected to exit by itself. */
  runDaemonToExit(...flags: readonly string[]): Promise<ExecResult> {
    return this.execNftlane('run', ...this.#runFlags(flags));
  }

  async killDaemon(): Promise<void> {
    await this.#daemon?.kill();
  }

  /** Runs a command of nftlane on the node, with its BPF file system. */
  execNftlane(...args: readonly string[]): Promise<ExecResult> {
    return this.#installation.exec(args);
  }

  cleanup(): Promise<ExecResult> {
    return this.execNftlane('cleanup', ...this.#installation.cleanupFlags);
  }

  async inspect(): Promise<FastPathStatus> {
    const { stdout, stderr } = await this.execNftlane('inspect', 'fastpath', '-o', 'json');
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout);
  }

  /** Waits until the status satisfies a condition. */
  waitFor(condition: string, holds: (status: FastPathStatus) => boolean): Promise<FastPathStatus> {
    return poll(() => this.inspect(), {
      until: holds,
      failure: (view) => `Timed out waiting until ${condition}\n${JSON.stringify(view, null, 1)}`,
      timeoutMs: TIMEOUT_MS,
      everyMs: 100,
    });
  }

  /** Sends a request to a loader of its own. */
  async requestLoader(request: string): Promise<string[]> {
    const [lines = []] = await this.#mount.request(this.world.node1, request);
    return [...lines];
  }

  /** Waits until the maps have fewer flows than this in each family. */
  async waitForFewerFlows(flows: number, timeoutMs: number): Promise<void> {
    const countFlows = async (map: string): Promise<number> => {
      const entries = (await this.requestLoader(`dump ${map}`)).filter((line) => line.startsWith('entry '));
      return entries.length / 2;
    };
    await poll(async () => [await countFlows('flows_v4'), await countFlows('flows_v6')], {
      until: (counts) => counts.every((count) => count < flows),
      failure: (counts) => `Timed out waiting for fewer than ${flows} flows: ${counts.join(', ')}`,
      timeoutMs,
      everyMs: 500,
    });
  }

  /** Sums the packet counts of reasons, as read from the maps. */
  async countReasons(...reasons: readonly string[]): Promise<number> {
    const counts = (await this.requestLoader('stats')).map((line) => line.split(' '));
    return counts.reduce((sum, [, name = '', count]) => sum + (reasons.includes(name) ? Number(count) : 0), 0);
  }

  /** Lists the pins and their directories. */
  async pins(): Promise<string> {
    const { mountNamespaceArgs } = this.#mount;
    const found = [join(this.#scratch, 'bpf'), '-mindepth', '1', '!', '-name', '*.debug'];
    const { stdout } = await execute('nsenter', [...mountNamespaceArgs, 'find', ...found]);
    return stdout;
  }

  /** Counts the node's conntrack entries for a port. */
  async conntrackCount(port: number): Promise<number> {
    const lists = await Promise.all(
      ['ipv4', 'ipv6'].map((family) => this.world.node1.output('conntrack', ['-L', '-f', family])),
    );
    return lists
      .join('')
      .split('\n')
      .filter((line) => line.includes(`dport=${port}`)).length;
  }

  async close(): Promise<void> {
    await this.#daemon?.stop();
    for (const pod of this.#bridged) pod.killChildren();
    await this.#mount.close();
    await this.world.destroy();
    await rm(this.#scratch, { recursive: true, force: true });
  }

  /** The daemon's directory of manifests. */
  get manifests(): string {
    return join(this.#scratch, 'manifests');
  }

  #runFlags(flags: readonly string[]): string[] {
    const all = [...this.#installation.runFlags, ...nodeFlags('node1'), '--log-level', 'debug', '--log-format', 'json'];
    return [...all, '--healthz-bind-address', '', '--table-ownership', 'auto', ...flags];
  }
}
