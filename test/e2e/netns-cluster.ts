// A cluster of network namespaces: the test API server, and two nodes that run nftlane with the rights of a pod.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Program, startProgram } from '../bench/system/program.ts';
import { makeImageFiles, startContainer } from '../integration/image/container.ts';
import type { ApiObject } from '../support/deployment/merge.ts';
import { Daemon } from '../support/netns/daemon.ts';
import { nodeFlags, nodeObjects, serviceAddresses, serviceCidrObject } from '../support/netns/manifests.ts';
import type { Namespace } from '../support/netns/namespace.ts';
import { CLIENT, NODES, type NodeName } from '../support/netns/topology.ts';
import { createWorld, type World } from '../support/netns/world.ts';
import { type Client, type Cluster, type ClusterNode, GET, type Server, TARGET_PORT } from './cluster.ts';

const FIRST_NODE_PORT = 30_100;

export async function createNetnsCluster(): Promise<Cluster> {
  const inputDirectory = await mkdtemp(join(tmpdir(), 'nftlane-e2e-'));
  const [world] = await Promise.all([createWorld(), makeImageFiles()]);
  const flags = ['--listen', CLIENT.ip, '--kubeconfig-out', join(inputDirectory, 'kubeconfig')];
  const api = await startProgram(world.client, 'support/api-server/main.ts', flags);
  const cluster = new NetnsCluster(world, api, inputDirectory);
  for (const object of [...nodeObjects(), serviceCidrObject()]) await cluster.put(object);
  await Promise.all(cluster.nodes.map((node) => cluster.restartProxy(node)));
  return cluster;
}

class NetnsCluster implements Cluster {
  readonly namespace = 'e2e';
  readonly nodes: readonly (ClusterNode & { readonly name: NodeName })[] = (['node1', 'node2'] as const).map(
    (name) => ({
      name,
      ip: NODES[name].ip,
      ip6: NODES[name].ip6,
    }),
  );
  readonly #world: World;
  readonly #api: Program;
  /** The directory with the kubeconfig. */
  readonly #inputDirectory: string;
  readonly #daemons = new Map<string, Daemon>();
  readonly #clients = new Map<Namespace, Promise<Client>>();
  readonly #services = new Map<string, ApiObject>();
  #lastCommand: Promise<unknown> = Promise.resolve();
  #allocated = 0;

  constructor(world: World, api: Program, inputDirectory: string) {
    this.#world = world;
    this.#api = api;
    this.#inputDirectory = inputDirectory;
  }

  async addServer(name: string, node: ClusterNode): Promise<Server> {
    const namespace = await this.#world.addPod(nodeName(node), name);
    await namespace.respond({ tcp: [TARGET_PORT], udp: [TARGET_PORT] });
    return { name, node, ip: namespace.ip, ip6: namespace.ip6 };
  }

  async podClient(node: ClusterNode): Promise<Client> {
    const name = `shell-${node.name}`;
    const namespace = this.#namespaceOfPod(name) ?? (await this.#world.addPod(nodeName(node), name));
    return this.#client(namespace);
  }

  clientInside({ name }: Server): Promise<Client> {
    return this.#client(this.#world.pod(name));
  }

  hostClient(node: ClusterNode): Promise<Client> {
    return this.#client(this.#world[nodeName(node)]);
  }

  externalClient(_node: ClusterNode): Promise<Client> {
    return this.#client(this.#world.client);
  }

