// What can go wrong between this process and the API server.
import type { IncomingHttpHeaders } from 'node:http';
import { asObject, asString } from '../../../services/objects/read.ts';

/** The server answered, and the answer is a refusal. The message is the server's own. */
export class ApiError extends Error {
  /** HTTP status, or the `code` of a Status object inside a watch. */
  readonly status: number;
  /** Milliseconds to wait before the next attempt, when the server says so. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, message: string, retryAfterMs?: number) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The server could not be reached, or the connection was lost or made no sense. */
export class ConnectionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConnectionError';
  }
}

/** A connection that was open, and then nothing came any more. */
export class IdleTimeoutError extends ConnectionError {}

/** A server that was asked to stream a list, and streams without ever saying where the list ends. */
export class MissingInitialEventsEndError extends ConnectionError {}

/** The connection error of anything that Node's network code throws. */
export function toConnectionError(error: unknown): ConnectionError {
  if (error instanceof ConnectionError) return error;
  const { message, code } = asObject(error);
  // A connection that was tried on several addresses fails with an AggregateError, which has a code but no message.
  return new ConnectionError(asString(message) || asString(code) || String(error), { cause: error });
}

/** The error of an answer that is not 200, from its Status object. `now` is the time in milliseconds since 1970. */
export function toApiError(
  { status, headers }: { status: number; headers: IncomingHttpHeaders },
  { body, now }: { body: string; now: number },
): ApiError {
  return new ApiError(status, messageOf(body) || `HTTP status ${status}`, retryAfterMs(headers['retry-after'], now));
}

/** The error of a Status object that came as an ERROR event. */
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

/** Nobody is served by a server that silences its clients for longer. */
const MAX_RETRY_AFTER_MS = 300_000;

/** `Retry-After` comes as seconds or as a date (RFC 9110, 10.2.3). */
function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}
