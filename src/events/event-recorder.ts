// Sends what happens as Events: few, seldom, and never in anybody's way.

import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { backoffMs } from '../lib/backoff.ts';
import { errorMessage } from '../lib/error-message.ts';
import { ApiError } from '../sources/api-server/client/api-error.ts';
import { type EventRef, eventRefOf } from './event-object.ts';
import type { EventSpec } from './event-spec.ts';
import type { EventWriter } from './event-writer.ts';
import { TokenBucket } from './token-bucket.ts';

export interface EventRecorderParts {
  readonly writer: EventWriter;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Told what became of each. */
  readonly onOutcome?: (outcome: EventOutcome) => void;
}

export type EventOutcome = 'sent' | 'repeated' | 'dropped' | 'failed';

/** Twenty at once, ten a minute: whatever goes wrong here, the API server hardly notices. */
const RATE = { burst: 20, intervalMs: 6_000 };
/** More than this are not remembered. */
const MAX_SERIES = 200;
/** The same thing again within this time is a repetition, as it is in kube-proxy; a repetition is told once a minute. */
const [SERIES_MS, SERIES_UPDATE_MS] = [360_000, 60_000];
/** Nodes that see the same thing at the same time tell of it at different times, and all but the first find it told. */
const JITTER_MS = 30_000;
const MAX_ATTEMPTS = 3;
const RETRY = { minMs: 15_000, maxMs: 60_000 };
/** Permissions may be given later. */
const FORBIDDEN_RETRY_MS = 600_000;

/** One thing that has happened, once or several times. */
interface Series {
  readonly event: EventSpec;
  ref: EventRef | undefined;
  readonly firstAt: number;
  lastAt: number;
  count: number;
  /** How much of the count has been told. */
  reportedCount: number;
  attempts: number;
  dueAt: number;
}

export class EventRecorder {
  readonly #parts: EventRecorderParts;
  readonly #bucket: TokenBucket;
  readonly #series = new Map<string, Series>();
  #wake = new AbortController();
  #forbiddenUntil = Number.NEGATIVE_INFINITY;
  #forbiddenLogged = false;

  constructor(parts: EventRecorderParts) {
    this.#parts = parts;
    this.#bucket = new TokenBucket(RATE, parts.clock);
  }

  /** Takes note of it and returns at once. It is sent later, or never when there is too much of it. */
  record(event: EventSpec): void {
    const now = this.#parts.clock.now();
    this.#pruneExpired(now);
    const key = JSON.stringify(event);
    const series = this.#series.get(key);
    if (series !== undefined) this.#repeat(series, now);
    else if (now < this.#forbiddenUntil || this.#series.size >= MAX_SERIES) this.#countOutcome('dropped');
    else this.#series.set(key, this.#startSeries(event, now));
    this.#wake.abort();
  }

  /** Sends until the signal aborts; what is left then is lost. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const next = this.#next();
      const waitMs = next === undefined ? SERIES_MS : Math.max(next.dueAt, this.#bucket.nextAt) - clock.now();
      if (next === undefined || waitMs > 0) await clock.sleep(waitMs, AbortSignal.any([signal, this.#wake.signal]));
      else await this.#send(next, signal);
    }
  }

  #startSeries(event: EventSpec, now: number): Series {
    const delayMs = event.scope === 'cluster' ? this.#parts.clock.random() * JITTER_MS : 0;
    const times = { firstAt: now, lastAt: now, dueAt: now + delayMs };
    return { event, ref: undefined, ...times, count: 1, reportedCount: 0, attempts: 0 };
  }

  #repeat(series: Series, now: number): void {
    series.lastAt = now;
    // Of what every node sees, nobody knows how often it has happened.
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
    const { clock } = this.#parts;
    this.#bucket.take();
    try {
      await this.#write(series, signal);
      series.attempts = 0;
      series.dueAt = clock.now() + SERIES_UPDATE_MS;
      this.#forbiddenLogged = false;
    } catch (error) {
      if (!signal.aborted) this.#failed(series, error);
    }
  }

  async #write(series: Series, signal: AbortSignal): Promise<void> {
    const { writer, nodeName } = this.#parts;
    const { event, firstAt, lastAt, count, ref } = series;
    if (ref !== undefined) {
      await writer.repeat(ref, { count, lastAt }, signal);
      series.reportedCount = count;
      this.#countOutcome('repeated');
      return;
    }
    const newRef = eventRefOf(event, { nodeName, at: firstAt });
    await writer.create(event, newRef, { nodeName, at: firstAt }, signal);
    series.ref = newRef;
    series.reportedCount = 1;
    this.#countOutcome('sent');
  }

  #failed(series: Series, error: unknown): void {
    const { clock, log } = this.#parts;
    const reason = errorMessage(error);
    const status = error instanceof ApiError ? error.status : 0;
    const isExpired = status === 404 && series.ref !== undefined;
    if (isExpired) {
      // Events live for an hour: this one begins anew.
      series.ref = undefined;
    } else if (status === 403) {
      this.#forbidden(reason);
    } else if ((status >= 400 && status < 500 && status !== 429) || ++series.attempts >= MAX_ATTEMPTS) {
      log.debug('an Event is lost', { reason, event: series.event.reason });
      series.reportedCount = series.count;
      this.#countOutcome('failed');
    } else {
      const retryAfterMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
      series.dueAt = clock.now() + Math.max(retryAfterMs, backoffMs(series.attempts - 1, RETRY));
    }
  }

  #forbidden(reason: string): void {
    const { clock, log } = this.#parts;
    if (!this.#forbiddenLogged)
      log.warn('Events cannot be written (create and patch events.events.k8s.io)', { reason });
    this.#forbiddenLogged = true;
    this.#forbiddenUntil = clock.now() + FORBIDDEN_RETRY_MS;
    for (const { count, reportedCount } of this.#series.values())
      if (count > reportedCount) this.#countOutcome('failed');
    this.#series.clear();
  }

  #countOutcome(outcome: EventOutcome): void {
    this.#parts.onOutcome?.(outcome);
  }
}
