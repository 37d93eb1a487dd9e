// The events of one watch: first the list, if it is streamed, then the changes.

import type { Kind, KindMap, KindTraits } from '../../services/objects/kinds.ts';
import type { ReadResult } from '../../services/objects/read.ts';
import { ConnectionError, fromStatus, MissingInitialEventsEndError } from './client/api-error.ts';
import { collectionPath } from './client/collection-path.ts';
import { LineSplitter } from './stream/line-splitter.ts';
import { readWatchEvent, type WatchEvent } from './stream/watch-event.ts';

/** Handlers also receive the current resourceVersion. */
interface WatchHandlers<K extends Kind> {
  /** The version at which the watch begins; empty to receive the complete list first. */
  readonly resourceVersion: string;
  /** Receives each object before the list is complete. */
  readonly onListItem?: (object: ReadResult<KindMap[K]>) => void;
  readonly onList: (objects: readonly ReadResult<KindMap[K]>[], resourceVersion: string) => void;
  readonly onPut: (object: ReadResult<KindMap[K]>, resourceVersion: string) => void;
  readonly onRemove: (key: string, resourceVersion: string) => void;
  readonly onBookmark: (resourceVersion: string) => void;
  /** An event that changes nothing was ignored: its object is of another kind. */
  readonly onForeign: (kind: string) => void;
}

/**
 * Kubernetes supports 10,000 Services and 150,000 pods in a cluster. A list that continues after this number does not come to
 * an end, and would take all memory.
 */
export const MAX_OBJECTS = 200_000;
/** Objects without a usable name, of which one is a mistake, while a thousand make the response useless. */
export const MAX_UNNAMED = 100;

/** The duration of a watch is random, so that the watches of many nodes do not end together. */
const [MIN_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS] = [290, 590];

/** `push` throws `ApiError` for an ERROR event, and `ConnectionError` for invalid data. */
export class WatchStream<K extends Kind> {
  readonly #traits: KindTraits<K>;
  readonly #handlers: WatchHandlers<K>;
  readonly #lines = new LineSplitter((line) => this.#handle(readWatchEvent(line)));
  /** The objects of the list by key. */
  #initial: Map<string, ReadResult<KindMap[K]>> | undefined;
  /** The number of events of the list. */
  #items = 0;
  /** Objects without a key, which cannot be deleted again. */
  readonly #unnamed: ReadResult<KindMap[K]>[] = [];

  constructor(traits: KindTraits<K>, handlers: WatchHandlers<K>) {
    this.#traits = traits;
    this.#handlers = handlers;
    this.#initial = handlers.resourceVersion === '' ? new Map() : undefined;
  }

  /** Whether the list is complete or was not requested. */
  get isListComplete(): boolean {
    return this.#initial === undefined;
  }

  /** The path of the request. `random` is from 0 up to 1. */
  path(random: number): string {
    const seconds = Math.round(MIN_TIMEOUT_SECONDS + random * (MAX_TIMEOUT_SECONDS - MIN_TIMEOUT_SECONDS));
    const { resourceVersion } = this.#handlers;
    const common = { watch: '1', allowWatchBookmarks: 'true', timeoutSeconds: String(seconds) };
    const list = { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' };
    return collectionPath(this.#traits, { ...common, ...(this.isListComplete ? { resourceVersion } : list) });
  }

  /** Returns the number of events. */
  push(chunk: Buffer): number {
    return this.#lines.push(chunk);
  }

  /** The server ended the watch. Throws if it is incomplete. */
  end(): void {
    if (this.#lines.hasPartialLine) throw new ConnectionError('the watch ended inside a line');
    if (!this.isListComplete) throw new ConnectionError('the watch ended before the end of the list');
  }

  #handle(event: WatchEvent): void {
    if (event.type === 'ERROR') throw fromStatus(event.object);
    if (event.kind !== '' && event.kind !== this.#traits.kind) this.#handlers.onForeign(event.kind);
    else if (this.#initial !== undefined) this.#handleInitialEvent(event, this.#initial);
    else this.#handleEvent(event);
  }

  #handleInitialEvent(
    { type, object, resourceVersion, endsInitialEvents }: WatchEvent,
    initial: Map<string, ReadResult<KindMap[K]>>,
  ): void {
    if (type === 'BOOKMARK') {
      if (!endsInitialEvents) throw new MissingInitialEventsEndError('the server does not mark the end of the list');
      this.#initial = undefined;
      this.#handlers.onList([...initial.values(), ...this.#unnamed], resourceVersion);
    } else if (type === 'ADDED' || type === 'MODIFIED') {
      const result = this.#traits.read(object);
      if (result.key !== '') initial.set(result.key, result);
      else if (this.#unnamed.length < MAX_UNNAMED) this.#unnamed.push(result);
      if (++this.#items > MAX_OBJECTS) throw new ConnectionError(`the list has more than ${MAX_OBJECTS} objects`);
      this.#handlers.onListItem?.(result);
    } else if (type === 'DELETED') {
      initial.delete(this.#traits.read(object).key);
    }
  }

  #handleEvent({ type, object, resourceVersion }: WatchEvent): void {
    if (type === 'BOOKMARK') this.#handlers.onBookmark(resourceVersion);
    else if (type === 'ADDED' || type === 'MODIFIED') this.#handlers.onPut(this.#traits.read(object), resourceVersion);
    else if (type === 'DELETED') this.#handlers.onRemove(this.#traits.read(object).key, resourceVersion);
  }
}
