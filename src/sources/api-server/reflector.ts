// Keeps a sink up to date with all objects of one kind on an API server.

import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import { LogOnce } from '../../host/log-once.ts';
import { errorMessage } from '../../lib/error-message.ts';
import type { Kind, KindMap, KindTraits } from '../../services/objects/kinds.ts';
import type { ReadResult } from '../../services/objects/read.ts';
import type { Sink } from '../../services/objects/sink.ts';
import type { ApiClient } from './client/api-client.ts';
import { ApiError, ConnectionError, IdleTimeoutError, MissingInitialEventsEndError } from './client/api-error.ts';
import { type StreamTimeouts, streamResponse } from './client/stream-response.ts';
import { ConnectionLog } from './connection-log.ts';
import { FloodLimit } from './flood-limit.ts';
import { listPages } from './list-pages.ts';
import { afterFailure, initialState, type ReflectorState } from './reflector-state.ts';
import { RetryPolicy } from './retry-policy.ts';
import { MAX_OBJECTS, WatchStream } from './watch-stream.ts';

/** Timeouts and sizes; all have defaults. */
export interface ReflectorLimits extends Partial<StreamTimeouts> {
  /** Objects per page of a list that is not streamed. */
  readonly pageSize?: number;
  /** Treats a kind that was never served (404) as an empty list, and retries after this time. */
  readonly notFoundRetryMs?: number;
}

interface ReflectorOptions<K extends Kind> {
  readonly client: ApiClient;
  /** The kind and the selectors of its objects. */
  readonly traits: KindTraits<K>;
  readonly sink: Sink;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: ReflectorLimits;
}

/** Bookmarks arrive about once a minute: a watch without an event for longer has lost its connection. */
const DEFAULT_TIMEOUTS: StreamTimeouts = { connectTimeoutMs: 30_000, idleTimeoutMs: 75_000 };
const PAGE_SIZE = 500;
/** The API server itself ends a list after a minute. A list that has not arrived by then drips, and never ends. */
const MAX_LIST_MS = 300_000;
/** A watch of this duration counts as successful, even without events. */
const MIN_HEALTHY_WATCH_MS = 1_000;
/** After this number of incomplete streaming lists in a row, lists use pages, which are smaller. */
const MAX_STREAMING_ATTEMPTS = 3;

/**
 * Lists and watches one kind: in one stream if the server supports it (KEP-3157), or else in pages followed by a watch.
 * Each object is reduced to the fields that nftlane uses as it arrives. Failures of the connection are logged and retried;
 * an error of the sink ends the reflector.
 */
export class Reflector<K extends Kind> {
  readonly #options: ReflectorOptions<K>;
  readonly #timeouts: StreamTimeouts;
  readonly #retryPolicy: RetryPolicy;
  readonly #connectionLog: ConnectionLog;
  readonly #flood = new FloodLimit();
  readonly #ignored: LogOnce;
  #state: ReflectorState;
  #isStreaming = true;
  #incompleteLists = 0;
  /** When the list was complete; `undefined` before. */
  #watchingSince: number | undefined;
  #isNotFound = false;
  /** Objects that were passed on before the first list was complete. */
  #previews = 0;
  #verb: 'list' | 'watch' = 'watch';

  constructor(options: ReflectorOptions<K>) {
    this.#options = options;
    this.#timeouts = { ...DEFAULT_TIMEOUTS, ...options.limits };
    this.#retryPolicy = new RetryPolicy(() => options.clock.random());
    this.#connectionLog = new ConnectionLog(options);
    this.#ignored = new LogOnce(options.log);
    this.#state = initialState(options.traits.kind);
  }

