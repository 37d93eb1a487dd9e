// Errors of requests to the API server.

import type { IncomingHttpHeaders } from 'node:http';
import { asObject, asString } from '../../../services/objects/read.ts';

/** The server responded with an error, whose message this is. */
export class ApiError extends Error {
  /** The HTTP status, or the `code` of a Status object in a watch. */
  readonly status: number;
  /** The delay before the next attempt that the server requests. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, message: string, retryAfterMs?: number) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The server is unreachable, the connection was lost, or the response is invalid. */
export class ConnectionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConnectionError';
  }
}

/** No data arrived on an open connection. */
export class IdleTimeoutError extends ConnectionError {}

/** The server streams a list without marking its end. */
export class MissingInitialEventsEndError extends ConnectionError {}

/** The connection error for an error of Node's network code. */
export function toConnectionError(error: unknown): ConnectionError {
  if (error instanceof ConnectionError) return error;
  const { message, code } = asObject(error);
  // After several addresses, a connection fails with an AggregateError, which has a code but no message.
  return new ConnectionError(asString(message) || asString(code) || String(error), { cause: error });
}

/** The error of a response with another status than 200. `now` is in milliseconds since 1970. */
export function toApiError(
  { status, headers }: { status: number; headers: IncomingHttpHeaders },
  { body, now }: { body: string; now: number },
): ApiError {
  return new ApiError(status, messageOf(body) || `HTTP status ${status}`, retryAfterMs(headers['retry-after'], now));
}

/** The error of the Status object of an ERROR event. */
export function fromStatus(object: unknown): ApiError {
  const { code, message, reason } = asObject(object);
  const status = typeof code === 'number' ? code : 500;
  return new ApiError(status, asString(message) || asString(reason) || `status ${status}`);
}

function messageOf(body: string): string {
  try {
    const { message, reason } = asObject(JSON.parse(body));
    return asString(message) || asString(reason);
  } catch {
    return body.trim().slice(0, 200);
  }
}

/** A longer delay would leave the node without updates for too long. */
const MAX_RETRY_AFTER_MS = 300_000;

/** Parses `Retry-After`, in seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}
