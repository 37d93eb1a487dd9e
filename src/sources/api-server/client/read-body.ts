// Reads the small body of a response, such as a Status object.

import type { Readable } from 'node:stream';
import { toConnectionError } from './api-error.ts';

/** A Status object is small; longer bodies, such as the pages of proxies, are cut. */
const MAX_BODY_BYTES = 64 * 1024;

/**
 * The body as text, cut to `maxBytes`; the rest is not read. Rejects with `ConnectionError` if the connection breaks. An
 * aborted signal ends the wait: what has arrived is returned.
 */
export async function readBody(
  body: Readable,
  { maxBytes = MAX_BODY_BYTES, signal }: { readonly maxBytes?: number; readonly signal?: AbortSignal } = {},
): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  const stop = () => body.destroy();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    if (signal?.aborted) stop();
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      // Leaving the loop destroys the stream.
      if (length >= maxBytes) break;
    }
  } catch (error) {
    if (!signal?.aborted) throw toConnectionError(error);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
  return Buffer.concat(chunks).subarray(0, maxBytes).toString();
}