  state(): ReflectorState {
    return this.#state;
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#retryPolicy.startAttempt();
      this.#update({ phase: 'connecting' });
      try {
        if (this.#state.resourceVersion === '' && !this.#isStreaming) await this.#list(signal);
        await this.#watch(signal);
        this.#retryPolicy.ended();
      } catch (error) {
        if (signal.aborted) return;
        const delayMs = this.#handleError(error);
        if (delayMs > 0) await this.#options.clock.sleep(delayMs, signal);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const startedAt = clock.now();
    this.#verb = 'list';
    this.#update({ phase: 'listing' });
    const list = await listPages({
      ...this.#options,
      timeouts: this.#timeouts,
      signal,
      pageSize: this.#options.limits?.pageSize ?? PAGE_SIZE,
      // After an expired version, the cache of the server may be even older.
      resourceVersion: this.#state.lists === 0 ? '0' : '',
      onOpen: () => this.#markConnected('listing'),
      onListItem: (object) => this.#forwardListItem(object),
      onProgress: () => this.#checkListTime(startedAt),
    });
    this.#replace(list.objects, { resourceVersion: list.resourceVersion, startedAt });
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, clock, traits, log } = this.#options;
    const stream = this.#stream();
    const isList = !stream.isListComplete;
    const onOpen = () => {
      this.#markConnected(isList ? 'listing' : 'watching');
      this.#update({ watches: this.#state.watches + 1 });
      if (!isList) this.#watchingSince = clock.now();
    };
    const startedAt = clock.now();
    const onChunk = (chunk: Buffer) => {
      if (!stream.isListComplete) this.#checkListTime(startedAt);
      return stream.push(chunk);
    };
    this.#verb = 'watch';
    this.#watchingSince = undefined;
    try {
      await streamResponse(stream.path(clock.random()), {
        client,
        clock,
        timeouts: this.#timeouts,
        signal,
        onOpen,
        onChunk,
      });
      stream.end();
      this.#checkDuration();
      if (!this.#retryPolicy.hasSucceeded || this.#retryPolicy.isShortAgain()) {
        throw new ConnectionError('the watch ended immediately');
      }
    } catch (error) {
      this.#checkDuration();
      if (signal.aborted || stream.isListComplete || !this.#shouldStopStreaming(error)) throw error;
      this.#isStreaming = false;
      log.info('cannot stream the list; using pages', { kind: traits.kind, reason: errorMessage(error) });
    }
  }

  #stream(): WatchStream<K> {
    const { clock, traits } = this.#options;
    const startedAt = clock.now();
    return new WatchStream(traits, {
      resourceVersion: this.#state.resourceVersion,
      onListItem: (object) => this.#forwardListItem(object),
      onList: (objects, resourceVersion) => {
        this.#watchingSince = clock.now();
        this.#replace(objects, { resourceVersion, startedAt });
      },
      onPut: (object, resourceVersion) => this.#event(resourceVersion, (sink) => sink.put(traits.kind, object)),
      onRemove: (key, resourceVersion) => this.#event(resourceVersion, (sink) => sink.remove(traits.kind, key)),
      onBookmark: (resourceVersion) => {
        this.#flood.count(clock.now());
        this.#setResourceVersion(resourceVersion);
      },
      onForeign: (objectKind) => {
        this.#flood.count(clock.now());
        this.#ignored.log('warn', 'ignoring an object of another kind', { kind: traits.kind, object: objectKind });
      },
    });
  }

  /** A watch that was open for some time was healthy, even without an event. */
  #checkDuration(): void {
    const since = this.#watchingSince;
    if (since === undefined || this.#options.clock.now() - since < MIN_HEALTHY_WATCH_MS) return;
    this.#retryPolicy.lasted();
    this.#retryPolicy.succeeded();
  }

  #checkListTime(startedAt: number): void {
    if (this.#options.clock.now() - startedAt <= MAX_LIST_MS) return;
    throw new ConnectionError(`the list is not complete after ${MAX_LIST_MS / 1000} s`);
  }

  /** Servers without streaming lists reject the request or ignore the parameter, and then never mark the end of the list. */
  #shouldStopStreaming(error: unknown): boolean {
    if (error instanceof ApiError) return error.status === 400 || error.status === 422;
    if (error instanceof IdleTimeoutError || error instanceof MissingInitialEventsEndError) return true;
    const isIncomplete = error instanceof ConnectionError && this.#state.phase === 'listing';
    return isIncomplete && ++this.#incompleteLists >= MAX_STREAMING_ATTEMPTS;
  }

  /** Only for the first list: the sink compares later ones with its objects. */
  #forwardListItem(object: ReadResult<KindMap[K]>): void {
    const { sink, traits } = this.#options;
    // A list that fails and starts again may have other objects each time.
    if (this.#state.lists === 0 && this.#previews++ < MAX_OBJECTS) sink.preview?.(traits.kind, object);
  }

