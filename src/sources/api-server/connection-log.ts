// Logs failures and recoveries of a connection, with a rate limit.

import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import type { LogLevel } from '../../host/log-level.ts';

/** Failures within this time have the same cause or follow from it. */
const LOG_INTERVAL_MS = 5_000;

/** Logs the first failure immediately, further ones at most every few seconds with the time of the first one, and the recovery once. */
export class ConnectionLog {
  readonly #clock: Clock;
  readonly #log: Log;
  #loggedAt = Number.NEGATIVE_INFINITY;
  #failingSince: number | undefined;
  #hasLoggedFailure = false;

  constructor({ clock, log }: { clock: Clock; log: Log }) {
    this.#clock = clock;
    this.#log = log;
  }

  logFailure(level: LogLevel, message: string, details: Readonly<Record<string, unknown>>): void {
    const now = this.#clock.now();
    const since =
      this.#failingSince === undefined
        ? {}
        : { since: new Date(this.#clock.wallTime(this.#failingSince)).toISOString() };
    this.#failingSince ??= now;
    const isRateLimited = now - this.#loggedAt < LOG_INTERVAL_MS;
    this.#log[isRateLimited ? 'debug' : level](message, { ...details, ...since });
    if (isRateLimited) return;
    this.#loggedAt = now;
    this.#hasLoggedFailure = true;
  }

  logRecovery(message: string, details: Readonly<Record<string, unknown>>): void {
    const since = this.#failingSince;
    if (since === undefined) return;
    this.#failingSince = undefined;
    const level = this.#hasLoggedFailure ? 'info' : 'debug';
    this.#hasLoggedFailure = false;
    this.#log[level](message, { ...details, durationMs: Math.round(this.#clock.now() - since) });
  }
}
