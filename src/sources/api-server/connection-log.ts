// Says when a connection fails and when it is back, without filling the log.
import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import type { LogLevel } from '../../host/log-level.ts';

/** Between two lines about trouble; what goes wrong in between is the same trouble or follows from it. */
const QUIET_MS = 5_000;

/** The first problem is told at once, later ones at most every few seconds, the recovery once. */
export class ConnectionLog {
  readonly #clock: Clock;
  readonly #log: Log;
  #toldAt = Number.NEGATIVE_INFINITY;
  #failingSince: number | undefined;
  #isTold = false;

  constructor({ clock, log }: { clock: Clock; log: Log }) {
    this.#clock = clock;
    this.#log = log;
  }

  problem(level: LogLevel, message: string, details: Readonly<Record<string, unknown>>): void {
    const now = this.#clock.now();
    this.#failingSince ??= now;
    const isQuiet = now - this.#toldAt < QUIET_MS;
    this.#log[isQuiet ? 'debug' : level](message, details);
    if (isQuiet) return;
    this.#toldAt = now;
    this.#isTold = true;
  }

  recovered(message: string, details: Readonly<Record<string, unknown>>): void {
    const since = this.#failingSince;
    if (since === undefined) return;
    this.#failingSince = undefined;
    const level = this.#isTold ? 'info' : 'debug';
    this.#isTold = false;
    this.#log[level](message, { ...details, afterMs: Math.round(this.#clock.now() - since) });
  }
}
