// Refuses responses that do not come from a Kubernetes API server: redirects to others, web pages and compressed bodies.

import type { IncomingHttpHeaders } from 'node:http';
import { ConnectionError } from './api-error.ts';

/** The part of a response before its body. */
interface ResponseHead {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/**
 * The URL to which a response redirects a GET request of `from`; `undefined` for other responses. Throws `ConnectionError`
 * for a redirect to another scheme, host or port, which would receive the credentials, and for one without a usable URL.
 */
export function redirectTarget({ status, headers }: ResponseHead, from: URL): URL | undefined {
  if (!REDIRECTS.includes(status)) return undefined;
  const { location } = headers;
  if (location === undefined || !URL.canParse(location, from.href)) {
    throw new ConnectionError(`HTTP status ${status}: a redirect without a usable location`);
  }
  const target = new URL(location, from);
  if (target.origin === from.origin) return target;
  const place = `${target.protocol}//${target.host}`.slice(0, 200);
  throw new ConnectionError(`HTTP status ${status}: redirects to "${place}", which would receive the credentials`);
}

/**
 * Throws `ConnectionError` for a body that the client did not ask for. A compressed body may be a thousand times larger than
 * what arrives; the page of a proxy or a login is not JSON and often has status 200.
 */
export function checkContent({ status, headers }: ResponseHead): void {
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw new ConnectionError(`the response is encoded ("${encoding.slice(0, 50)}")`);
  const type = headers['content-type'];
  if (status < 200 || status > 299 || type === undefined || /json/i.test(type)) return;
  throw new ConnectionError(
    `the response is "${type.slice(0, 50)}", not JSON: is there a proxy before the API server?`,
  );
}
