// Lets slow reads of files continue in the background, so that other files do not wait for them.

import { setTimeout as delay } from 'node:timers/promises';

interface BackgroundRead {
  readonly stamp: string;
  readonly abort: AbortController;
}

interface ReadOptions<T> {
  /** Identifies the version of the file. */
  readonly stamp: string;
  /** Must not reject. Its result does not count after the signal has aborted. */
  readonly read: (signal: AbortSignal) => Promise<T>;
}

/** How long a scan waits for one file. */
const WAIT_MS = 50;
/** Each may have a file of the maximum size in memory. */
const MAX_READS = 4;

/** At most one read of each file, and a few at a time. */
export class BackgroundReads<T> {
  readonly #onDone: () => void;
  readonly #reads = new Map<string, BackgroundRead>();
  readonly #results = new Map<string, T>();

  /** `onDone` is called when {@link take} has a result. */
  constructor(onDone: () => void) {
    this.#onDone = onDone;
  }

  get count(): number {
    return this.#reads.size;
  }

  get isFull(): boolean {
    return this.#reads.size >= MAX_READS;
  }

  /** Whether this version of the file is being read. */
  isReading(name: string, stamp: string): boolean {
    return this.#reads.get(name)?.stamp === stamp;
  }

  /** Reads a file. Resolves with `undefined` if it continues in the background. Ends an earlier read of the file. */
  async run(name: string, { stamp, read }: ReadOptions<T>): Promise<T | undefined> {
    this.abort(name);
    const abort = new AbortController();
    const wait = new AbortController();
    const result = read(abort.signal);
    const first = await Promise.race([
      result.then((value) => ({ value })),
      delay(WAIT_MS, undefined, { signal: wait.signal }).catch(() => undefined),
    ]);
    wait.abort();
    if (first !== undefined) return first.value;
    const entry = { stamp, abort };
    this.#reads.set(name, entry);
    void result.then((value) => this.#finish(name, entry, value));
    return undefined;
  }

  /** The results of reads that ended since the last call, by file. */
  take(): Map<string, T> {
    const results = new Map(this.#results);
    this.#results.clear();
    return results;
  }

  /** Ends the read of a file, and forgets its result. */
  abort(name: string): void {
    this.#reads.get(name)?.abort.abort();
    this.#reads.delete(name);
    this.#results.delete(name);
  }

  abortAll(): void {
    for (const name of [...this.#reads.keys()]) this.abort(name);
  }

  #finish(name: string, entry: BackgroundRead, value: T): void {
    if (this.#reads.get(name) !== entry) return;
    this.#reads.delete(name);
    this.#results.set(name, value);
    this.#onDone();
  }
}
