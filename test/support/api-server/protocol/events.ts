// Events on the test server: written by clients, kept for the test to look at.
import type { IncomingMessage } from 'node:http';
import { asObject, asString } from '../../../../src/services/objects/read.ts';

/** What to answer with. */
export interface EventReply {
  readonly status: number;
  /** The object, when there is one. */
  readonly object?: unknown;
}

export type StoredEvent = Readonly<Record<string, unknown>>;

const PATH = /^\/apis\/events\.k8s\.io\/v1\/namespaces\/([^/]+)\/events(?:\/([^/]+))?$/;

/** Takes POST, and PATCH as a merge of the first level. */
export class Events {
  /** By `namespace/name`, in the order in which they came. */
  readonly all = new Map<string, StoredEvent>();
  /** Statuses to refuse the next requests with. */
  readonly refusals: number[] = [];
  /** `POST name` or `PATCH name` of every request that got through to here. */
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

/** What a real server demands of an Event of events.k8s.io/v1. */
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