  /** Sets what an API server sets: cluster IPs of both families and node ports. */
  async putService(service: ApiObject): Promise<ApiObject> {
    const { name } = service['metadata'] as { name: string };
    const filled = applyServiceDefaults(service, this.#services.get(name), () => this.#allocated++);
    this.#services.set(name, filled);
    await this.put(filled);
    return filled;
  }

  putSlice(slice: ApiObject): Promise<void> {
    return this.put(slice);
  }

  async removeService(name: string): Promise<void> {
    this.#services.delete(name);
    await this.#send(`delete Service ${this.namespace}/${name}`);
  }

  async restartProxy(node: ClusterNode): Promise<void> {
    await this.#daemons.get(node.name)?.stop();
    const flags = ['--kubeconfig', '/run/input/kubeconfig', ...nodeFlags(nodeName(node)), '--log-format', 'json'];
    const child = startContainer(this.#world[nodeName(node)], ['run', ...flags], {
      inputDirectory: this.#inputDirectory,
    });
    const daemon = new Daemon(child, () => Promise.reject(new Error('not used')));
    this.#daemons.set(node.name, daemon);
    await daemon.waitForLog('ruleset complete');
  }

  async close(): Promise<void> {
    await Promise.all([...this.#daemons.values()].map((daemon) => daemon.stop()));
    this.#api.stop();
    await this.#world.destroy();
    await rm(this.#inputDirectory, { recursive: true, force: true });
  }

  async put(object: ApiObject): Promise<void> {
    await this.#send(`put ${JSON.stringify(object)}`);
  }

  /** Sends a command to the API server, which executes one at a time. */
  async #send(line: string): Promise<void> {
    const answer = this.#lastCommand.then(() => this.#api.request(line));
    this.#lastCommand = answer;
    if (!(await answer).startsWith('ok')) throw new Error(`Cannot "${line}": ${await answer}`);
  }

  #client(namespace: Namespace): Promise<Client> {
    const client = this.#clients.get(namespace) ?? toClient(namespace);
    this.#clients.set(namespace, client);
    return client;
  }

  #namespaceOfPod(name: string): Namespace | undefined {
    return [...this.#clients.keys()].find((namespace) => namespace.name.endsWith(`pod-${name}`));
  }
}

async function toClient(namespace: Namespace): Promise<Client> {
  const dialer = await namespace.dialer();
  return {
    address: { ip: namespace.ip, ip6: namespace.ip6 },
    dial: (request) => dialer.dial(request),
    dialAtRate: (request) => dialer.dialAtRate(request),
    keepConnection: (request) => dialer.keepConnection(request),
    get: async (url) => JSON.parse(await namespace.output(process.execPath, ['--eval', GET, url])),
  };
}

function nodeName({ name }: ClusterNode): NodeName {
  if (name !== 'node1' && name !== 'node2') throw new Error(`Cannot find node "${name}": it does not exist`);
  return name;
}

interface ServiceSpec {
  readonly type?: string;
  readonly clusterIP?: string;
  readonly ports?: readonly { readonly nodePort?: number }[];
  readonly externalTrafficPolicy?: string;
  readonly healthCheckNodePort?: number;
}

function applyServiceDefaults(service: ApiObject, before: ApiObject | undefined, next: () => number): ApiObject {
  const spec = service['spec'] as ServiceSpec;
  const { type = 'ClusterIP' } = spec;
  if (type === 'ExternalName' || spec.clusterIP === 'None') return service;
  const old = (before?.['spec'] ?? {}) as ServiceSpec & { readonly clusterIPs?: readonly string[] };
  const fresh = serviceAddresses(100 + next());
  const clusterIPs = old.clusterIPs ?? [fresh.ip, fresh.ip6];
  const ports = (spec.ports ?? []).map((port, index) =>
    type === 'ClusterIP'
      ? port
      : { nodePort: old.ports?.[index]?.nodePort ?? FIRST_NODE_PORT + next() * 10 + index, ...port },
  );
  const addresses = { clusterIP: clusterIPs[0], clusterIPs, ipFamilies: ['IPv4', 'IPv6'] };
  const isChecked = type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
  const healthCheckNodePort = old.healthCheckNodePort ?? FIRST_NODE_PORT + next() * 10;
  const health = isChecked ? { healthCheckNodePort } : {};
  return { ...service, spec: { ...spec, type, ...addresses, ...health, ports } };
}
