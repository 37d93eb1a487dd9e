// Requests to the API server: one GET, one stream back.
import { Agent as HttpAgent, type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions, request as requestHttps } from 'node:https';
import type { Readable } from 'node:stream';
import { toConnectionError } from './api-error.ts';
import { type CredentialProvider, Credentials, type CredentialsSource } from './credentials.ts';

export interface ApiResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Must be read to its end or destroyed. */
  readonly body: Readable;
}

/** What is sent besides a GET: a body in JSON. */
export interface ApiWrite {
  readonly method: 'POST' | 'PATCH';
  readonly contentType: string;
  readonly body: string;
}

/** One request and what came of it, for whoever counts them. */
export interface RequestOutcome {
  readonly method: 'GET' | ApiWrite['method'];
  /** Host and port of the server. */
  readonly host: string;
  /** `undefined` when there was no answer. */
  readonly status: number | undefined;
  /** Until the headers of the answer were there. */
  readonly ms: number;
}

/** Told of every request. Must return at once, and must not throw. */
export type RequestObserver = (outcome: RequestOutcome) => void;

/** A client of the cluster that a kubeconfig names, or of the one that this pod is in. Fails with a `ClusterConfigError`. */
export async function loadApiClient(source: CredentialsSource, observe?: RequestObserver): Promise<ApiClient> {
  return new ApiClient(await Credentials.load(source), observe);
}

/** Sends requests over connections that are kept open in between. */
export class ApiClient {
  readonly #credentials: CredentialProvider;
  // Sockets are pooled by server, CA and client certificate: new ones are not served by connections of the old ones.
  readonly #https = new HttpsAgent({ keepAlive: true, keepAliveMsecs: 30_000 });
  readonly #http = new HttpAgent({ keepAlive: true, keepAliveMsecs: 30_000 });
  readonly #observe: RequestObserver;
  #areCredentialsStale = false;

  constructor(credentials: CredentialProvider, observe: RequestObserver = () => {}) {
    this.#credentials = credentials;
    this.#observe = observe;
  }

  /** Base URL of the API server. */
  get server(): string {
    return this.#credentials.server;
  }

  /**
   * Gets a path (with query), or sends what `write` says there. Any status is an answer; a `ConnectionError` says that there was none. Aborting the signal
   * ends the request and destroys the body, both with the signal's reason. After a 401 everything is read from disk again
   * before the next request.
   */
  async request(path: string, signal: AbortSignal, write?: ApiWrite): Promise<ApiResponse> {
    const options = await abortable(this.#options(write), signal).catch(rethrow(signal));
    const url = new URL(this.server + path);
    const startedAt = performance.now();
    let status: number | undefined;
    try {
      const response = await this.#send(url, options, { signal, body: write?.body ?? '' });
      status = response.status;
      if (status === 401) this.#areCredentialsStale = true;
      return response;
    } finally {
      this.#observe({ method: write?.method ?? 'GET', host: url.host, status, ms: performance.now() - startedAt });
    }
  }

  /** Drops idle connections. */
  close(): void {
    this.#https.destroy();
    this.#http.destroy();
  }

  async #options(write: ApiWrite | undefined): Promise<RequestOptions> {
    if (this.#areCredentialsStale) {
      await this.#credentials.reload();
      this.#areCredentialsStale = false;
    }
    const { headers, ...options } = await this.#credentials.requestOptions();
    const agent = this.server.startsWith('http:') ? this.#http : this.#https;
    const commonHeaders = { ...headers, accept: 'application/json', 'user-agent': 'nftlane' };
    if (write === undefined) return { agent, ...options, headers: commonHeaders };
    return {
      agent,
      ...options,
      method: write.method,
      headers: { ...commonHeaders, 'content-type': write.contentType },
    };
  }

  #send(url: URL, options: RequestOptions, { signal, body }: SendOptions): Promise<ApiResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<ApiResponse>();
    const request = url.protocol === 'http:' ? requestHttp(url, options) : requestHttps(url, options);
    const abort = () => request.destroy(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    request.on('close', () => signal.removeEventListener('abort', abort));
    request.on('response', (message) => resolve(toApiResponse(message, signal)));
    request.on('error', (error) => {
      // A kept connection may have been closed by the server just as it was taken for this request.
      if (request.reusedSocket && !signal.aborted) resolve(this.#send(url, options, { signal, body }));
      else reject(signal.aborted ? signal.reason : toConnectionError(error));
    });
    if (signal.aborted) abort();
    else request.end(body);
    return promise;
  }
}

interface SendOptions {
  readonly signal: AbortSignal;
  readonly body: string;
}

function toApiResponse(body: IncomingMessage, signal: AbortSignal): ApiResponse {
  const abort = () => body.destroy(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  body.on('close', () => signal.removeEventListener('abort', abort));
  return { status: body.statusCode ?? 0, headers: body.headers, body };
}

/** An exec plugin may hang, and knows nothing of signals. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function rethrow(signal: AbortSignal): (error: unknown) => never {
  return (error) => {
    throw signal.aborted ? signal.reason : toConnectionError(error);
  };
}
