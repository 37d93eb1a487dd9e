// A long-lived `nft -i` process for small transactions.

import { setTimeout as delay } from 'node:timers/promises';
import { LineProcess } from '../../host/process/line-process.ts';
import { readNetlinkReader } from '../../host/process/process-state.ts';
import { parseSessionErrors } from '../syntax/error-message.ts';
import { TABLE } from '../syntax/operation.ts';
import { toSingleLine } from '../syntax/script.ts';
import { NftOutcomeUnknown, NftRefusal } from './nft-error.ts';
import { listedNumbers, type Marker } from './transaction-marker.ts';

/** A transaction for a session. */
interface SessionTransaction {
  /** The operations, of which the last adds the marker. */
  readonly lines: readonly string[];
  readonly marker: Marker;
  /** The process is killed when it has not answered by then. */
  readonly timeoutMs: number;
}

/** `confirmed`: the kernel has shown the marker. `silent`: nft reported nothing, neither an error nor the marker. */
type SessionOutcome = 'confirmed' | 'silent';

interface NftSessionOptions {
  readonly command: string;
  /** The process is replaced when it has read more. */
  readonly maxInputCharacters?: number;
  /** Called when a process ends that {@link NftSession.close} did not end. */
  readonly onExit?: () => void;
}

interface RunningTransaction {
  readonly marker: Marker;
  /** The number of its end mark. */
  readonly end: number;
  readonly operationAt: (column: number) => number;
  readonly resolve: (outcome: SessionOutcome) => void;
  readonly reject: (error: NftRefusal | NftOutcomeUnknown) => void;
}

interface SessionProcess {
  readonly child: LineProcess;
  readonly exited: Promise<void>;
}

/** nft keeps every line of its input as history, which takes twice its size. */
const MAX_INPUT_CHARACTERS = 4_000_000;
/**
 * nft repeats the whole transaction for each refused operation: 200 errors of 200 operations are as much. With more, the outcome
 * counts as unknown, and the kernel is listed, as after so many differences in any case.
 */
const MAX_STDERR_CHARACTERS = 4_000_000;
/** A killed process ends immediately, except while it waits in the kernel. */
const KILL_DELAY_MS = 1000;
/** When a transaction takes this long, the process may be stopped; it takes 1 ms normally. */
const STOPPED_CHECK_MS = 250;
/** The listing is written before the end mark, but by another pipe. */
const CONFIRMATION_DELAY_MS = 50;

const END_MARK = /^Error: .*\nend(\d+)\n/m;

/**
 * Why not `nft -f -` for each transaction: when nft exits, closing its netlink socket waits an RCU grace period for the
 * kernel to free what the transaction deleted. Measured on kernel 6.18 with 100,000 elements: replacing an element
 * takes 1.0 ms (p99 3.3 ms) in a session and 17 ms in a new process.
 *
 * A transaction is one line, which nft takes as one atomic batch. The next command lists the markers: the one of this
 * transaction, which is its last operation, shows that the kernel has all of it. The line after that is not an nft
 * command. nft reports that on standard error, so this error marks the end of a transaction that was refused.
 */
export class NftSession {
  readonly #command: string;
  readonly #maxInputCharacters: number;
  readonly #onExit: () => void;
  #process: SessionProcess | undefined;
  #running: RunningTransaction | undefined;
  #stderr = '';
  /** Why the process is being killed. */
  #lossReason: string | undefined;
  #transactions = 0;
  #inputCharacters = 0;
  #startCount = 0;

  constructor({ command, maxInputCharacters = MAX_INPUT_CHARACTERS, onExit = () => {} }: NftSessionOptions) {
    this.#command = command;
    this.#maxInputCharacters = maxInputCharacters;
    this.#onExit = onExit;
  }

