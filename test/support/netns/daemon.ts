// A running daemon: its log, whether it is ready, and its end.
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import { poll } from '../wait-until.ts';
import { type ExecResult, killGroup, type PipedChild } from './process.ts';

/** One line of the log, which is JSON where nobody watches. */
export interface LogEntry {
  readonly level: string;
  readonly msg: string;
  readonly [detail: string]: unknown;
}

/** Enough for an emulated machine. */
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

  /** What it has logged so far. What is no JSON is an entry of level `fatal`: the last words of a crash. */
  get log(): LogEntry[] {
    return this.#lines.map((line) => (line.startsWith('{') ? JSON.parse(line) : { level: 'fatal', msg: line }));
  }

  /** The first entry with this message, from the nth of the log on, as soon as it is there. */
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

  /** Resolves when the kernel holds what the daemon wants. */
  async waitUntilReady(): Promise<void> {
    const describe = ({ stdout, stderr }: ExecResult) => this.#failure(`it is not ready\n${stdout}${stderr}`);
    await poll(
      async () => {
        const result = await this.#diff();
        if (result.status !== 0 && this.#hasEnded) throw new Error(this.#failure('it has ended'));
        return result;
      },
      { until: ({ status }) => status === 0, failure: describe, timeoutMs: TIMEOUT_MS },
    );
  }

  /** Asks it to end, and kills it when it does not. Resolves with the exit status, `null` after a kill. */
  async stop(): Promise<number | null> {
    if (!this.#hasEnded) this.#child.kill('SIGTERM');
    const timer = setTimeout(() => killGroup(this.#child), TIMEOUT_MS);
    await this.#ended;
    clearTimeout(timer);
    return this.#child.exitCode;
  }

  /** Kills it without a chance to clean up, and resolves when it has ended. */
  async kill(): Promise<void> {
    killGroup(this.#child);
    await this.#ended;
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #failure(state: string): string {
    return `Cannot go on with the daemon: ${state}\n${this.#lines.join('\n')}`;
  }
}
