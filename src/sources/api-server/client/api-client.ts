// The HTTP client for the API server.

import { Agent as HttpAgent, type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions, request as requestHttps } from 'node:https';
import type { Readable } from 'node:stream';
import { ConnectionError, toConnectionError } from './api-error.ts';
import { checkContent, redirectTarget } from './check-response.ts';
import { type CredentialProvider, Credentials, type CredentialsSource } from './credentials.ts';

export interface ApiResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Must be read to its end or destroyed. */
  readonly body: Readable;
}

/** A request with a JSON body. */
export interface ApiWrite {
  readonly method: 'POST' | 'PATCH';
  readonly contentType: string;
  readonly body: string;
}

/** A request and its result, for metrics. */
export interface RequestOutcome {
  readonly method: 'GET' | ApiWrite['method'];
  /** Host and port of the server. */
  readonly host: string;
  /** `undefined` without a response. */
  readonly status: number | undefined;
  /** Until the headers of the response arrived. */
  readonly durationMs: number;
}

/** Receives every request. Must return quickly and must not throw. */
export type RequestObserver = (outcome: RequestOutcome) => void;

/** A client for the cluster of a kubeconfig, or of this pod. Rejects with `ClusterConfigError`. */
export async function loadApiClient(source: CredentialsSource, observe?: RequestObserver): Promise<ApiClient> {
  return new ApiClient(await Credentials.load(source), observe);
}

/** Sends requests over persistent connections. */
export class ApiClient {
  readonly #credentials: CredentialProvider;
  // The pool is keyed by server, CA and client certificate, so new credentials use new connections.
  readonly #https = new HttpsAgent({ keepAlive: true, keepAliveMsecs: 30_000 });
  readonly #http = new HttpAgent({ keepAlive: true, keepAliveMsecs: 30_000 });
  readonly #observe: RequestObserver;
  #areCredentialsStale = false;

  constructor(credentials: CredentialProvider, observe: RequestObserver = () => {}) {
    this.#credentials = credentials;
    this.#observe = observe;
  }

  /** The base URL of the API server. */
  get server(): string {
    return this.#credentials.server;
  }

  /**
   * Sends a GET request to a path with a query, or `write` if given. Resolves with any status; rejects with
   * `ConnectionError` without a response, or with one that no API server sends (see `checkContent`). Follows redirects of
   * a GET request to the same server, as client-go does. Aborting the signal ends the request and destroys the body, with the signal's
   * reason. After status 401, the next request reads the credentials from disk again.
   */
  async request(path: string, signal: AbortSignal, write?: ApiWrite): Promise<ApiResponse> {
    const options = await abortable(this.#options(write), signal).catch(rethrow(signal));
    const url = new URL(this.server + path);
    const startedAt = performance.now();
    let status: number | undefined;
    try {
      const response = await this.#follow(url, options, { signal, body: write?.body ?? '' });
      status = response.status;
      refuseUnwanted(response, () => checkContent(response));
      if (status === 401) this.#areCredentialsStale = true;
      return response;
    } finally {
      this.#observe({
        method: write?.method ?? 'GET',
        host: url.host,
        status,
        durationMs: performance.now() - startedAt,
      });
    }
  }

  /** Closes idle connections. */
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
    const commonHeaders = {
      ...headers,
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'nftlane',
    };
    if (write === undefined) return { agent, ...options, headers: commonHeaders };
    return {
      agent,
      ...options,
      method: write.method,
      headers: { ...commonHeaders, 'content-type': write.contentType },
    };
  }

  async #follow(url: URL, options: RequestOptions, request: SendOptions): Promise<ApiResponse> {
    for (let [redirects, target] = [0, url]; ; redirects++) {
      const response = await this.#send(target, options, request);
      const next =
        options.method === undefined ? refuseUnwanted(response, () => redirectTarget(response, target)) : undefined;
      if (next === undefined) return response;
      response.body.destroy();
      if (redirects === MAX_REDIRECTS) throw new ConnectionError(`more than ${MAX_REDIRECTS} redirects`);
      target = next;
    }
  }

  #send(url: URL, options: RequestOptions, { signal, body }: SendOptions): Promise<ApiResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<ApiResponse>();
    const request = url.protocol === 'http:' ? requestHttp(url, options) : requestHttps(url, options);
    const abort = () => request.destroy(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    request.on('close', () => {
      signal.removeEventListener('abort', abort);
      // Has no effect after a response or an error.
      reject(new ConnectionError('the connection was closed without a response'));
    });
    request.on('response', (message) => resolve(toApiResponse(message, signal)));
    request.on('error', (error) => {
      // The server may have closed a persistent connection just before this request used it.
      if (request.reusedSocket && !signal.aborted) resolve(this.#send(url, options, { signal, body }));
      else reject(signal.aborted ? signal.reason : toConnectionError(error));
    });
    if (signal.aborted) abort();
    else request.end(body);
    return promise;
  }
}

/** The limit of Go's HTTP client, and so of client-go. */
const MAX_REDIRECTS = 10;

interface SendOptions {
  readonly signal: AbortSignal;
  readonly body: string;
}

/** Closes the connection of a response that a check refuses, and rethrows. */
function refuseUnwanted<T>({ body }: ApiResponse, check: () => T): T {
  try {
    return check();
  } catch (error) {
    body.on('error', () => undefined).destroy();
    throw error;
  }
}

function toApiResponse(body: IncomingMessage, signal: AbortSignal): ApiResponse {
  const abort = () => body.destroy(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  body.on('close', () => signal.removeEventListener('abort', abort));
  return { status: body.statusCode ?? 0, headers: body.headers, body };
}

/** Rejects when the signal aborts: an exec plugin may hang and cannot be canceled. */
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
