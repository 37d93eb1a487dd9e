// The address of the API server and the credentials for it, from a kubeconfig or the service account of the pod.

import type { RequestOptions } from 'node:https';
import { dirname, resolve } from 'node:path';
import type { Cluster, KubeConfig, User } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { readBoundedFile } from '../../../host/files/bounded-file.ts';
import { failureReason } from '../../../host/files/system-error.ts';
import { errorMessage } from '../../../lib/error-message.ts';
import { OperationalError } from '../../../lib/operational-error.ts';
import { asArray, asObject, asString, type JsonObject } from '../../../services/objects/read.ts';

type ClusterConfigProblem = 'no-such-kubeconfig' | 'unreadable-kubeconfig' | 'invalid-kubeconfig' | 'not-in-cluster';

/** There are no usable credentials. The message names the file and the problem. */
export class ClusterConfigError extends OperationalError {
  override readonly name = 'ClusterConfigError';
  readonly problem: ClusterConfigProblem;

  constructor(problem: ClusterConfigProblem, message: string, options?: ErrorOptions) {
    super('input', message, options);
    this.problem = problem;
  }
}

/** The default is the service account of this pod. */
export interface CredentialsSource {
  readonly kubeconfig?: string | undefined;
  /** The URL of the API server, overriding the configured one. */
  readonly master?: string | undefined;
  /** A prefix of the path of the service account mount, for tests. */
  readonly mountRoot?: string | undefined;
}

/** The part of {@link Credentials} that requests need. */
export interface CredentialProvider {
  readonly server: string;
  /** Reads everything from disk again. */
  reload(): Promise<void>;
  /** The TLS options and headers of a request, and an agent if it uses a proxy. */
  requestOptions(): Promise<RequestOptions>;
}

/** The address and credentials of one API server. */
export class Credentials implements CredentialProvider {
  readonly #source: CredentialsSource;
  #config: KubeConfig;
  #cluster: Cluster;

  private constructor(source: CredentialsSource, config: KubeConfig) {
    this.#source = source;
    this.#config = config;
    this.#cluster = clusterOf(config);
  }

  /** Rejects with {@link ClusterConfigError}. */
  static async load(source: CredentialsSource): Promise<Credentials> {
    return new Credentials(source, await loadConfig(source));
  }

  /** The base URL of the API server, without a trailing slash. */
  get server(): string {
    return this.#cluster.server;
  }

  /** Reads everything from disk again: certificates and tokens may have been replaced. */
  async reload(): Promise<void> {
    this.#config = await loadConfig(this.#source);
    this.#cluster = clusterOf(this.#config);
  }

  /**
   * The TLS options and headers of a request, and an agent if it uses a proxy. Reads files again, token files once a
   * minute, and runs an exec plugin when its credential has expired. Rejects with a {@link ClusterConfigError} that names
   * the file if one cannot be read: it may appear later.
   */
  async requestOptions(): Promise<RequestOptions> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options).catch(nameFile);
    const { agent, headers, ...rest } = options;
    const trimmedHeaders = Object.entries(asObject(headers)).map(([name, value]) => [name, String(value).trim()]);
    return {
      ...rest,
      // Token files often end with a newline, which is invalid in a header.
      headers: Object.fromEntries(trimmedHeaders),
      ...(this.#cluster.proxyUrl && agent !== undefined ? { agent } : {}),
    };
  }
}

/** A certificate, key or token file that a kubeconfig names. */
function nameFile(error: unknown): never {
  const { path, syscall } = asObject(error);
  if (syscall !== 'open' || typeof path !== 'string') throw error;
  const reason = failureReason(error as Error);
  throw new ClusterConfigError('unreadable-kubeconfig', `Cannot read credentials file "${path}": ${reason}`, {
    cause: error,
  });
}

function clusterOf(config: KubeConfig): Cluster {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new ClusterConfigError('invalid-kubeconfig', 'Cannot use the kubeconfig: no cluster');
  return cluster;
}

async function loadConfig(source: CredentialsSource): Promise<KubeConfig> {
  const { kubeconfig, master, mountRoot = '' } = source;
  // The library is large and is loaded only if there is a cluster.
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

/** Fills `config` from a file. Returns the name of the current context. */
async function parseKubeconfig(path: string, config: KubeConfig): Promise<string> {
  const content = await readKubeconfig(path);
  try {
    // The library would write warnings to standard error.
    const document = asObject(parse(content, { logLevel: 'error' }));
    config.loadFromString(JSON.stringify({ ...document, users: asArray(document['users']).map(withTokenFile(path)) }));
    config.makePathsAbsolute(dirname(resolve(path)));
    return asString(document['current-context']);
  } catch (error) {
    // Without the excerpt that the library appends.
    throw invalidKubeconfig(path, errorMessage(error).split('\n', 1).join().replace(/:$/, ''), error);
  }
}

/** Certificates of a few clusters fit. */
const MAX_KUBECONFIG_BYTES = 4 * 1024 ** 2;

async function readKubeconfig(path: string): Promise<string> {
  try {
    return (await readBoundedFile(path, { maxBytes: MAX_KUBECONFIG_BYTES })).toString();
  } catch (error) {
    const isMissing = asObject(error)['code'] === 'ENOENT';
    const state = isMissing ? 'no such kubeconfig' : failureReason(error);
    const problem = isMissing ? 'no-such-kubeconfig' : 'unreadable-kubeconfig';
    throw new ClusterConfigError(problem, `Cannot read kubeconfig "${path}": ${state}`, { cause: error });
  }
}

/** Supports the field `tokenFile`, which the library ignores and kubeadm uses for kube-proxy. As in client-go, it overrides `token`. */
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

/** Validates the cluster and the user of the current context, and selects them. */
function selectContext(config: KubeConfig, { contextName, path, master }: ContextSelection): KubeConfig {
  if (contextName === '') throw invalidKubeconfig(path, 'current-context is missing');
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
  // The library rejects plain HTTP unless TLS verification is disabled.
  config.loadFromClusterAndUser(protocol === 'http:' ? { ...cluster, skipTLSVerify: true } : cluster, user);
  return config;
}

/** Without any user, the library ignores the server's CA. */
const ANONYMOUS: User = { name: 'anonymous' };

function invalidKubeconfig(path: string, state: string, cause?: unknown): ClusterConfigError {
  return new ClusterConfigError('invalid-kubeconfig', `Cannot use kubeconfig "${path}": ${state}`, { cause });
}