  #replace(objects: readonly ReadResult<KindMap[K]>[], at: { resourceVersion: string; startedAt: number }): void {
    const { sink, log, traits, clock } = this.#options;
    this.#incompleteLists = 0;
    this.#update({
      phase: 'watching',
      resourceVersion: at.resourceVersion,
      lists: this.#state.lists + 1,
    });
    this.#markReceived();
    sink.replace(traits.kind, objects);
    const durationMs = Math.round(clock.now() - at.startedAt);
    log.info('list received', { kind: traits.kind, count: objects.length, durationMs });
  }

  #event(resourceVersion: string, notify: (sink: Sink) => void): void {
    const isNew = resourceVersion !== '' && resourceVersion !== this.#state.resourceVersion;
    if (!isNew) this.#flood.count(this.#options.clock.now());
    this.#setResourceVersion(resourceVersion);
    this.#update({ events: this.#state.events + 1 });
    notify(this.#options.sink);
  }

  #setResourceVersion(resourceVersion: string): void {
    if (resourceVersion === '') return;
    // A bookmark of a kind that does not change repeats the version.
    this.#markReceived();
    if (resourceVersion === this.#state.resourceVersion) return;
    this.#update({ resourceVersion });
    this.#retryPolicy.succeeded();
  }

  #markReceived(): void {
    const { failing: _, isNotServed: __, ...state } = this.#state;
    this.#state = { ...state, lastReceivedAt: this.#options.clock.now() };
  }

  #markConnected(phase: 'listing' | 'watching'): void {
    const { client, clock, traits } = this.#options;
    const { lastError: _, ...state } = this.#state;
    this.#isNotFound = false;
    this.#state = { ...state, phase, connectedAt: clock.now() };
    this.#connectionLog.logRecovery('API server connection restored', { kind: traits.kind, server: client.server });
  }

  /** Returns the milliseconds until the next attempt. Rethrows errors that the server or the connection did not cause. */
  #handleError(error: unknown): number {
    if (!(error instanceof ApiError || error instanceof ConnectionError)) throw error;
    const { log, limits, traits } = this.#options;
    const retryMs = limits?.notFoundRetryMs;
    // A kind that was served does not end by itself: the answer is that of a proxy, or of a server that is starting.
    if (error instanceof ApiError && error.status === 404 && retryMs !== undefined && this.#state.lists === 0)
      return this.#handleNotFound(error, retryMs);
    const { delayMs, isExpired, shouldReport } = this.#retryPolicy.decide(error, this.#state.resourceVersion);
    if (isExpired) this.#update({ resourceVersion: '' });
    if (shouldReport) this.#reportFailure(error, delayMs);
    else log.info('resource version expired; relisting', { kind: traits.kind, reason: error.message });
    return delayMs;
  }

  #handleNotFound(error: ApiError, retryMs: number): number {
    const { client, log, sink, traits } = this.#options;
    this.#markReceived();
    this.#update({ phase: 'waiting', resourceVersion: '', lastError: error.message, isNotServed: true });
    if (!this.#isNotFound) {
      log.info('kind not served by the API server', { kind: traits.kind, server: client.server });
      sink.replace(traits.kind, []);
    }
    this.#isNotFound = true;
    return this.#retryPolicy.addJitter(retryMs);
  }

  #reportFailure(error: ApiError | ConnectionError, retryInMs: number): void {
    const { client, clock, traits } = this.#options;
    const status = error instanceof ApiError ? { status: error.status } : {};
    const level = status.status === 403 ? 'error' : 'warn';
    const request = { kind: traits.kind, verb: this.#verb, server: client.server };
    const hadSucceeded = this.#retryPolicy.hasSucceeded;
    const attempt = { reason: error.message, ...status, isSilence: error instanceof IdleTimeoutError, hadSucceeded };
    this.#state = afterFailure(this.#state, { ...attempt, now: clock.now() });
    this.#connectionLog.logFailure(level, 'API request failed', {
      ...request,
      ...status,
      reason: error.message,
      retryInMs,
    });
  }

  #update(change: Partial<ReflectorState>): void {
    this.#state = { ...this.#state, ...change };
  }
}
