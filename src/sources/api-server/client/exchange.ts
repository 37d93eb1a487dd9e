// One supervised request: its answer goes chunk by chunk to a handler, and nothing in it can hang for ever.
import type { Readable } from 'node:stream';
import type { Clock } from '../../../host/clock.ts';
import type { ApiClient, ApiResponse } from './api-client.ts';
import { ConnectionError, SilenceError, toApiError, toConnectionError } from './api-error.ts';
import { Watchdog } from './watchdog.ts';

export interface ExchangeLimits {
  /** Milliseconds until the headers of the answer must be there. */
  readonly connectTimeoutMs: number;
  /** Milliseconds that an open stream may be without a byte. */
  readonly inactivityMs: number;
}

export interface Exchange {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly limits: ExchangeLimits;
  readonly signal: AbortSignal;
  /** The server has answered 200. */
  readonly onOpen?: () => void;
  readonly onChunk: (chunk: Buffer) => void;
}

/**
 * Gets a path and reads the answer to its end. Fails with an `ApiError` when it is not 200, with a `ConnectionError` when
 * the connection fails, with a `SilenceError` when it goes dead, with the signal's reason, or with whatever `onChunk` threw.
 */
export async function exchange(
  path: string,
  { client, clock, limits, signal, onOpen, onChunk }: Exchange,
): Promise<void> {
  const controller = new AbortController();
  const forward = () => controller.abort(signal.reason);
  const watchdog = new Watchdog(clock);
  signal.addEventListener('abort', forward, { once: true });
  if (signal.aborted) forward();
  try {
    const { connectTimeoutMs, inactivityMs } = limits;
    watchdog.start(connectTimeoutMs, () => {
      controller.abort(new ConnectionError(`no answer for ${connectTimeoutMs / 1000} s`));
    });
    const response = await client.request(path, controller.signal);
    watchdog.start(inactivityMs, () => {
      controller.abort(new SilenceError(`nothing received for ${inactivityMs / 1000} s`));
    });
    if (response.status !== 200) await refuse(response, { clock, watchdog });
    onOpen?.();
    await readAll(response.body, (chunk) => {
      watchdog.touch();
      onChunk(chunk);
    });
  } finally {
    watchdog.stop();
    signal.removeEventListener('abort', forward);
  }
}

/** A Status object is small; whatever else a proxy may say is cut. */
const LONGEST_REFUSAL = 64 * 1024;

async function refuse(response: ApiResponse, { clock, watchdog }: { clock: Clock; watchdog: Watchdog }): Promise<void> {
  const chunks: Buffer[] = [];
  let length = 0;
  await readAll(response.body, (chunk) => {
    watchdog.touch();
    if (length < LONGEST_REFUSAL) chunks.push(chunk);
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
