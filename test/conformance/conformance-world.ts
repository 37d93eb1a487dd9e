// The network of the conformance grid: one node with nftlane, one without, and hosts outside the cluster.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { readProxyFlags, withProxyFlags } from '../../src/cli/flags/proxy-flags.ts';
import type { Host } from '../../src/net/host.ts';
import type { ProxyOptions } from '../../src/nftables/compile/node-view.ts';
import { toRoute } from '../support/builders/arbitrary-packets.ts';
import type { ApiObject } from '../support/deployment/merge.ts';
import type { Daemon } from '../support/netns/daemon.ts';
import { type BundleOptions, buildProgram, installBundle, startDaemon } from '../support/netns/installation.ts';
import { nodeFlags, writeManifest } from '../support/netns/manifests.ts';
import type { Namespace } from '../support/netns/namespace.ts';
import { type Addresses, NODES, SERVICE_CIDRS } from '../support/netns/topology.ts';
import type { Dialer } from '../support/netns/traffic/dialer-process.ts';
import { startResponder } from '../support/netns/traffic/responder-process.ts';
import { createWorld, type World } from '../support/netns/world.ts';
import { poll } from '../support/wait-until.ts';
import { namespaceAddress, WRONG_PORT } from './cells.ts';
import { FastPathNode, type FastPathVariant } from './fast-path-node.ts';
import { EXTERNAL, PODS, TARGET_PORT, VIP } from './services.ts';

/** Maglev has thousands of slots for each frontend, and every comparison lists them. */
const READY_MS = 90_000;

/** A configuration of nftlane: its description and its flags. */
export interface Setup {
  readonly description: string;
  readonly flags: readonly string[];
}

/** The options that the flags of a setup set. */
export async function optionsOf({ flags }: Setup): Promise<ProxyOptions> {
  const command = withProxyFlags(new Command()).exitOverride();
  return readProxyFlags(command.parse([...nodeFlags('node1'), ...flags], { from: 'user' }).opts());
}

/** Builds the network. No daemon runs yet. */
export async function createConformanceWorld(): Promise<ConformanceWorld> {
  const scratch = await mkdtemp(join(tmpdir(), 'nftlane-grid-'));
  await mkdir(join(scratch, 'manifests'));
  const [program, world] = await Promise.all([
    buildProgram(join(scratch, 'nftlane.mjs')),
    createWorld({ pods: { node1: ['a', 'b', 'shell', 'outside'], node2: ['c', 'far'] } }),
  ]);
  await connectOutside(world);
  // A reused port must not match a conntrack entry of the previous setup.
  await world.node1.sysctl({
    'net.netfilter.nf_conntrack_udp_timeout': 2,
    'net.netfilter.nf_conntrack_udp_timeout_stream': 2,
  });
  const ports = { tcp: [TARGET_PORT], udp: [TARGET_PORT] };
  await Promise.all(Object.keys(PODS).map((pod) => world.pod(pod).respond(ports)));
  const wrong = { tcp: [WRONG_PORT], udp: [WRONG_PORT] };
  await startResponder(world.pod('outside'), { name: 'outside', ...EXTERNAL, ...wrong });
  await startResponder(world.pod('outside'), { name: 'outside', ...VIP, tcp: [], udp: [WRONG_PORT] });
  return new ConformanceWorld(world, { scratch, program });
}

/** Routes external addresses to the `outside` namespace, which answers, and Service addresses from node2 to node1. */
async function connectOutside(world: World): Promise<void> {
  const outside = world.pod('outside');
  const away = { ip: '198.51.100.0/24', ip6: '2001:db8:7::/64' };
  await outside.configure(
    [EXTERNAL, VIP].flatMap(({ ip, ip6 }) => [`address add ${ip}/32 dev lo`, `address add ${ip6}/128 dev lo nodad`]),
  );
  await world.node1.configure([
    `route add ${away.ip} via ${outside.ip} dev pod-outside`,
    `route add ${away.ip6} via ${outside.ip6} dev pod-outside`,
  ]);
  await world.node2.configure(
    [SERVICE_CIDRS, away].flatMap(({ ip, ip6 }) => [
      `route add ${ip} via ${NODES.node1.ip}`,
      `route add ${ip6} via ${NODES.node1.ip6}`,
    ]),
  );
}

