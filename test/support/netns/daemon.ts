// A running daemon, with its log.

import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import { poll } from '../wait-until.ts';
import { type ExecResult, killGroup, type PipedChild } from './process.ts';

/** A line of the log, which is JSON unless stderr is a terminal. */
export interface LogEntry {
  readonly level: string;
  readonly msg: string;
  readonly [detail: string]: unknown;
}

/** Sufficient for an emulated machine. */
const TIMEOUT_MS = 60_000;

export class Daemon {
  readonly #child: PipedChild;
  readonly #diff: () => Promise<ExecResult>;
  readonly #lines: string[] = [];
  readonly #lineEvents = new EventEmitter<{ line: [] }>();
  readonly #ended: Promise<unknown>;

  constructor(child: PipedChild, diff: () => Promise<ExecResult>) {
    this.#child = child;
    this.#diff = diff;
    this.#ended = once(child, 'exit');
    child.stdout.resume();
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#lines.push(line);
      this.#lineEvents.emit('line');
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Sends a signal to the daemon only. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The log so far. Lines that are not JSON, such as the output of a crash, have the level `fatal`. */
  get log(): LogEntry[] {
    return this.#lines.map((line) => (line.startsWith('{') ? JSON.parse(line) : { level: 'fatal', msg: line }));
  }

  /** Waits for an entry with this message at or after index `from`, and returns it. */
  async waitForLog(message: string, from = 0, timeoutMs = TIMEOUT_MS): Promise<LogEntry> {
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const entry = this.log.slice(from).find(({ msg }) => msg === message);
      if (entry) return entry;
      await once(this.#lineEvents, 'line', { signal }).catch(() => {
        throw new Error(this.#failure(`it has not logged "${message}"`));
      });
    }
  }

  /** Resolves when the kernel holds the daemon's ruleset. */
  async waitUntilReady(): Promise<void> {
    const describe = ({ stdout, stderr }: ExecResult) => this.#failure(`it is not ready\n${stdout}${stderr}`);
    await poll(
      async () => {
        const result = await this.#diff();
        if (result.status !== 0 && this.#hasEnded) throw new Error(this.#failure('it exited'));
        return result;
      },
      { until: ({ status }) => status === 0, failure: describe, timeoutMs: TIMEOUT_MS },
    );
  }

  /** Stops it, by a signal first and by force after a timeout. Resolves with the exit status, `null` if it was killed. */
  async stop(): Promise<number | null> {
    if (!this.#hasEnded) this.#child.kill('SIGTERM');
    return await this.exited();
  }

  /** Waits for an exit without a signal, and returns the exit status. */
  async exited(): Promise<number | null> {
    const timer = setTimeout(() => killGroup(this.#child), TIMEOUT_MS);
    await this.#ended;
    clearTimeout(timer);
    return this.#child.exitCode;
  }

  /** Kills it without a chance to clean up, and waits for its exit. */
  async kill(): Promise<void> {
    killGroup(this.#child);
    await this.#ended;
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #failure(state: string): string {
    return `The daemon failed: ${state}\n${this.#lines.join('\n')}`;
  }
}