  /**
   * Applies the transaction; must not be called again before it settles. Throws {@link NftRefusal}, or
   * {@link NftOutcomeUnknown} when the process ended or did not answer.
   */
  async apply({ lines, marker, timeoutMs }: SessionTransaction): Promise<SessionOutcome> {
    const { child } = this.#start();
    const { text, operationAt } = toSingleLine(lines);
    const end = this.#transactions++;
    const settled = new Promise<SessionOutcome>((resolve, reject) => {
      this.#running = { marker, end, operationAt, resolve, reject };
    });
    const { family, kind, name } = marker.object;
    const input = `${text}\nlist ${kind} ${family} ${TABLE} ${name}\nend${end}\n`;
    this.#inputCharacters += input.length;
    child.write(input);
    const timer = setTimeout(() => this.#abandon(child, `no answer within ${timeoutMs} ms`), timeoutMs);
    const watch = setInterval(() => continueIfStopped(child), STOPPED_CHECK_MS);
    try {
      return await settled;
    } finally {
      clearTimeout(timer);
      clearInterval(watch);
      this.#running = undefined;
    }
  }

  /** The process ID; `undefined` while the session has no process. */
  get pid(): number | undefined {
    return this.#process?.child.pid;
  }

  /** Whether the process has read so much that it should be replaced by {@link close}. */
  get isWornOut(): boolean {
    return this.#process !== undefined && this.#inputCharacters > this.#maxInputCharacters;
  }

  /** How many processes the session has started. */
  get startCount(): number {
    return this.#startCount;
  }

  /** Ends the process, and resolves when it has ended, or cannot be ended. The next transaction starts another. */
  async close(): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    if (this.#running === undefined) this.#process = undefined;
    process.child.closeInput();
    // It also keeps this process alive until the child has ended.
    const timer = setTimeout(() => process.child.kill('SIGKILL'), KILL_DELAY_MS);
    await Promise.race([process.exited, delay(2 * KILL_DELAY_MS, undefined, { ref: false })]);
    clearTimeout(timer);
  }

  #start(): SessionProcess {
    if (this.#process !== undefined) return this.#process;
    // Without HOME, nft writes no command history to a file.
    const { HOME: _, ...env } = process.env;
    this.#stderr = '';
    this.#inputCharacters = 0;
    const { promise: exited, resolve } = Promise.withResolvers<void>();
    const isCurrent = (): boolean => this.#process?.exited === exited;
    const child = new LineProcess(this.#command, {
      args: ['-i'],
      env,
      onLine: (line) => {
        if (isCurrent()) this.#readListing(line);
      },
      onStderr: (text) => {
        if (isCurrent()) this.#readErrors(text);
      },
      onExit: (exit) => {
        resolve();
        if (!isCurrent()) return;
        const state = exit.kind === 'error' ? exit.cause.message : `${exit.state} ${exit.stderr}`.trim();
        this.#lose(this.#lossReason ?? state);
      },
    });
    child.unref();
    this.#startCount++;
    this.#process = { child, exited };
    return this.#process;
  }

  #readListing(line: string): void {
    const running = this.#running;
    if (running !== undefined && listedNumbers(line).has(running.marker.number)) running.resolve('confirmed');
  }

  /** Ends the running transaction when its end mark has arrived; the end marks of confirmed ones are skipped. */
  #readErrors(text: string): void {
    this.#stderr += text;
    for (;;) {
      const match = END_MARK.exec(this.#stderr);
      if (match === null) break;
      const stderr = this.#stderr.slice(0, match.index);
      this.#stderr = this.#stderr.slice(match.index + match[0].length);
      if (Number(match[1]) === this.#running?.end) this.#ended(this.#running, stderr);
    }
    if (this.#stderr.length <= MAX_STDERR_CHARACTERS) return;
    this.#lossReason = 'it printed too many errors';
    this.#process?.child.kill('SIGKILL');
  }

  #ended({ operationAt, resolve, reject }: RunningTransaction, stderr: string): void {
    const errors = parseSessionErrors(stderr, operationAt);
    if (errors.length > 0) reject(new NftRefusal(errors));
    else setTimeout(() => resolve('silent'), CONFIRMATION_DELAY_MS);
  }

  /** Kills the process, and does not wait for it for long. */
  #abandon(child: LineProcess, reason: string): void {
    this.#lossReason = reason;
    child.kill('SIGKILL');
    setTimeout(() => {
      if (this.#process?.child === child) this.#lose(reason);
    }, KILL_DELAY_MS);
  }

  #lose(reason: string): void {
    this.#process = undefined;
    this.#lossReason = undefined;
    this.#running?.reject(new NftOutcomeUnknown(`Cannot run the nft session: ${reason}`));
    this.#onExit();
  }
}

/** A process that is stopped has its input, and applies it when it continues. */
function continueIfStopped(child: LineProcess): void {
  if (child.pid !== undefined && readNetlinkReader(child.pid)?.state === 'stopped') child.kill('SIGCONT');
}
