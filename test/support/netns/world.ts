// The world of a test: a client, two nodes and their pods, each in a network namespace.

import { cleanUpOnError } from '../clean-up-on-error.ts';
import { Namespace } from './namespace.ts';
import {
  closeAtExit,
  deleteNamespaces,
  deleteNamespacesSync,
  deleteStaleNamespaces,
  uniquePrefix,
  unregister,
} from './namespace-cleanup.ts';
import { output } from './process.ts';
import {
  type Addresses,
  attachCommands,
  CLIENT,
  clientCommands,
  lanCommands,
  NODES,
  type NodeName,
  nodeCommands,
  podAddresses,
  podCommands,
} from './topology.ts';

export interface WorldOptions {
  /** The names of the initial pods, by node. */
  readonly pods?: Readonly<Partial<Record<NodeName, readonly string[]>>>;
}

/** Kernel settings of every namespace. */
const SETTINGS = {
  'net.ipv6.conf.default.accept_dad': 0,
  'net.ipv6.conf.all.accept_redirects': 0,
  'net.ipv6.conf.default.accept_redirects': 0,
  'net.ipv4.conf.all.send_redirects': 0,
  'net.ipv4.conf.default.send_redirects': 0,
  'net.ipv4.conf.all.rp_filter': 2,
  'net.ipv4.conf.default.rp_filter': 2,
  // Rejections are sent by ICMP. With a rate limit, they would look like lost packets.
  'net.ipv4.icmp_ratemask': 0,
  'net.ipv6.icmp.ratemask': '',
};

/** Builds a world. The caller destroys it; otherwise it is destroyed when the process exits. */
export async function createWorld({ pods = {} }: WorldOptions = {}): Promise<World> {
  if (!isKept()) await deleteStaleNamespaces();
  const world = new World(uniquePrefix());
  closeAtExit(world);
  return cleanUpOnError(
    () => world.destroy(),
    () => buildWorld(world, pods),
  );
}

async function buildWorld(world: World, { node1 = [], node2 = [] }: NonNullable<WorldOptions['pods']>): Promise<World> {
  await world.build();
  await Promise.all([
    ...node1.map((name) => world.addPod('node1', name)),
    ...node2.map((name) => world.addPod('node2', name)),
  ]);
  return world;
}

export class World {
  readonly client: Namespace;
  readonly node1: Namespace;
  readonly node2: Namespace;
  readonly #lan: Namespace;
  readonly #prefix: string;
  readonly #pods = new Map<string, { readonly node: NodeName; readonly namespace: Namespace }>();
  readonly #namespaces = new Map<string, Namespace>();
  readonly #podCounts: Record<NodeName, number> = { node1: 0, node2: 0 };

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.#lan = this.#newNamespace('lan', { ip: '', ip6: '' });
    this.client = this.#newNamespace('client', CLIENT);
    this.node1 = this.#newNamespace('node1', NODES.node1);
    this.node2 = this.#newNamespace('node2', NODES.node2);
  }

  /** Creates the client, the nodes and the lan. For `createWorld`. */
  async build(): Promise<void> {
    const { client, node1, node2 } = this;
    await this.#createNamespaces(this.#lan, client, node1, node2);
    await Promise.all([this.#lan, client, node1, node2].map((namespace) => namespace.sysctl(SETTINGS)));
    await Promise.all([node1, node2].map(forward));
    await this.#lan.configure(lanCommands({ client: client.name, node1: node1.name, node2: node2.name }));
    await Promise.all([
      client.configure(clientCommands()),
      node1.configure(nodeCommands('node1')),
      node2.configure(nodeCommands('node2')),
    ]);
  }

  /** All namespaces of the world. */
  get namespaces(): Namespace[] {
    return [...this.#namespaces.values()];
  }

  pod(name: string): Namespace {
    return this.#find(name).namespace;
  }

  nodeOf(podName: string): NodeName {
    return this.#find(podName).node;
  }

  /** Adds a pod with the next free addresses of its node. */
  async addPod(node: NodeName, name: string): Promise<Namespace> {
    if (this.#pods.has(name)) throw new Error(`Cannot add pod "${name}": it exists`);
    const addresses = podAddresses(node, this.#podCounts[node]++);
    const namespace = this.#newNamespace(`pod-${name}`, addresses, name);
    this.#pods.set(name, { node, namespace });
    await this.#createNamespaces(namespace);
    await namespace.sysctl(SETTINGS);
    await this[node].configure(attachCommands(node, `pod-${name}`, { namespace: namespace.name, ...addresses }));
    await namespace.configure(podCommands(node, addresses));
    return namespace;
  }

  /** Removes a pod with its processes and its route. */
  async removePod(name: string): Promise<void> {
    const { node, namespace } = this.#find(name);
    namespace.killChildren();
    // The kernel deletes namespaces in the background. Deleting the link removes it and its routes immediately.
    await this[node].configure([`link delete dev pod-${name}`]);
    await deleteNamespaces([namespace.name]);
    this.#pods.delete(name);
    this.#namespaces.delete(namespace.name);
  }

  /** Kills the processes of the world and deletes its namespaces. */
  async destroy(): Promise<void> {
    for (const namespace of this.#namespaces.values()) namespace.killChildren();
    unregister(this);
    if (isKept()) return this.#printEnterCommands();
    const names = [...this.#namespaces.keys()];
    this.#namespaces.clear();
    if (names.length > 0) await deleteNamespaces(names);
  }

  /** The same synchronously, for the exit of the process. */
  closeSync(): void {
    for (const namespace of this.#namespaces.values()) namespace.killChildren();
    if (isKept()) this.#printEnterCommands();
    else deleteNamespacesSync([...this.#namespaces.keys()]);
    this.#namespaces.clear();
  }

  #newNamespace(suffix: string, addresses: Addresses, label = suffix): Namespace {
    return new Namespace(label, { name: `${this.#prefix}${suffix}`, ...addresses });
  }

  async #createNamespaces(...namespaces: readonly Namespace[]): Promise<void> {
    for (const namespace of namespaces) this.#namespaces.set(namespace.name, namespace);
    await output('ip', ['-batch', '-'], { input: namespaces.map(({ name }) => `netns add ${name}\n`).join('') });
  }

  #find(name: string) {
    const pod = this.#pods.get(name);
    if (!pod) throw new Error(`Cannot find pod "${name}": it does not exist`);
    return pod;
  }

  #printEnterCommands(): void {
    for (const name of this.#namespaces.keys()) process.stderr.write(`Kept: ip netns exec ${name} sh\n`);
  }
}

function forward(node: Namespace): Promise<void> {
  return node.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 });
}

function isKept(): boolean {
  return process.env['KEEP_NAMESPACES'] === '1';
}
