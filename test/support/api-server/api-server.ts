// A Kubernetes API server for tests: LIST and WATCH over HTTPS, with injected faults.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { printAddressPort } from '../../../src/net/address-port.ts';
import { KINDS, type Kind } from '../../../src/services/objects/kinds.ts';
import { type Certificates, createCertificates } from './certificates.ts';
import { type Fault, FaultQueue, type RequestType, type StreamFault } from './faults.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { type ApiObject, Collection } from './protocol/collection.ts';
import { Events } from './protocol/events.ts';
import { ExpiredToken, type ListRequest, Lists } from './protocol/lists.ts';
import { parseSelector, type Selector } from './protocol/selectors.ts';
import { statusBody } from './protocol/status.ts';
import { validateWatch } from './protocol/validate-watch.ts';
import { WatchSession } from './protocol/watch-session.ts';
import { defaultSettings, type ServerSettings } from './server-settings.ts';

export interface ApiServerOptions {
  /** Default: 127.0.0.1. */
  readonly address?: string;
  /** Default: any free port. */
  readonly port?: number;
}

export interface LoggedRequest {
  readonly kind: Kind;
  readonly type: RequestType;
  readonly query: Readonly<Record<string, string>>;
  readonly authorization: string;
  /** The HTTP status; 0 without a response. */
  status: number;
}

/** Starts a server. Its files are in a temporary directory, which {@link ApiServer.close} removes. */
export async function startApiServer({ address = '127.0.0.1', port = 0 }: ApiServerOptions = {}): Promise<ApiServer> {
  const directory = await mkdtemp(join(tmpdir(), 'nftlane-api-'));
  const certificates = await createCertificates(directory, [...new Set(['127.0.0.1', address])]);
  const [ca, cert, key] = await Promise.all(
    [certificates.ca, certificates.cert, certificates.key].map((f) => readFile(f)),
  );
  const server = createServer({ ca, cert, key, requestCert: true, rejectUnauthorized: false });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.on('error', reject).listen(port, address, resolve);
  await promise;
  const apiServer = new ApiServer({ server, directory, certificates, address });
  await apiServer.rotateToken('first-token');
  return apiServer;
}

export class ApiServer {
  readonly url: string;
  readonly certificates: Certificates;
  /** A kubeconfig with the CA and the token. */
  readonly kubeconfigPath: string;
  readonly tokenPath: string;
  readonly settings: ServerSettings = defaultSettings();
  readonly requests: LoggedRequest[] = [];
  readonly events = new Events();
  readonly #server: Server;
  readonly #directory: string;
  readonly #collections: ReadonlyMap<Kind, Collection>;
  readonly #kinds: ReadonlyMap<string, Kind>;
  readonly #lists = new Lists();
  readonly #faults = new FaultQueue();
  readonly #sessions = new Map<WatchSession, Kind>();
  #token = '';
  #version = 1;

