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

/** A client of the cluster that a kubeconfig names, or of the one that this pod is in. Fails with a `ClusterConfigError`. */
export async function loadApiClient(source: CredentialsSource): Promise<ApiClient> {
  return new ApiClient(await Credentials.load(source));
}

/** Sends requests over connections that are kept open in between. */
export class ApiClient {
  readonly #credentials: CredentialProvider;
  // Sockets are pooled by server, CA and client certificate: new ones are not served by connections of the old ones.
  readonly #https = new HttpsAgent({ keepAlive: true, keepAliveMsecs: 30_000 });
  readonly #http = new HttpAgent({ keepAlive: true, keepAliveMsecs: 30_000 });
  #stale = false;

  constructor(credentials: CredentialProvider) {
    this.#credentials = credentials;
  }

  /** Base URL of the API server. */
  get server(): string {
    return this.#credentials.server;
  }

  /**
   * Gets a path (with query). Any status is an answer; a `ConnectionError` says that there was none. Aborting the signal
   * ends the request and destroys the body, both with the signal's reason. After a 401 everything is read from disk again
   * before the next request.
   */
  async request(path: string, signal: AbortSignal): Promise<ApiResponse> {
    const options = await abortable(this.#options(), signal).catch(rethrow(signal));
    const response = await this.#send(new URL(this.server + path), options, signal);
    if (response.status === 401) this.#stale = true;
    return response;
  }

  /** Drops idle connections. */
  close(): void {
    this.#https.destroy();
    this.#http.destroy();
  }

  async #options(): Promise<RequestOptions> {
    if (this.#stale) {
      await this.#credentials.reload();
      this.#stale = false;
    }
    const { headers, ...options } = await this.#credentials.requestOptions();
    const agent = this.server.startsWith('http:') ? this.#http : this.#https;
    return { agent, ...options, headers: { ...headers, accept: 'application/json', 'user-agent': 'nftlane' } };
  }

  #send(url: URL, options: RequestOptions, signal: AbortSignal): Promise<ApiResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<ApiResponse>();
    const request = url.protocol === 'http:' ? requestHttp(url, options) : requestHttps(url, options);
    const abort = () => request.destroy(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    request.on('close', () => signal.removeEventListener('abort', abort));
    request.on('response', (body) => resolve(answer(body, signal)));
    request.on('error', (error) => {
      // A kept connection may have been closed by the server just as it was taken for this request.
      if (request.reusedSocket && !signal.aborted) resolve(this.#send(url, options, signal));
      else reject(signal.aborted ? signal.reason : toConnectionError(error));
    });
    if (signal.aborted) abort();
    else request.end();
    return promise;
  }
}

function answer(body: IncomingMessage, signal: AbortSignal): ApiResponse {
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
