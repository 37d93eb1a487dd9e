// The demo's cluster: network namespaces, pods, manifests, and nftlane on both nodes.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServiceView } from '../../src/inspect/service-view.ts';
import type { Daemon } from '../support/netns/daemon.ts';
import { type Installation, installBundle, startDaemon } from '../support/netns/installation.ts';
import { nodeFlags, nodeObjects, writeManifest } from '../support/netns/manifests.ts';
import type { NodeName } from '../support/netns/topology.ts';
import type { Dialer } from '../support/netns/traffic/dialer-process.ts';
import { createWorld, type World } from '../support/netns/world.ts';
import { type DemoService, DNS, SERVICES, WEB, writeEndpoints, writeService } from './services.ts';

const PROGRAM = fileURLToPath(new URL('../../dist/nftlane.mjs', import.meta.url));
const NODES: readonly NodeName[] = ['node1', 'node2'];

/** The pods of each node. `shell` only makes connections. */
const PODS = { node1: ['web-1', 'web-2', 'dns-1'], node2: ['web-3', 'dns-2', 'shell'] } as const;

export class DemoCluster {
  readonly world: World;
  readonly manifests: string;
  readonly #runDir: string;
  readonly #daemons: Daemon[] = [];
  readonly #dialers = new Map<string, Promise<Dialer>>();

  constructor(world: World, scratch: string) {
    this.world = world;
    this.manifests = join(scratch, 'manifests');
    this.#runDir = join(scratch, 'run');
  }

  /** A program in the client's or a pod's namespace that makes connections. */
  dialer(from: 'client' | 'shell'): Promise<Dialer> {
    const namespace = from === 'client' ? this.world.client : this.world.pod(from);
    const dialer = this.#dialers.get(from) ?? namespace.dialer();
    this.#dialers.set(from, dialer);
    return dialer;
  }

  async writeManifests(): Promise<void> {
    const { manifests } = this;
    await mkdir(manifests);
    await writeManifest(manifests, 'nodes.yaml', nodeObjects());
    await Promise.all(SERVICES.map((service) => writeService(manifests, service)));
    await Promise.all([WEB, DNS].map((service) => this.writeEndpoints(service, service.pods)));
  }

  /** Makes these pods the endpoints of a Service. */
  writeEndpoints(service: DemoService, pods: readonly string[]): Promise<void> {
    return writeEndpoints(this.manifests, { world: this.world, service, pods });
  }

  /** Starts nftlane on both nodes, and resolves when both rulesets are complete. */
  async startDaemons(): Promise<void> {
    const flags = ['--manifests', this.manifests, '--log-level', 'warn'];
    for (const node of NODES) {
      this.#daemons.push(startDaemon(this.#installation(node), [...flags, ...nodeFlags(node)]));
    }
    await Promise.all(this.#daemons.map((daemon) => daemon.waitUntilReady()));
  }

  /** Runs a command of nftlane on a node. */
  run(node: NodeName, ...args: readonly string[]) {
    return this.#installation(node).exec(args);
  }

  /** The output of `nftlane inspect services` for a Service on each node. */
  async inspect({ name }: DemoService): Promise<ServiceView[]> {
    const printed = await Promise.all(NODES.map((node) => this.run(node, 'inspect', 'services', name, '-o', 'json')));
    return printed.flatMap(({ stdout }) => JSON.parse(stdout).services);
  }

  /** Whether the kernel of every node has exactly the desired ruleset. */
  async isClean(): Promise<boolean> {
    const results = await Promise.all(NODES.map((node) => this.run(node, 'diff')));
    return results.every(({ status }) => status === 0);
  }

  /** Adds a pod that answers for a Service but is not its endpoint yet. */
  async addPod(node: NodeName, name: string, service: DemoService): Promise<void> {
    const pod = await this.world.addPod(node, name);
    await pod.respond(ports(service));
  }

  async close(): Promise<void> {
    await Promise.all(this.#daemons.map((daemon) => daemon.stop()));
    await this.world.destroy();
  }

  #installation(node: NodeName): Installation {
    return installBundle(this.world[node], { program: PROGRAM, runDir: this.#runDir });
  }
}

/** Builds the network with answering pods. */
export async function createDemoCluster(scratch: string): Promise<DemoCluster> {
  const world = await createWorld({ pods: PODS });
  const answering = [WEB, DNS].flatMap((service) => service.pods.map((pod) => world.pod(pod).respond(ports(service))));
  await Promise.all(answering);
  return new DemoCluster(world, scratch);
}

function ports({ port: { protocol, targetPort } }: DemoService) {
  return { [protocol]: [targetPort] };
}
