// Logs a lasting condition once.

import type { Log, LogFields } from './log.ts';
import type { LogLevel } from './log-level.ts';

/** Beyond this, all entries are dropped: fields that vary must not fill the memory. */
const MAX_ENTRIES = 1000;

/** Each message is logged once with the same fields, until {@link reset}. A changed `retryInMs` does not count. */
export class LogOnce {
  readonly #log: Log;
  readonly #logged = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Returns whether the message was logged. */
  log(level: LogLevel, message: string, fields: LogFields = {}): boolean {
    const text = JSON.stringify([message, { ...fields, retryInMs: undefined }]);
    if (this.#logged.has(text)) return false;
    if (this.#logged.size >= MAX_ENTRIES) this.#logged.clear();
    this.#logged.add(text);
    this.#log[level](message, fields);
    return true;
  }

  /** The condition is over. Returns whether anything had been logged. */
  reset(): boolean {
    const hadEntries = this.#logged.size > 0;
    this.#logged.clear();
    return hadEntries;
  }
}
