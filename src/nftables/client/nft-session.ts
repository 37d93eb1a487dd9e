// A long-lived `nft -i`, through which small transactions go.
import { closeSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LineProcess } from '../../host/process/line-process.ts';
import { parseErrorMessages } from '../syntax/error-message.ts';
import { NftOutcomeUnknown, NftRefusal } from './nft-error.ts';

/**
 * Why not `nft -f -` each time: when nft ends, closing its netlink socket waits for the kernel to free what the
 * transaction deleted, a full RCU grace period. Measured on a 6.18 kernel with 100,000 elements loaded: 1.0 ms (p99
 * 3.3 ms) to replace an element through a session, 17 ms through a process of its own.
 *
 * Each transaction is written to a file without a name, and `include`d: the file is one atomic batch, and complaints
 * carry its line numbers, exactly as with `nft -f`. A word that is no nft command then makes nft complain on standard
 * error, which is not buffered: that complaint is the sign that the transaction is over.
 */
export class NftSession {
  readonly #command: string;
  readonly #timeoutMs: number;
  #process: { readonly child: LineProcess; readonly file: number } | undefined;
  #resolve: ((end: Error | string) => void) | undefined;
  #stderr = '';
  #transactions = 0;
  #startCount = 0;

  constructor({ command, timeoutMs }: { command: string; timeoutMs: number }) {
    this.#command = command;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Applies the lines as one transaction. One at a time. Throws {@link NftRefusal} when it was refused, and
   * {@link NftOutcomeUnknown} when the session ended before it said.
   */
  async apply(text: string): Promise<void> {
    const { child, file } = this.#start();
    const marker = `end${this.#transactions++}`;
    ftruncateSync(file);
    writeSync(file, text, 0);
    this.#stderr = '';
    const outcome = new Promise<Error | string>((resolve) => {
      this.#resolve = resolve;
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#timeoutMs);
    child.write(`include "/proc/${process.pid}/fd/${file}"\n${marker}\n`);
    const result = await outcome;
    clearTimeout(timer);
    if (typeof result !== 'string') throw result;
    const complaints = parseErrorMessages(result);
    if (complaints.length > 0) throw new NftRefusal(complaints);
  }

  /** The process that the session has now; `undefined` while there is none. */
  get pid(): number | undefined {
    return this.#process?.child.pid;
  }

  /** How many processes there have been. */
  get startCount(): number {
    return this.#startCount;
  }

  /** Ends the session. The next transaction starts another. */
  close(): void {
    this.#process?.child.closeInput();
  }

  #start(): { readonly child: LineProcess; readonly file: number } {
    if (this.#process !== undefined) return this.#process;
    // Without HOME nft keeps no history of its commands.
    const { HOME: _, ...env } = process.env;
    const file = openUnlinkedFile();
    const child = new LineProcess(this.#command, {
      args: ['-i'],
      env,
      onStderr: (text) => this.#onStderr(text),
      onExit: (exit) => {
        closeSync(file);
        this.#process = undefined;
        this.#finish(
          exit.kind === 'error'
            ? new NftOutcomeUnknown(`Cannot run the nft session: ${exit.cause.message}`, { cause: exit.cause })
            : new NftOutcomeUnknown(`The nft session ended: ${exit.state} ${this.#stderr.trim()}`),
        );
      },
    });
    child.unref();
    this.#startCount++;
    this.#process = { child, file };
    return this.#process;
  }

  #onStderr(data: string): void {
    this.#stderr += data;
    const end = this.#stderr.indexOf(`\nend${this.#transactions - 1}\n`);
    if (end < 0) return;
    const markerError = this.#stderr.lastIndexOf('Error: ', end);
    this.#finish(this.#stderr.slice(0, Math.max(markerError, 0)));
  }

  #finish(end: Error | string): void {
    this.#resolve?.(end);
    this.#resolve = undefined;
  }
}

let files = 0;

/** A file in memory that disappears with this process, even when it is killed. */
function openUnlinkedFile(): number {
  for (const directory of ['/dev/shm', tmpdir()]) {
    const path = join(directory, `nftlane-${process.pid}-${files++}`);
    try {
      const fd = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
      return fd;
    } catch (error) {
      if (directory !== '/dev/shm')
        throw new NftOutcomeUnknown(`Cannot write a transaction to "${directory}"`, { cause: error });
    }
  }
  throw new NftOutcomeUnknown('Cannot write a transaction: no directory');
}
