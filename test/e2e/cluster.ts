// The interface of a cluster under test, implemented for network namespaces and for a real cluster.

import type { ApiObject } from '../support/deployment/merge.ts';
import type { Addresses } from '../support/netns/topology.ts';
import type { RunningDial } from '../support/netns/traffic/dialer-process.ts';
import type {
  DialRateRequest,
  DialReport,
  DialRequest,
  KeepConnectionRequest,
} from '../support/netns/traffic/programs/messages.ts';

/** The port that every server pod listens on, over TCP and UDP. */
export const TARGET_PORT = 8080;

export interface Cluster {
  /** The Kubernetes namespace of the suite. */
  readonly namespace: string;
  /** Two nodes or more. */
  readonly nodes: readonly ClusterNode[];
  /** Starts a pod that answers with its name at {@link TARGET_PORT}. Resolves when it is ready. */
  addServer(name: string, node: ClusterNode): Promise<Server>;
  /** A client in a pod of this node that is not an endpoint. */
  podClient(node: ClusterNode): Promise<Client>;
  /** A client in the pod of a server. */
  clientInside(server: Server): Promise<Client>;
  /** A client in the node's own network namespace. */
  hostClient(node: ClusterNode): Promise<Client>;
  /** A client outside the node that is not a pod. */
  externalClient(node: ClusterNode): Promise<Client>;
  /** Creates or replaces a Service. Returns the object with the fields that the cluster has set. */
  putService(service: ApiObject): Promise<ApiObject>;
  /** Creates or replaces an EndpointSlice. */
  putSlice(slice: ApiObject): Promise<void>;
  removeService(name: string): Promise<void>;
  /** Restarts nftlane on a node; resolves when the new instance has programmed everything. */
  restartProxy(node: ClusterNode): Promise<void>;
  /** Removes everything that was created. */
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
  /** The address of a client in a pod; not known for other clients. */
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
