// The Events that clients have written to the test server.

import type { IncomingMessage } from 'node:http';
import { asObject, asString } from '../../../../src/services/objects/read.ts';

/** The response. */
export interface EventReply {
  readonly status: number;
  readonly object?: unknown;
}

export type StoredEvent = Readonly<Record<string, unknown>>;

const PATH = /^\/apis\/events\.k8s\.io\/v1\/namespaces\/([^/]+)\/events(?:\/([^/]+))?$/;

/** Supports POST, and PATCH as a merge of the first level. */
export class Events {
  /** By `namespace/name`, in the order of arrival. */
  readonly all = new Map<string, StoredEvent>();
  /** The error statuses of the next requests. */
  readonly refusals: number[] = [];
  /** `POST name` or `PATCH name` of every authorized request. */
  readonly requests: string[] = [];

  /** Whether this is a request for Events. */
  matches(request: IncomingMessage): boolean {
    return PATH.test(request.url ?? '');
  }

  async serve(request: IncomingMessage): Promise<EventReply> {
    const [, namespace = '', name] = PATH.exec(request.url ?? '') ?? [];
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = asObject(JSON.parse(Buffer.concat(chunks).toString() || '{}'));
    const refusal = this.refusals.shift();
    this.requests.push(`${request.method} ${name ?? asString(asObject(body['metadata'])['name'])}`);
    if (refusal !== undefined) return { status: refusal };
    if (request.method === 'POST' && name === undefined) return this.#create(namespace, body);
    if (request.method === 'PATCH' && name !== undefined) return this.#patch(`${namespace}/${name}`, request, body);
    return { status: 405 };
  }

  #create(namespace: string, event: StoredEvent): EventReply {
    const metadata = asObject(event['metadata']);
    const key = `${namespace}/${asString(metadata['name'])}`;
    const wrong = metadata['namespace'] !== namespace || isInvalid(event);
    if (wrong) return { status: 422 };
    if (this.all.has(key)) return { status: 409 };
    this.all.set(key, event);
    return { status: 201, object: event };
  }

  #patch(key: string, { headers }: IncomingMessage, patch: StoredEvent): EventReply {
    const event = this.all.get(key);
    if (headers['content-type'] !== 'application/merge-patch+json') return { status: 415 };
    if (event === undefined) return { status: 404 };
    const patched = { ...event, ...patch };
    if (isInvalid(patched)) return { status: 422 };
    this.all.set(key, patched);
    return { status: 200, object: patched };
  }
}

const MICRO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

/** Validates an Event of events.k8s.io/v1 as a real server does. */
function isInvalid(event: StoredEvent): boolean {
  const short = (field: string) => asString(event[field]) !== '' && asString(event[field]).length <= 128;
  const regarding = asObject(event['regarding']);
  const metadata = asObject(event['metadata']);
  const series = event['series'] === undefined ? undefined : asObject(event['series']);
  return (
    !['reportingController', 'reportingInstance', 'reason', 'action'].every(short) ||
    !['Normal', 'Warning'].includes(asString(event['type'])) ||
    !MICRO_TIME.test(asString(event['eventTime'])) ||
    Buffer.byteLength(asString(event['note'])) > 1024 ||
    asString(metadata['name']).length > 253 ||
    (asString(regarding['namespace']) || 'default') !== metadata['namespace'] ||
    (series !== undefined && (Number(series['count']) < 2 || !MICRO_TIME.test(asString(series['lastObservedTime']))))
  );
}
