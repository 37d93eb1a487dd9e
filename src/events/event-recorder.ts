// Sends what happens as Events: few, seldom, and never in anybody's way.

import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { reasonOf } from '../lib/reason.ts';
import { ApiError } from '../sources/api-server/client/api-error.ts';
import { type EventPlace, placeOf } from './event-object.ts';
import type { EventWriter } from './event-writer.ts';
import type { Happening } from './happening.ts';
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
const RATE = { burst: 20, everyMs: 6_000 };
/** More than this are not remembered. */
const MOST_SERIES = 200;
/** The same thing again within this time is a repetition, as it is in kube-proxy; a repetition is told once a minute. */
const [SERIES_MS, REPEAT_MS] = [360_000, 60_000];
/** Nodes that see the same thing at the same time tell of it at different times, and all but the first find it told. */
const SPREAD_MS = 30_000;
const [ATTEMPTS, RETRY_MS] = [3, 15_000];
/** Permissions may be given later. */
const FORBIDDEN_MS = 600_000;

/** One thing that has happened, once or several times. */
interface Series {
  readonly happening: Happening;
  place: EventPlace | undefined;
  readonly firstAt: number;
  lastAt: number;
  count: number;
  /** How much of the count has been told. */
  told: number;
  attempts: number;
  dueAt: number;
}

export class EventRecorder {
  readonly #parts: EventRecorderParts;
  readonly #bucket: TokenBucket;
  readonly #series = new Map<string, Series>();
  #wake = new AbortController();
  #forbiddenUntil = Number.NEGATIVE_INFINITY;
  #saidForbidden = false;

  constructor(parts: EventRecorderParts) {
    this.#parts = parts;
    this.#bucket = new TokenBucket(RATE, parts.clock);
  }

  /** Takes note of it and returns at once. It is sent later, or never when there is too much of it. */
  tell(happening: Happening): void {
    const now = this.#parts.clock.now();
    this.#forgetOld(now);
    const key = JSON.stringify(happening);
    const known = this.#series.get(key);
    if (known !== undefined) this.#again(known, now);
    else if (now < this.#forbiddenUntil || this.#series.size >= MOST_SERIES) this.#end('dropped');
    else this.#series.set(key, this.#begin(happening, now));
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

  #begin(happening: Happening, now: number): Series {
    const delayMs = happening.seenBy === 'every node' ? this.#parts.clock.random() * SPREAD_MS : 0;
    const times = { firstAt: now, lastAt: now, dueAt: now + delayMs };
    return { happening, place: undefined, ...times, count: 1, told: 0, attempts: 0 };
  }

  #again(series: Series, now: number): void {
    series.lastAt = now;
    // Of what every node sees, nobody knows how often it has happened.
    if (series.happening.seenBy === 'every node') return;
    if (series.count++ === series.told) series.dueAt = Math.max(series.dueAt, now);
  }

  #next(): Series | undefined {
    const waiting = [...this.#series.values()].filter(({ count, told }) => count > told);
    return waiting.reduce<Series | undefined>((first, series) => {
      return first === undefined || series.dueAt < first.dueAt ? series : first;
    }, undefined);
  }

  #forgetOld(now: number): void {
    for (const [key, { lastAt, count, told }] of this.#series) {
      if (count === told && now - lastAt > SERIES_MS) this.#series.delete(key);
    }
  }

  async #send(series: Series, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    this.#bucket.take();
    try {
      await this.#write(series, signal);
      series.attempts = 0;
      series.dueAt = clock.now() + REPEAT_MS;
      this.#saidForbidden = false;
    } catch (error) {
      if (!signal.aborted) this.#failed(series, error);
    }
  }

  async #write(series: Series, signal: AbortSignal): Promise<void> {
    const { writer, nodeName } = this.#parts;
    const { happening, firstAt, lastAt, count, place } = series;
    if (place !== undefined) {
      await writer.repeat(place, { count, lastAt }, signal);
      series.told = count;
      this.#end('repeated');
      return;
    }
    const made = placeOf(happening, { nodeName, at: firstAt });
    await writer.create(happening, made, { nodeName, at: firstAt }, signal);
    series.place = made;
    series.told = 1;
    this.#end('sent');
  }

  #failed(series: Series, error: unknown): void {
    const { clock, log } = this.#parts;
    const reason = reasonOf(error);
    const status = error instanceof ApiError ? error.status : 0;
    const isGone = status === 404 && series.place !== undefined;
    if (isGone) {
      // Events live for an hour: this one begins anew.
      series.place = undefined;
    } else if (status === 403) {
      this.#forbidden(reason);
    } else if ((status >= 400 && status < 500 && status !== 429) || ++series.attempts >= ATTEMPTS) {
      log.debug('an Event is lost', { reason, event: series.happening.reason });
      series.told = series.count;
      this.#end('failed');
    } else {
      const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
      series.dueAt = clock.now() + Math.max(asked, RETRY_MS * series.attempts);
    }
  }

  #forbidden(reason: string): void {
    const { clock, log } = this.#parts;
    if (!this.#saidForbidden) log.warn('Events cannot be written (create and patch events.events.k8s.io)', { reason });
    this.#saidForbidden = true;
    this.#forbiddenUntil = clock.now() + FORBIDDEN_MS;
    for (const { count, told } of this.#series.values()) if (count > told) this.#end('failed');
    this.#series.clear();
  }

  #end(outcome: EventOutcome): void {
    this.#parts.onOutcome?.(outcome);
  }
}
