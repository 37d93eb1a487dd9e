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

/** Too many events without content arrived in a short time. */
export class EventFloodError extends ConnectionError {}

/** The server streams a list without marking its end. */
export class MissingInitialEventsEndError extends ConnectionError {}

/** Codes of OpenSSL's certificate errors, whose messages do not mention TLS. */
const CERTIFICATE_ERROR = /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_|INVALID_|HOSTNAME_|CRL_)/;

/** The connection error for an error of Node's network code. */
export function toConnectionError(error: unknown): ConnectionError {
  if (error instanceof ConnectionError) return error;
  const { message, code } = asObject(error);
  // After several addresses, a connection fails with an AggregateError, which has a code but no message.
  const text = asString(message) || asString(code) || String(error);
  const prefix = CERTIFICATE_ERROR.test(asString(code)) ? 'TLS: ' : '';
  return new ConnectionError(`${prefix}${text}`, { cause: error });
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
  const { code, message, reason, details } = asObject(object);
  const status = typeof code === 'number' ? code : 500;
  const seconds = asObject(details)['retryAfterSeconds'];
  const retryAfterMs = typeof seconds === 'number' && seconds > 0 ? limitDelay(seconds * 1000) : undefined;
  return new ApiError(status, toText(message) || toText(reason) || `status ${status}`, retryAfterMs);
}

function messageOf(body: string): string {
  try {
    const { message, reason } = asObject(JSON.parse(body));
    return toText(message) || toText(reason);
  } catch {
    return toText(body);
  }
}

const MAX_MESSAGE_LENGTH = 200;

/** A text of the server on one line, without control and format characters, cut to a length that fits into a log. */
function toText(value: unknown): string {
  const line = asString(value)
    .slice(0, 10 * MAX_MESSAGE_LENGTH)
    .replaceAll(/[\p{C}\p{Z}]+/gu, ' ')
    .trim();
  return line.length > MAX_MESSAGE_LENGTH ? `${line.slice(0, MAX_MESSAGE_LENGTH - 3)}...` : line;
}

/** The longest own delay (see `Backoff`). A longer one would leave the node without updates because of one response. */
const MAX_RETRY_AFTER_MS = 30_000;

function limitDelay(ms: number): number {
  return Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

/** An HTTP date begins with the name of a day. `Date.parse` accepts nearly any text with a number. */
const HTTP_DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /;

/** Parses `Retry-After`, in seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return limitDelay(Number(header) * 1000);
  const ms = HTTP_DATE.test(header) ? Date.parse(header) - now : Number.NaN;
  return Number.isNaN(ms) ? undefined : limitDelay(ms);
}
