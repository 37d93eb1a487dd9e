// One supervised request: its answer goes chunk by chunk to a handler, and nothing in it can hang for ever.
import type { Readable } from 'node:stream';
import type { Clock } from '../../../host/clock.ts';
import type { ApiClient, ApiResponse } from './api-client.ts';
import { ConnectionError, IdleTimeoutError, toApiError, toConnectionError } from './api-error.ts';
import { Watchdog } from './watchdog.ts';

export interface StreamTimeouts {
  /** Milliseconds until the headers of the answer must be there. */
  readonly connectTimeoutMs: number;
  /** Milliseconds that an open stream may be without a byte. */
  readonly idleTimeoutMs: number;
}

export interface StreamOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly timeouts: StreamTimeouts;
  readonly signal: AbortSignal;
  /** The server has answered 200. */
  readonly onOpen?: () => void;
  readonly onChunk: (chunk: Buffer) => void;
}

/**
 * Gets a path and reads the answer to its end. Fails with an `ApiError` when it is not 200, with a `ConnectionError` when
 * the connection fails, with a `SilenceError` when it goes dead, with the signal's reason, or with whatever `onChunk` threw.
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
      controller.abort(new ConnectionError(`no answer for ${connectTimeoutMs / 1000} s`));
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

/** A Status object is small; whatever else a proxy may say is cut. */
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
    // Destroying does not call back the chunks that are already on their way.
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
