// Sends Events at a limited rate, in the background.

import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { backoffMs } from '../lib/backoff.ts';
import { errorMessage } from '../lib/error-message.ts';
import { ApiError } from '../sources/api-server/client/api-error.ts';
import { type EventRef, eventRefOf } from './event-object.ts';
import type { EventSpec } from './event-spec.ts';
import type { EventWriter } from './event-writer.ts';
import { TokenBucket } from './token-bucket.ts';

interface EventRecorderOptions {
  readonly writer: EventWriter;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Called with the outcome of each Event. */
  readonly onOutcome?: (outcome: EventOutcome) => void;
}

type EventOutcome = 'sent' | 'repeated' | 'dropped' | 'failed';

/** Limits the load on the API server: a burst of twenty Events, then ten a minute. */
const RATE = { burst: 20, intervalMs: 6_000 };
/** Further Events are dropped. */
const MAX_SERIES = 200;
/** The same Event within this time continues a series, as in kube-proxy; a series is updated once a minute. */
const [SERIES_MS, SERIES_UPDATE_MS] = [360_000, 60_000];
/** Spreads an Event that all nodes see, so that all but the first node find it created. */
const JITTER_MS = 30_000;
const MAX_ATTEMPTS = 3;
const RETRY = { minMs: 15_000, maxMs: 60_000 };
/** The permission may be granted later. */
const FORBIDDEN_RETRY_MS = 600_000;

/** An Event that happened once or several times. */
interface Series {
  readonly event: EventSpec;
  ref: EventRef | undefined;
  readonly firstAt: number;
  lastAt: number;
  count: number;
  /** The part of the count that was sent. */
  reportedCount: number;
  attempts: number;
  dueAt: number;
}

/** Combines repeated Events into series. */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #bucket: TokenBucket;
  readonly #series = new Map<string, Series>();
  #wake = new AbortController();
  #forbiddenUntil = Number.NEGATIVE_INFINITY;
  #hasLoggedForbidden = false;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket(RATE, options.clock);
  }

  /** Queues the Event, or drops it if there are too many. */
  record(event: EventSpec): void {
    const now = this.#options.clock.now();
    this.#pruneExpired(now);
    const key = JSON.stringify(event);
    const series = this.#series.get(key);
    if (series !== undefined) this.#repeat(series, now);
    else if (now < this.#forbiddenUntil || this.#series.size >= MAX_SERIES) this.#countOutcome('dropped');
    else this.#series.set(key, this.#startSeries(event, now));
    this.#wake.abort();
  }

  /** Sends until the signal aborts; queued Events are then lost. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const next = this.#next();
      const waitMs = next === undefined ? SERIES_MS : Math.max(next.dueAt, this.#bucket.nextAt) - clock.now();
      if (next === undefined || waitMs > 0) await clock.sleep(waitMs, AbortSignal.any([signal, this.#wake.signal]));
      else await this.#send(next, signal);
    }
  }

  #startSeries(event: EventSpec, now: number): Series {
    const delayMs = event.scope === 'cluster' ? this.#options.clock.random() * JITTER_MS : 0;
    const times = { firstAt: now, lastAt: now, dueAt: now + delayMs };
    return { event, ref: undefined, ...times, count: 1, reportedCount: 0, attempts: 0 };
  }

  #repeat(series: Series, now: number): void {
    series.lastAt = now;
    // The nodes share one Event and cannot count its occurrences.
    if (series.event.scope === 'cluster') return;
    if (series.count++ === series.reportedCount) series.dueAt = Math.max(series.dueAt, now);
  }

  #next(): Series | undefined {
    const pending = [...this.#series.values()].filter(({ count, reportedCount }) => count > reportedCount);
    return pending.reduce<Series | undefined>((first, series) => {
      return first === undefined || series.dueAt < first.dueAt ? series : first;
    }, undefined);
  }

  #pruneExpired(now: number): void {
    for (const [key, { lastAt, count, reportedCount }] of this.#series) {
      if (count === reportedCount && now - lastAt > SERIES_MS) this.#series.delete(key);
    }
  }

  async #send(series: Series, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    this.#bucket.take();
    try {
      await this.#write(series, signal);
      series.attempts = 0;
      series.dueAt = clock.now() + SERIES_UPDATE_MS;
      if (this.#hasLoggedForbidden) this.#options.log.info('allowed to write Events again');
      this.#hasLoggedForbidden = false;
    } catch (error) {
      if (!signal.aborted) this.#failed(series, error);
    }
  }

  async #write(series: Series, signal: AbortSignal): Promise<void> {
    const { clock, writer, nodeName } = this.#options;
    const { event, firstAt, lastAt, count, ref } = series;
    if (ref !== undefined) {
      await writer.repeat(ref, { count, lastAt: clock.wallTime(lastAt) }, signal);
      series.reportedCount = count;
      this.#countOutcome('repeated');
      return;
    }
    const origin = { nodeName, at: clock.wallTime(firstAt) };
    const newRef = eventRefOf(event, origin);
    await writer.create(event, newRef, origin, signal);
    series.ref = newRef;
    series.reportedCount = 1;
    this.#countOutcome('sent');
  }

  #failed(series: Series, error: unknown): void {
    const { clock, log } = this.#options;
    const reason = errorMessage(error);
    const status = error instanceof ApiError ? error.status : 0;
    const isExpired = status === 404 && series.ref !== undefined;
    if (isExpired) {
      // The API server deletes Events after an hour: create it again.
      series.ref = undefined;
    } else if (status === 403) {
      this.#forbidden(reason);
    } else if ((status >= 400 && status < 500 && status !== 429) || ++series.attempts >= MAX_ATTEMPTS) {
      log.debug('cannot send Event', { reason, event: series.event.reason });
      series.reportedCount = series.count;
      this.#countOutcome('failed');
    } else {
      const retryAfterMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
      series.dueAt = clock.now() + Math.max(retryAfterMs, backoffMs(series.attempts - 1, RETRY));
    }
  }

  #forbidden(reason: string): void {
    const { clock, log } = this.#options;
    if (!this.#hasLoggedForbidden) log.warn('not allowed to create and patch events.events.k8s.io', { reason });
    this.#hasLoggedForbidden = true;
    this.#forbiddenUntil = clock.now() + FORBIDDEN_RETRY_MS;
    for (const { count, reportedCount } of this.#series.values())
      if (count > reportedCount) this.#countOutcome('failed');
    this.#series.clear();
  }

  #countOutcome(outcome: EventOutcome): void {
    this.#options.onOutcome?.(outcome);
  }
}