export class ConformanceWorld {
  readonly #world: World;
  readonly #scratch: string;
  readonly #program: string;
  readonly #dialers = new Map<string, Promise<Dialer>>();
  #daemon: Daemon | undefined;

  constructor(world: World, { scratch, program }: { scratch: string; program: string }) {
    this.#world = world;
    this.#scratch = scratch;
    this.#program = program;
  }

  addressOf(namespace: string): Addresses {
    return namespaceAddress(namespace, (pod) => this.#world.pod(pod));
  }

  /** The addresses and routes of the tested node. */
  get host(): Host {
    const { node1 } = NODES;
    const pods = ['a', 'b', 'shell', 'outside'];
    const podRoutes = pods.flatMap((pod) => [
      toRoute(`${this.addressOf(pod).ip}/32`, `pod-${pod}`),
      toRoute(`${this.addressOf(pod).ip6}/128`, `pod-${pod}`),
    ]);
    const others = [toRoute('198.51.100.0/24', 'pod-outside'), toRoute('2001:db8:7::/64', 'pod-outside')];
    return {
      addresses: [node1.ip, node1.ip6, node1.gateway.ip, node1.gateway.ip6],
      routes: [...podRoutes, ...others, toRoute('0.0.0.0/0', 'lan'), toRoute('::/0', 'lan')],
    };
  }

  /** The namespace of the tested node. */
  get node(): Namespace {
    return this.#world.node1;
  }

  /** Starts nftlane with these objects, and resolves when the kernel has the complete ruleset. */
  async proxy(objects: readonly ApiObject[], { flags }: Setup, fast?: FastPathNode): Promise<void> {
    await this.stop();
    const manifests = join(this.#scratch, 'manifests');
    await writeManifest(manifests, 'grid.yaml', objects);
    const installation = installBundle(this.#world.node1, this.#bundle);
    const all = ['--manifests', manifests, ...nodeFlags('node1'), ...flags];
    this.#daemon = fast?.startDaemon(all) ?? startDaemon(installation, all);
    const daemon = this.#daemon;
    await poll(() => installation.exec(['diff'], { timeoutMs: READY_MS }), {
      until: ({ status }) => status === 0,
      failure: ({ stdout, stderr }) => `Not ready, last "${daemon.log.at(-1)?.msg}": ${stdout.slice(0, 1000)}${stderr}`,
      timeoutMs: READY_MS,
      everyMs: 200,
    });
  }

  dialer(namespace: string): Promise<Dialer> {
    const known = this.#dialers.get(namespace) ?? this.#namespace(namespace).dialer();
    this.#dialers.set(namespace, known);
    return known;
  }

  /** Prepares the node for the fast path. The caller closes it after stopping the daemon. */
  createFastPathNode(variant: FastPathVariant): Promise<FastPathNode> {
    return FastPathNode.make(this.#world, variant, { scratch: this.#scratch, bundle: this.#bundle });
  }

  /** Stops nftlane; its rules stay. */
  async stop(): Promise<void> {
    await this.#daemon?.stop();
    this.#daemon = undefined;
  }

  async close(): Promise<void> {
    await this.stop();
    await this.#world.destroy();
    await rm(this.#scratch, { recursive: true, force: true });
  }

  get #bundle(): BundleOptions {
    return { program: this.#program, runDir: join(this.#scratch, 'run') };
  }

  #namespace(name: string): Namespace {
    const { client, node1, node2 } = this.#world;
    const fixed: Readonly<Record<string, Namespace>> = { client, node1, node2 };
    return fixed[name] ?? this.#world.pod(name);
  }
}
