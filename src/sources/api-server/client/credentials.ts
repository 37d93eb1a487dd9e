// Where the API server is and what to show it, from a kubeconfig or from the service account of a pod.

import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { dirname, resolve } from 'node:path';
import type { Cluster, KubeConfig, User } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { OperationalError } from '../../../lib/operational-error.ts';
import { asArray, asObject, asString, type JsonObject } from '../../../services/objects/read.ts';

export type ClusterConfigProblem =
  | 'no-such-kubeconfig'
  | 'unreadable-kubeconfig'
  | 'invalid-kubeconfig'
  | 'not-in-cluster';

/** There is nothing usable to connect with. The message names the file and what is wrong with it. */
export class ClusterConfigError extends OperationalError {
  override readonly name = 'ClusterConfigError';
  readonly problem: ClusterConfigProblem;

  constructor(problem: ClusterConfigProblem, message: string, options?: ErrorOptions) {
    super('input', message, options);
    this.problem = problem;
  }
}

/** Without a kubeconfig it is the service account of this pod. */
export interface CredentialsSource {
  readonly kubeconfig?: string | undefined;
  /** URL of the API server, in place of the one that is found. */
  readonly master?: string | undefined;
  /** Put before the path of the service account mount; for tests. */
  readonly mountRoot?: string | undefined;
}

/** Whoever knows the way to the API server; {@link Credentials} does. */
export interface CredentialProvider {
  readonly server: string;
  /** Reads everything again. */
  reload(): Promise<void>;
  /** TLS material and headers of one request; an agent only where the way is not a direct one. */
  requestOptions(): Promise<RequestOptions>;
}

/** Address and credentials of one API server. */
export class Credentials implements CredentialProvider {
  readonly #source: CredentialsSource;
  #config: KubeConfig;
  #cluster: Cluster;

  private constructor(source: CredentialsSource, config: KubeConfig) {
    this.#source = source;
    this.#config = config;
    this.#cluster = clusterOf(config);
  }

  /** Fails with a {@link ClusterConfigError}. */
  static async load(source: CredentialsSource): Promise<Credentials> {
    return new Credentials(source, await loadConfig(source));
  }

  /** Base URL of the API server, without a slash at the end. */
  get server(): string {
    return this.#cluster.server;
  }

  /** Reads everything again from disk: certificates and tokens may have been replaced. */
  async reload(): Promise<void> {
    this.#config = await loadConfig(this.#source);
    this.#cluster = clusterOf(this.#config);
  }

  /**
   * TLS material and headers of one request. Files are read anew (a token file once a minute), an exec plugin runs when
   * its credential has expired. An agent is there only when the way goes through a proxy.
   */
  async requestOptions(): Promise<RequestOptions> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    const { agent, headers, ...rest } = options;
    const trimmedHeaders = Object.entries(asObject(headers)).map(([name, value]) => [name, String(value).trim()]);
    return {
      ...rest,
      // A token file ends in a newline more often than not, which no header may.
      headers: Object.fromEntries(trimmedHeaders),
      ...(this.#cluster.proxyUrl && agent !== undefined ? { agent } : {}),
    };
  }
}

function clusterOf(config: KubeConfig): Cluster {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new ClusterConfigError('invalid-kubeconfig', 'Cannot use the kubeconfig: no cluster');
  return cluster;
}

async function loadConfig(source: CredentialsSource): Promise<KubeConfig> {
  const { kubeconfig, master, mountRoot = '' } = source;
  // The library is large: a run without a cluster does not pay for it.
  const { KubeConfig } = await import('./kube-config.ts');
  const config = new KubeConfig();
  if (kubeconfig !== undefined) {
    return selectContext(config, { contextName: await parseKubeconfig(kubeconfig, config), path: kubeconfig, master });
  }
  if (!process.env['KUBERNETES_SERVICE_HOST'] || !process.env['KUBERNETES_SERVICE_PORT']) {
    const state = 'not in a cluster (KUBERNETES_SERVICE_HOST is not set) and no kubeconfig given';
    throw new ClusterConfigError('not-in-cluster', `Cannot find the API server: ${state}`);
  }
  config.loadFromCluster(mountRoot);
  return selectContext(config, { contextName: config.currentContext, path: 'service account', master });
}

/** Fills `config` from a file; gives the name of its current context. */
async function parseKubeconfig(path: string, config: KubeConfig): Promise<string> {
  const content = await readKubeconfig(path);
  try {
    const document = asObject(parse(content));
    config.loadFromString(JSON.stringify({ ...document, users: asArray(document['users']).map(withTokenFile(path)) }));
    config.makePathsAbsolute(dirname(resolve(path)));
    return asString(document['current-context']);
  } catch (error) {
    throw invalidKubeconfig(path, error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error), error);
  }
}

async function readKubeconfig(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const isMissing = asObject(error)['code'] === 'ENOENT';
    const state = isMissing ? 'no such kubeconfig' : asString(asObject(error)['message']);
    const problem = isMissing ? 'no-such-kubeconfig' : 'unreadable-kubeconfig';
    throw new ClusterConfigError(problem, `Cannot read kubeconfig "${path}": ${state}`, { cause: error });
  }
}

/** The library does not know the field `tokenFile`, which kubeadm's kube-proxy lives on; as in client-go it beats `token`. */
function withTokenFile(path: string): (entry: unknown) => unknown {
  return (entry) => {
    const { name, user } = asObject(entry);
    const { tokenFile, token, ...others } = asObject(user);
    if (asString(tokenFile) === '') return entry;
    const file = resolve(dirname(resolve(path)), asString(tokenFile));
    const provider: JsonObject = { name: 'tokenFile', config: { tokenFile: file } };
    return { name, user: { ...others, 'auth-provider': provider } };
  };
}

interface ContextSelection {
  readonly contextName: string;
  readonly path: string;
  readonly master: string | undefined;
}

/** Leaves only the cluster and the user of the current context, checked. */
function selectContext(config: KubeConfig, { contextName, path, master }: ContextSelection): KubeConfig {
  if (contextName === '') throw invalidKubeconfig(path, 'it has no current-context');
  const context = config.contexts.find(({ name }) => name === contextName);
  if (context === undefined) throw invalidKubeconfig(path, `there is no context "${contextName}"`);
  const namedCluster = config.clusters.find(({ name }) => name === context.cluster);
  const cluster =
    namedCluster === undefined || master === undefined ? namedCluster : { ...namedCluster, server: master };
  if (cluster === undefined) throw invalidKubeconfig(path, `there is no cluster "${context.cluster}"`);
  const user = context.user ? config.users.find(({ name }) => name === context.user) : ANONYMOUS;
  if (user === undefined) throw invalidKubeconfig(path, `there is no user "${context.user}"`);
  const protocol = URL.canParse(cluster.server) ? new URL(cluster.server).protocol : '';
  if (protocol !== 'https:' && protocol !== 'http:')
    throw invalidKubeconfig(path, `"${cluster.server}" is not an http(s) URL`);
  // The library turns plain http away unless TLS verification is off, which plain http has none of.
  config.loadFromClusterAndUser(protocol === 'http:' ? { ...cluster, skipTLSVerify: true } : cluster, user);
  return config;
}

/** The library forgets the server's CA when there is no user at all. */
const ANONYMOUS: User = { name: 'anonymous' };

function invalidKubeconfig(path: string, state: string, cause?: unknown): ClusterConfigError {
  return new ClusterConfigError('invalid-kubeconfig', `Cannot use kubeconfig "${path}": ${state}`, { cause });
}
