// What the suite needs of a cluster, whatever it is made of.
import type { ApiObject } from '../support/deployment/merge.ts';
import type { Addresses } from '../support/netns/topology.ts';
import type { RunningDial } from '../support/netns/traffic/dialer-process.ts';
import type {
  DialRateRequest,
  DialReport,
  DialRequest,
  KeepConnectionRequest,
} from '../support/netns/traffic/traffic.ts';

/** Where every server pod answers, over TCP and over UDP. */
export const TARGET_PORT = 8080;

export interface Cluster {
  /** The namespace that the suite has for itself. */
  readonly namespace: string;
  /** Two nodes or more. */
  readonly nodes: readonly ClusterNode[];
  /** Starts a pod that answers with its name at {@link TARGET_PORT}. Resolves when it does. */
  addServer(name: string, node: ClusterNode): Promise<Server>;
  /** Somebody in a pod of this node, who is no endpoint of anything. */
  podClient(node: ClusterNode): Promise<Client>;
  /** Somebody in the pod of a server. */
  clientInside(server: Server): Promise<Client>;
  /** A process of the node itself. */
  hostClient(node: ClusterNode): Promise<Client>;
  /** Somebody who comes to the node from outside of it, and is no pod. */
  externalClient(node: ClusterNode): Promise<Client>;
  /** Creates or replaces a Service; what it leaves open is chosen by the cluster. Gives the object as it is then. */
  putService(service: ApiObject): Promise<ApiObject>;
  /** Creates or replaces an EndpointSlice. */
  putSlice(slice: ApiObject): Promise<void>;
  removeService(name: string): Promise<void>;
  /** Ends nftlane on a node; resolves when another one has programmed everything there. */
  restartProxy(node: ClusterNode): Promise<void>;
  /** Removes everything that was made. */
  close(): Promise<void>;
}

export interface ClusterNode extends Addresses {
  readonly name: string;
}

export interface Server extends Addresses {
  readonly name: string;
  readonly node: ClusterNode;
}

export interface Client {
  /** Its address in a pod; what other clients are seen as is not said. */
  readonly address?: Addresses;
  dial(request: DialRequest): Promise<DialReport>;
  dialAtRate(request: DialRateRequest): Promise<RunningDial>;
  keepConnection(request: KeepConnectionRequest): Promise<RunningDial>;
  /** Gets a URL; the status is 0 when there is no answer. */
  get(url: string): Promise<HttpAnswer>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** A program for `node --eval` that gets the URL of its argument and prints an {@link HttpAnswer}. */
export const GET = `fetch(process.argv[1], { signal: AbortSignal.timeout(5000) })
  .then(async (answer) => ({ status: answer.status, body: await answer.text() }))
  .catch((error) => ({ status: 0, body: String(error) }))
  .then((answer) => console.log(JSON.stringify(answer)))`;
