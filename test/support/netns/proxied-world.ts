// A world with nftlane running on both nodes, for tests with real packets.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { FAMILIES } from '../../../src/net/family.ts';
import { DRAINING } from '../builders/slice.ts';
import { type ApiObject, merge } from '../deployment/merge.ts';
import { poll } from '../wait-until.ts';
import type { Daemon } from './daemon.ts';
import { buildProgram, type Installation, installBundle, startDaemon } from './installation.ts';
import {
  dualStackService,
  nodeFlags,
  nodeObjects,
  type PortSpec,
  serviceAddresses,
  serviceCidrObject,
  sliceObjects,
  writeManifest,
} from './manifests.ts';
import type { Addresses, NodeName } from './topology.ts';
import { createWorld, type World } from './world.ts';

const TARGET_PORT = 8080;

/** The ports of every Service in the tests, with the port at which every pod answers. */
export const PORTS: readonly PortSpec[] = [
  { name: 'tcp', protocol: 'tcp', port: 80, targetPort: TARGET_PORT },
  { name: 'udp', protocol: 'udp', port: 80, targetPort: TARGET_PORT },
];

export interface ServiceSpec {
  readonly pods: readonly string[];
  readonly ports?: readonly PortSpec<string>[];
  /** Any other fields of the object. */
  readonly overrides?: ApiObject;
}

const NODES: readonly NodeName[] = ['node1', 'node2'];
const SYNC_TIMEOUT_MS = 10_000;

/**
 * Pods `a` and `b` on the first node and `c` on the second answer; `shell` and `far` only make connections. The world is
 * destroyed after the tests of `t`.
 */
export async function createProxiedWorld(t: Pick<Test, 'teardown'>): Promise<ProxiedWorld> {
  const scratch = await mkdtemp(join(tmpdir(), 'nftlane-proxied-'));
  const manifests = join(scratch, 'manifests');
  await mkdir(manifests);
  const [program, world] = await Promise.all([
    buildProgram(join(scratch, 'nftlane.mjs')),
    createWorld({ pods: { node1: ['a', 'b', 'shell'], node2: ['c', 'far'] } }),
  ]);
  await writeManifest(manifests, 'nodes.yaml', [...nodeObjects(), serviceCidrObject()]);
  const ports = { tcp: [TARGET_PORT], udp: [TARGET_PORT] };
  await Promise.all(['a', 'b', 'c'].map((pod) => world.pod(pod).respond(ports)));
  const bundle = { program, runDir: join(scratch, 'run') };
  const installations = { node1: installBundle(world.node1, bundle), node2: installBundle(world.node2, bundle) };
  const proxied = new ProxiedWorld(world, { scratch, manifests, installations });
  t.teardown(() => proxied.close());
  await proxied.waitForSync();
  return proxied;
}

export class ProxiedWorld {
  readonly world: World;
  readonly #scratch: string;
  readonly #manifests: string;
  readonly #installations: Readonly<Record<NodeName, Installation>>;
  readonly #daemons: Record<NodeName, Daemon>;
  /** Additional flags of single nodes. */
  readonly #flags = new Map<NodeName, readonly string[]>();

  constructor(
    world: World,
    options: { scratch: string; manifests: string; installations: Readonly<Record<NodeName, Installation>> },
  ) {
    this.world = world;
    this.#scratch = options.scratch;
    this.#manifests = options.manifests;
    this.#installations = options.installations;
    this.#daemons = { node1: this.#start('node1'), node2: this.#start('node2') };
  }

  get manifestDirectory(): string {
    return this.#manifests;
  }

  daemon(node: NodeName): Daemon {
    return this.#daemons[node];
  }

  /** Stops the daemon of a node and starts another one with these additional flags. */
  async restart(node: NodeName, ...flags: readonly string[]): Promise<Daemon> {
    await this.#daemons[node].stop();
    this.#flags.set(node, flags);
    this.#daemons[node] = this.#start(node);
    return this.#daemons[node];
  }

  /** The directory of the sockets and state files of all daemons. */
  get runDir(): string {
    return join(this.#scratch, 'run');
  }

  /** Runs a command of nftlane on a node. */
  run(node: NodeName, ...args: readonly string[]) {
    return this.#installations[node].exec(args);
  }

  /** Writes a Service with its endpoints. Returns its cluster IPs, the nth of their ranges. */
  async addService(name: string, n: number, { pods, ports = PORTS, overrides = {} }: ServiceSpec): Promise<Addresses> {
    const at = serviceAddresses(n);
    await this.setEndpoints(name, pods, ports);
    const objects = [dualStackService(name, at, { ports, overrides })];
    await writeManifest(this.#manifests, `${fileName(name)}.yaml`, objects);
    return at;
  }

  /** Replaces the endpoints of a Service. */
  setEndpoints(name: string, pods: readonly string[], ports: readonly PortSpec<string>[] = PORTS): Promise<void> {
    const slices = sliceObjects(this.world, name, { ports, pods });
    return writeManifest(this.#manifests, `${fileName(name)}-endpoints.yaml`, slices);
  }

  /** Replaces the endpoints of a Service; the `draining` ones are terminating, but still serve. */
  setDraining(name: string, pods: readonly string[], draining: readonly string[]): Promise<void> {
    const leaving = new Set(draining.flatMap((pod) => FAMILIES.map((family) => this.world.pod(pod)[family])));
    const slices = sliceObjects(this.world, name, { ports: PORTS, pods: [...pods, ...draining] }).map((slice) => {
      const endpoints = (slice['endpoints'] as ApiObject[]).map((endpoint) =>
        (endpoint['addresses'] as string[]).some((address) => leaving.has(address))
          ? merge(endpoint, DRAINING)
          : endpoint,
      );
      return { ...slice, endpoints };
    });
    return writeManifest(this.#manifests, `${fileName(name)}-endpoints.yaml`, slices);
  }

  /** Writes a manifest unchanged. */
  write(file: string, text: string): Promise<void> {
    return writeFile(join(this.#manifests, file), text);
  }

  remove(file: string): Promise<void> {
    return rm(join(this.#manifests, file));
  }

  /** Resolves when the kernel of every node matches the manifests. */
  async waitForSync(): Promise<void> {
    await Promise.all(NODES.map((node) => this.#waitForNodeSync(node)));
  }

  async close(): Promise<void> {
    await Promise.all(NODES.map((node) => this.#daemons[node].stop()));
    await this.world.destroy();
    await rm(this.#scratch, { recursive: true, force: true });
  }

  #start(node: NodeName): Daemon {
    const flags = ['--manifests', this.#manifests, '--log-level', 'debug', ...this.#nodeFlags(node)];
    return startDaemon(this.#installations[node], flags);
  }

  #nodeFlags(node: NodeName): string[] {
    return [...nodeFlags(node), ...(this.#flags.get(node) ?? [])];
  }

  async #waitForNodeSync(node: NodeName): Promise<void> {
    await poll(() => this.run(node, 'diff', '-f', this.#manifests, ...this.#nodeFlags(node)), {
      until: ({ status }) => status === 0,
      failure: ({ stdout, stderr }) => `${node} does not match the manifests\n${stdout}${stderr}`,
      timeoutMs: SYNC_TIMEOUT_MS,
    });
  }
}

function fileName(name: string): string {
  return name.replace('/', '-');
}
