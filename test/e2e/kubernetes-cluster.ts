// A real cluster that runs nftlane, used through kubectl. Its pods run test programs with the node of nftlane's image.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { familyOf } from '../../src/net/address.ts';
import { asArray, asObject } from '../../src/services/objects/read.ts';
import type { ApiObject } from '../support/deployment/merge.ts';
import { killGroup, output, type PipedChild, start } from '../support/netns/process.ts';
import { outputLines } from '../support/netns/program-output.ts';
import type { Addresses } from '../support/netns/topology.ts';
import { Dialer } from '../support/netns/traffic/dialer-process.ts';
import { type Client, type Cluster, type ClusterNode, GET, type Server, TARGET_PORT } from './cluster.ts';

/** The files of the dialer and the responder. */
const PROGRAMS = [
  'dialer',
  'dial-tasks',
  'client-socket',
  'response-waiter',
  'outcome-counter',
  'responder',
  'responder-pod',
];
const PROXY = ['--namespace', 'kube-system'];

/** `image`: an image with node that every node has or can pull. Creates a namespace. */
export async function createKubernetesCluster(image: string): Promise<Cluster> {
  const namespace = `nftlane-e2e-${process.pid}`;
  const nodes = asArray(asObject(await get(['nodes']))['items']).flatMap(toNode);
  const cluster = new KubernetesCluster(namespace, nodes, image);
  await kubectl(['create', 'namespace', namespace]);
  try {
    await cluster.apply(await programs(namespace));
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

class KubernetesCluster implements Cluster {
  readonly namespace: string;
  readonly nodes: readonly ClusterNode[];
  readonly #image: string;
  readonly #clients = new Map<string, Promise<Client>>();
  readonly #children: PipedChild[] = [];

  constructor(namespace: string, nodes: readonly ClusterNode[], image: string) {
    this.namespace = namespace;
    this.nodes = nodes;
    this.#image = image;
  }

  async addServer(name: string, node: ClusterNode): Promise<Server> {
    return { name, node, ...(await this.#start(name, { node, hostNetwork: false })) };
  }

  podClient(node: ClusterNode): Promise<Client> {
    return this.#clientOf(`shell-${node.name}`, { node, hostNetwork: false });
  }

  clientInside({ name }: Server): Promise<Client> {
    return this.#remember(name, () => this.#dial(name));
  }

  hostClient(node: ClusterNode): Promise<Client> {
    return this.#clientOf(`host-${node.name}`, { node, hostNetwork: true });
  }

  /** A process of another node is external when it dials an address of this node. */
  externalClient(node: ClusterNode): Promise<Client> {
    const other = this.nodes.find(({ name }) => name !== node.name);
    if (other === undefined) throw new Error('Cannot find an external client: the cluster has one node');
    return this.hostClient(other);
  }

  async putService(service: ApiObject): Promise<ApiObject> {
    const { status, ...object } = service;
    await this.apply(object);
    if (status !== undefined) await this.apply(service, '--subresource=status');
    const { name } = service['metadata'] as { name: string };
    return get(['service', name, '--namespace', this.namespace]);
  }

  putSlice(slice: ApiObject): Promise<void> {
    return this.apply(slice);
  }

  async removeService(name: string): Promise<void> {
    await kubectl(['delete', 'service', name, '--namespace', this.namespace]);
  }

  /** The DaemonSet creates a new pod, which is ready when it has programmed everything. */
  async restartProxy(node: ClusterNode): Promise<void> {
    const selectors = [
      '--selector',
      'app.kubernetes.io/name=nftlane',
      '--field-selector',
      `spec.nodeName=${node.name}`,
    ];
    await kubectl(['delete', 'pod', ...PROXY, ...selectors]);
    await kubectl(['rollout', 'status', 'daemonset/nftlane', ...PROXY, '--timeout=120s']);
  }

  async close(): Promise<void> {
    for (const child of this.#children) killGroup(child);
    await kubectl(['delete', 'namespace', this.namespace, '--wait=false']);
  }

  /** Creates or replaces an object: fields missing from it are removed. */
  async apply(object: ApiObject, ...flags: readonly string[]): Promise<void> {
    const how = ['--server-side', '--force-conflicts', '--field-manager=e2e', ...flags];
    await kubectl(['apply', ...how, '--filename', '-'], JSON.stringify(object));
  }

  #clientOf(name: string, place: { readonly node: ClusterNode; readonly hostNetwork: boolean }): Promise<Client> {
    return this.#remember(name, async () => {
      const addresses = await this.#start(name, place);
      const client = await this.#dial(name);
      return place.hostNetwork ? client : { ...client, address: addresses };
    });
  }

  #remember(name: string, make: () => Promise<Client>): Promise<Client> {
    const client = this.#clients.get(name) ?? make();
    this.#clients.set(name, client);
    return client;
  }

  async #start(
    name: string,
    { node, hostNetwork }: { readonly node: ClusterNode; readonly hostNetwork: boolean },
  ): Promise<Addresses> {
    const from = (fieldPath: string) => ({ valueFrom: { fieldRef: { fieldPath } } });
    const container = {
      name: 'pod',
      image: this.#image,
      command: ['/usr/bin/node', '/programs/responder-pod.ts'],
      // The program exits when its standard input closes.
      stdin: true,
      env: [
        { name: 'POD_NAME', value: name },
        { name: 'POD_IPS', ...from('status.podIPs') },
        { name: 'PORT', value: String(hostNetwork ? 0 : TARGET_PORT) },
      ],
      volumeMounts: [{ name: 'programs', mountPath: '/programs' }],
    };
    const spec = {
      nodeName: node.name,
      hostNetwork,
      terminationGracePeriodSeconds: 0,
      containers: [container],
      volumes: [{ name: 'programs', configMap: { name: 'programs' } }],
    };
    await this.apply({ apiVersion: 'v1', kind: 'Pod', metadata: { namespace: this.namespace, name }, spec });
    const own = ['--namespace', this.namespace];
    await kubectl(['wait', '--for=condition=Ready', `pod/${name}`, ...own, '--timeout=120s']);
    return toAddresses(
      asArray(asObject((await get(['pod', name, ...own]))['status'])['podIPs']).map((ip) => asObject(ip)['ip']),
    );
  }

  async #dial(pod: string): Promise<Client> {
    const child = start('kubectl', ['exec', '--stdin', pod, '--namespace', this.namespace, '--', ...DIALER]);
    this.#children.push(child);
    const lines = outputLines(child, 'dialer');
    await lines.next();
    const dialer = new Dialer(child, lines);
    return {
      dial: (request) => dialer.dial(request),
      dialAtRate: (request) => dialer.dialAtRate(request),
      keepConnection: (request) => dialer.keepConnection(request),
      get: async (url) => {
        const run = ['--namespace', this.namespace, '--', '/usr/bin/node', '--eval', GET, url];
        return JSON.parse(await kubectl(['exec', pod, ...run]));
      },
    };
  }
}