  constructor({ server, directory, certificates, address }: ApiServerSetup) {
    this.#server = server;
    this.#directory = directory;
    this.certificates = certificates;
    this.url = `https://${printAddressPort({ address, port: (server.address() as AddressInfo).port })}`;
    this.kubeconfigPath = join(directory, 'kubeconfig');
    this.tokenPath = join(directory, 'token');
    this.#collections = new Map(Object.values(KINDS).map((traits) => [traits.kind, new Collection(traits)]));
    this.#kinds = new Map(Object.values(KINDS).map(({ path, kind }) => [path, kind]));
    server.on('request', (request, response) => this.#serve(request, response));
  }

  /** Creates or replaces an object. */
  put(kind: Kind, object: ApiObject): void {
    this.#collection(kind).put(object, ++this.#version);
  }

  /** Deletes an object by `namespace/name`, or `name` for cluster-scoped kinds. */
  remove(kind: Kind, key: string): void {
    this.#collection(kind).remove(key, ++this.#version);
  }

  get(kind: Kind, key: string): ApiObject | undefined {
    return this.#collection(kind).get(key);
  }

  /** The keys of all objects of a kind. */
  keys(kind: Kind): string[] {
    return this.#collection(kind)
      .all()
      .map(({ key }) => key);
  }

  /** The version of the last change. */
  get version(): number {
    return this.#version;
  }

  injectFault(fault: Fault): void {
    this.#faults.add(fault);
  }

  clearFaults(): void {
    this.#faults.clear();
  }

  /** The number of open watches of a kind. */
  watches(kind: Kind): number {
    return [...this.#sessions.values()].filter((watched) => watched === kind).length;
  }

  /** Sends a bookmark to every watch that requested them. */
  bookmark(): void {
    for (const session of this.#sessions.keys()) session.bookmark();
  }

  /** Ends all watches, as after their timeout. */
  endWatches(): void {
    for (const session of this.#sessions.keys()) session.end();
  }

  /** Cuts all connections. */
  cutConnections(): void {
    this.#server.closeAllConnections();
  }

  /** Discards the history: watches from older versions get 410. */
  compact(): void {
    for (const collection of this.#collections.values()) collection.compact(this.#version);
  }

  /** Starts again with an empty database, whose versions are lower than before. Watches from a higher version get 410. */
  restoreEmptyBackup(): void {
    this.#version = 1;
    for (const collection of this.#collections.values()) collection.forget();
    this.cutConnections();
  }

  expireContinueTokens(): void {
    this.#lists.expireTokens();
  }

  /** Makes this the only valid token, and writes it to the token file and the kubeconfig. */
  async rotateToken(token: string): Promise<void> {
    this.#token = token;
    await writeFile(this.tokenPath, `${token}\n`);
    await this.writeKubeconfig(this.kubeconfigPath);
  }

  /** Writes a kubeconfig. `user` has the fields of its user; the default is the token. */
  async writeKubeconfig(path: string, user: Readonly<Record<string, unknown>> = { token: this.#token }): Promise<void> {
    await writeKubeconfig(path, { server: this.url, ca: this.certificates.ca, user });
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.keys()) session.end();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#directory, { recursive: true });
  }

  #collection(kind: Kind): Collection {
    const collection = this.#collections.get(kind);
    if (collection === undefined) throw new Error(`No such kind: ${kind}`);
    return collection;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', this.url);
    const [path, namespace] = withoutNamespace(pathname);
    const kind = this.#kinds.get(path);
    if (namespace !== '') query.set('fieldSelector', `${query.get('fieldSelector')},metadata.namespace=${namespace}`);
    const { authorization = '' } = request.headers;
    const isKnown = authorization === `Bearer ${this.#token}` || (request.socket as TLSSocket).authorized;
    let reply: Reply | undefined = refuse(404, 'the server could not find the requested resource');
    if (kind !== undefined) {
      const type = ['1', 'true'].includes(query.get('watch') ?? '') ? 'watch' : 'list';
      const logged: LoggedRequest = { kind, type, query: Object.fromEntries(query), authorization, status: 0 };
      this.requests.push(logged);
      response.on('close', () => {
        logged.status = response.headersSent ? response.statusCode : 0;
      });
      if (isKnown && !this.settings.unknownKinds.has(kind)) reply = this.#reply({ kind, type, query, response });
    }
    if (isKnown && this.events.matches(request)) return void this.#serveEvent(request, response);
    if (!isKnown) reply = refuse(401);
    if (reply === undefined) return;
    response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
    response.end(reply.body);
  }

  async #serveEvent(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, object } = await this.events.serve(request);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(object === undefined ? statusBody(status) : JSON.stringify(object));
  }

  /** The response; `undefined` for a stream, or if there is to be none. */
  #reply(request: KindRequest): Reply | undefined {
    const { kind, type, query, response } = request;
    const fault = this.#faults.take(type, kind);
    if (fault?.action === 'hang') return undefined;
    if (fault?.action === 'drop') response.destroy();
    if (fault?.action === 'drop') return undefined;
    if (fault?.action === 'answer') return { ...refuse(fault.status, fault.message), headers: fault.headers ?? {} };
    try {
      const refusal = type === 'watch' ? validateWatch(query, this.settings) : undefined;
      if (refusal !== undefined) return refuse(422, refusal);
      const selector = parseSelector(query);
      if (type === 'list') return { status: 200, body: this.#list(kind, { query, selector, version: this.#version }) };
      this.#watch(request, { selector, fault });
      return undefined;
    } catch (error) {
      return refuse(error instanceof ExpiredToken ? 410 : 400, error instanceof Error ? error.message : String(error));
    }
  }

  #list(kind: Kind, request: ListRequest): string {
    if (this.settings.ignoreLimit) request.query.delete('limit');
    return this.#lists.answer(this.#collection(kind), request);
  }

  #watch({ kind, query, response }: KindRequest, how: { selector: Selector; fault: StreamFault | undefined }): void {
    const collection = this.#collection(kind);
    const version = () => this.#version;
    const session = new WatchSession({ ...how, response, collection, query, settings: this.settings, version });
    this.#sessions.set(session, kind);
    void session.run().finally(() => this.#sessions.delete(session));
  }
}

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Splits a path into the path of the collection in all namespaces and the namespace. */
function withoutNamespace(path: string): [path: string, namespace: string] {
  const [, before, namespace = '', after] = /^(.*)\/namespaces\/([^/]+)(\/[^/]+)$/.exec(path) ?? [];
  return namespace === '' ? [path, ''] : [`${before}${after}`, namespace];
}

function refuse(status: number, message?: string): Reply {
  return { status, body: statusBody(status, message) };
}

interface ApiServerSetup {
  readonly server: Server;
  readonly directory: string;
  readonly certificates: Certificates;
  readonly address: string;
}

interface KindRequest {
  readonly kind: Kind;
  readonly type: RequestType;
  readonly query: URLSearchParams;
  readonly response: ServerResponse;
}
