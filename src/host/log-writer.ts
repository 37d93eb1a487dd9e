// Writes the log without ever waiting for its reader or its disk.

import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

interface LogWriterOptions {
  readonly fd: number;
  /** The line that reports dropped lines, when the log flows again; empty for none. */
  readonly report: (count: number) => string;
  /** Bytes that wait for a slow reader; further lines are dropped. */
  readonly maxBytes?: number;
  readonly retryMs?: number;
  readonly failedRetryMs?: number;
}

/** More than the messages of a minute. */
const MAX_BYTES = 1024 ** 2;
/** How soon a slow reader is tried again, and a full disk or a pipe without a reader. */
const RETRY_MS = 50;
const FAILED_RETRY_MS = 1_000;
const DRAIN_STEP_MS = 5;

/**
 * A file descriptor that blocks would stop the whole process, together with its health checks and SIGTERM, as soon as
 * nothing reads a pipe. Lines wait for the reader or for room on the disk; those that do not fit are counted instead.
 */
export class LogWriter {
  readonly #options: Required<LogWriterOptions>;
  readonly #queue: Buffer[] = [];
  #queuedBytes = 0;
  #dropped = 0;
  /** Dropped lines that the log does not mention yet. */
  #unreported = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LogWriterOptions) {
    this.#options = { maxBytes: MAX_BYTES, retryMs: RETRY_MS, failedRetryMs: FAILED_RETRY_MS, ...options };
  }

  /** The number of lines that were dropped, since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes a line with its newline. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#queuedBytes + bytes.length > this.#options.maxBytes) {
      this.#dropped += 1;
      this.#unreported += 1;
    } else {
      this.#enqueue(bytes);
      if (this.#timer === undefined) this.flush();
    }
  }

  /** Resolves when everything is written, or after the time limit. For the end of the process. */
  async drain(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (this.flush(); this.#queue.length > 0 && performance.now() < deadline; this.flush()) await delay(DRAIN_STEP_MS);
  }

  /** Writes what the reader takes now. */
  flush(): void {
    const retryMs = this.#writeQueue() ?? this.#writeReport();
    if (retryMs === undefined) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, retryMs).unref();
  }

  #writeReport(): number | undefined {
    if (this.#unreported === 0) return undefined;
    const line = this.#options.report(this.#unreported);
    this.#unreported = 0;
    this.#enqueue(Buffer.from(line));
    return this.#writeQueue();
  }

  #enqueue(bytes: Buffer): void {
    if (bytes.length > 0) this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
  }

  /** Returns when to try again, in milliseconds; `undefined` if everything was written. */
  #writeQueue(): number | undefined {
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      try {
        const written = writeSync(this.#options.fd, first);
        this.#queuedBytes -= written;
        if (written < first.length) this.#queue[0] = first.subarray(written);
        else this.#queue.shift();
      } catch (error) {
        const isFull = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
        return isFull ? this.#options.retryMs : this.#options.failedRetryMs;
      }
    }
    return undefined;
  }
}

const OWN_DESCRIPTION = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/**
 * A descriptor for standard error that does not block. For pipes and terminals it is one of this process only: others may
 * share standard error itself. A socket, such as that of journald, cannot be opened again; Node.js sets its mode. Files
 * do not block.
 */
export function openStandardError(): number {
  const stats = fstatSync(2);
  if (stats.isFIFO() || stats.isCharacterDevice()) {
    try {
      return openSync('/proc/self/fd/2', OWN_DESCRIPTION);
    } catch {
      // The pipe belongs to another user, for example.
    }
  }
  // Its first use makes a pipe or socket non-blocking.
  void process.stderr.writable;
  return 2;
}
