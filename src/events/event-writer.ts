// Writes Events to the API server.

import { KINDS } from '../services/objects/kinds.ts';
import { asArray, asObject, asString } from '../services/objects/read.ts';
import type { ApiClient, ApiWrite } from '../sources/api-server/client/api-client.ts';
import { ConnectionError, toApiError } from '../sources/api-server/client/api-error.ts';
import { readBody } from '../sources/api-server/client/read-body.ts';
import { type EventOrigin, type EventRef, seriesPatch, splitKey, toEvent } from './event-object.ts';
import type { EventSpec, Regarding } from './event-spec.ts';

const TIMEOUT_MS = 10_000;
/** The largest response is a list with the object that an Event is about. */
const MAX_BODY_BYTES = 16 * 1024 ** 2;

/** All methods reject with `ApiError` or `ConnectionError`. */
export interface EventWriter {
  /** Creates the Event, unless one of that name exists. */
  create(event: EventSpec, ref: EventRef, origin: Omit<EventOrigin, 'uid'>, signal: AbortSignal): Promise<void>;
  /** Updates the number of occurrences. */
  repeat(ref: EventRef, series: { count: number; lastAt: number }, signal: AbortSignal): Promise<void>;
}

export class ApiEventWriter implements EventWriter {
  readonly #client: Pick<ApiClient, 'request'>;

  constructor(client: Pick<ApiClient, 'request'>) {
    this.#client = client;
  }

  async create(event: EventSpec, ref: EventRef, origin: Omit<EventOrigin, 'uid'>, signal: AbortSignal): Promise<void> {
    const uid = await this.#uidOf(event.regarding, signal);
    const body = JSON.stringify(toEvent(event, ref, { ...origin, uid }));
    const write: ApiWrite = { method: 'POST', contentType: 'application/json', body };
    await this.#send(eventsPath(ref), signal, { write, accepted: [409] });
  }

  async repeat(ref: EventRef, { count, lastAt }: { count: number; lastAt: number }, signal: AbortSignal) {
    const body = JSON.stringify(seriesPatch(count, lastAt));
    const write: ApiWrite = { method: 'PATCH', contentType: 'application/merge-patch+json', body };
    await this.#send(`${eventsPath(ref)}/${ref.name}`, signal, { write });
  }

  /**
   * `kubectl describe` finds the Events of an object by UID. The store does not keep UIDs, and nftlane may list but not get
   * objects, so the UID is read with a list. Kubelets use the name of a Node as its UID.
   */
  async #uidOf(regarding: Regarding, signal: AbortSignal): Promise<string | undefined> {
    if (regarding.kind === 'Node') return regarding.key;
    const { namespace, name } = splitKey(regarding);
    const { path } = KINDS[regarding.kind];
    const end = path.lastIndexOf('/');
    const collection = namespace === '' ? path : `${path.slice(0, end)}/namespaces/${namespace}${path.slice(end)}`;
    const query = new URLSearchParams({ fieldSelector: `metadata.name=${name}` });
    const found = await this.#send(`${collection}?${query}`, signal).catch(() => undefined);
    const [object] = asArray(asObject(found)['items']);
    return asString(asObject(asObject(object)['metadata'])['uid']) || undefined;
  }

  /** Returns the object of the response. A status in `accepted` counts as success. */
  async #send(
    path: string,
    signal: AbortSignal,
    { write, accepted = [] }: { write?: ApiWrite; accepted?: readonly number[] } = {},
  ): Promise<unknown> {
    const combined = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const response = await this.#client.request(path, combined, write);
    const body = await readBody(response.body, { maxBytes: MAX_BODY_BYTES });
    if (accepted.includes(response.status)) return undefined;
    if (response.status >= 300) throw toApiError(response, { body, now: Date.now() });
    return parse(body);
  }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new ConnectionError('the response is not JSON', { cause: error });
  }
}

function eventsPath({ namespace }: EventRef): string {
  return `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
}
