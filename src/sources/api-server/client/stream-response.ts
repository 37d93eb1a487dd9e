// A request whose response is streamed, with timeouts for every phase.

import type { Readable } from 'node:stream';
import type { Clock } from '../../../host/clock.ts';
import type { ApiClient, ApiResponse } from './api-client.ts';
import { ConnectionError, IdleTimeoutError, toApiError, toConnectionError } from './api-error.ts';
import { readBody } from './read-body.ts';
import { Watchdog } from './watchdog.ts';

export interface StreamTimeouts {
  /** The limit until the headers of the response arrive. */
  readonly connectTimeoutMs: number;
  /** The limit without a complete object or event on an open stream. */
  readonly idleTimeoutMs: number;
}

export interface StreamOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly timeouts: StreamTimeouts;
  readonly signal: AbortSignal;
  /** The server responded with status 200. */
  readonly onOpen?: () => void;
  /** Returns the number of objects or events that the chunk completed. Bytes without one do not postpone the idle timeout. */
  readonly onChunk: (chunk: Buffer) => number;
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
      controller.abort(new IdleTimeoutError(`no object received for ${idleTimeoutMs / 1000} s`));
    });
    if (response.status !== 200) await throwApiError(response, clock);
    onOpen?.();
    await readAll(response.body, (chunk) => {
      if (onChunk(chunk) > 0) watchdog.reset();
    });
  } finally {
    watchdog.stop();
    signal.removeEventListener('abort', forward);
  }
}

/** The status is known; its message is not worth a longer wait. */
const ERROR_BODY_TIMEOUT_MS = 5_000;

async function throwApiError(response: ApiResponse, clock: Clock): Promise<void> {
  const [timeout, isRead] = [new AbortController(), new AbortController()];
  void clock.sleep(ERROR_BODY_TIMEOUT_MS, isRead.signal).then(() => timeout.abort());
  try {
    const body = await readBody(response.body, { signal: timeout.signal }).catch(() => '');
    throw toApiError(response, { body, now: clock.wallTime(clock.now()) });
  } finally {
    isRead.abort();
  }
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