const DIALER = ['/usr/bin/node', '/programs/dialer.ts'];

async function programs(namespace: string): Promise<ApiObject> {
  const data = Object.fromEntries(await podPrograms());
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name: 'programs' }, data };
}

/** The files of a pod in /programs: name and text. */
export function podPrograms(): Promise<[name: string, text: string][]> {
  return Promise.all(
    PROGRAMS.map(async (name) => {
      const path = fileURLToPath(new URL(`../support/netns/traffic/programs/${name}.ts`, import.meta.url));
      return [`${name}.ts`, await readFile(path, 'utf8')];
    }),
  );
}

/** Leaves out tainted nodes, such as those of the control plane. */
function toNode(object: unknown): ClusterNode[] {
  const { metadata, spec, status } = asObject(object);
  if (asArray(asObject(spec)['taints']).length > 0) return [];
  const internal = asArray(asObject(status)['addresses'])
    .map(asObject)
    .filter(({ type }) => type === 'InternalIP');
  return [{ name: String(asObject(metadata)['name']), ...toAddresses(internal.map(({ address }) => address)) }];
}

function toAddresses(addresses: readonly unknown[]): Addresses {
  const texts = addresses.map(String);
  const ip = texts.find((address) => familyOf(address) === 'ip');
  const ip6 = texts.find((address) => familyOf(address) === 'ip6');
  if (ip === undefined || ip6 === undefined)
    throw new Error(`Cannot use addresses "${texts.join()}": both families are required`);
  return { ip, ip6 };
}

async function get(args: readonly string[]): Promise<ApiObject> {
  return JSON.parse(await kubectl(['get', ...args, '--output', 'json']));
}

function kubectl(args: readonly string[], input = ''): Promise<string> {
  return output('kubectl', args, { input, timeoutMs: 150_000 });
}
