// A request whose response is streamed, with timeouts for every phase.

import type { Readable } from 'node:stream';
import type { Clock } from '../../../host/clock.ts';
import type { ApiClient, ApiResponse } from './api-client.ts';
import { ConnectionError, IdleTimeoutError, toApiError, toConnectionError } from './api-error.ts';
import { Watchdog } from './watchdog.ts';

export interface StreamTimeouts {
  /** The limit until the headers of the response arrive. */
  readonly connectTimeoutMs: number;
  /** The limit without data on an open stream. */
  readonly idleTimeoutMs: number;
}

export interface StreamOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly timeouts: StreamTimeouts;
  readonly signal: AbortSignal;
  /** The server responded with status 200. */
  readonly onOpen?: () => void;
  readonly onChunk: (chunk: Buffer) => void;
}

/**
 * Gets a path and reads the response to its end. Rejects with `ApiError` for another status than 200, `ConnectionError`
 * when the connection fails, `IdleTimeoutError` after the idle limit, the signal's reason, or the error of `onChunk`.
 */
export async function streamResponse(
  path: string,
  { client, clock, timeouts, signal, onOpen, onChunk }: StreamOptions,
): Promise<void> {
  const controller = new AbortController();
  const forward = () => controller.abort(signal.reason);
  const watchdog = new Watchdog(clock);
  signal.addEventListener('abort', forward, { once: true });
  if (signal.aborted) forward();
  try {
    const { connectTimeoutMs, idleTimeoutMs } = timeouts;
    watchdog.start(connectTimeoutMs, () => {
      controller.abort(new ConnectionError(`no response for ${connectTimeoutMs / 1000} s`));
    });
    const response = await client.request(path, controller.signal);
    watchdog.start(idleTimeoutMs, () => {
      controller.abort(new IdleTimeoutError(`nothing received for ${idleTimeoutMs / 1000} s`));
    });
    if (response.status !== 200) await throwApiError(response, { clock, watchdog });
    onOpen?.();
    await readAll(response.body, (chunk) => {
      watchdog.reset();
      onChunk(chunk);
    });
  } finally {
    watchdog.stop();
    signal.removeEventListener('abort', forward);
  }
}

/** A Status object is small; longer responses, such as those of proxies, are truncated. */
const MAX_ERROR_BODY_BYTES = 64 * 1024;

async function throwApiError(
  response: ApiResponse,
  { clock, watchdog }: { clock: Clock; watchdog: Watchdog },
): Promise<void> {
  const chunks: Buffer[] = [];
  let length = 0;
  await readAll(response.body, (chunk) => {
    watchdog.reset();
    if (length < MAX_ERROR_BODY_BYTES) chunks.push(chunk);
    length += chunk.length;
  });
  throw toApiError(response, { body: Buffer.concat(chunks).toString(), now: clock.now() });
}

function readAll(body: Readable, onChunk: (chunk: Buffer) => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fail = (error: unknown) => {
    reject(error);
    body.destroy();
  };
  body.on('data', (chunk: Buffer) => {
    // Chunks may still arrive after the stream was destroyed.
    if (body.destroyed) return;
    try {
      onChunk(chunk);
    } catch (error) {
      fail(error);
    }
  });
  body.on('end', resolve);
  body.on('error', (error) => reject(toConnectionError(error)));
  body.on('close', () => reject(new ConnectionError('the connection was closed')));
  return promise;
}
