// A long-lived `nft -i`, through which small transactions go.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseComplaints } from '../syntax/complaint.ts';
import { NftLost, NftRefusal } from './nft-error.ts';

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
  #running: { readonly child: ChildProcessWithoutNullStreams; readonly file: number } | undefined;
  #answer: ((end: Error | string) => void) | undefined;
  #stderr = '';
  #count = 0;
  #starts = 0;

  constructor({ command, timeoutMs }: { command: string; timeoutMs: number }) {
    this.#command = command;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Applies the lines as one transaction. One at a time. Throws {@link NftRefusal} when it was refused, and
   * {@link NftLost} when the session ended before it said.
   */
  async run(text: string): Promise<void> {
    const { child, file } = this.#start();
    const word = `end${this.#count++}`;
    ftruncateSync(file);
    writeSync(file, text, 0);
    this.#stderr = '';
    const answered = new Promise<Error | string>((resolve) => {
      this.#answer = resolve;
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#timeoutMs);
    // One that cannot be started for want of file descriptors has no streams: the error comes in a moment.
    if (child.pid !== undefined) child.stdin.write(`include "/proc/${process.pid}/fd/${file}"\n${word}\n`);
    const answer = await answered;
    clearTimeout(timer);
    if (typeof answer !== 'string') throw answer;
    const complaints = parseComplaints(answer);
    if (complaints.length > 0) throw new NftRefusal(complaints);
  }

  /** The process that the session has now; `undefined` while there is none. */
  get pid(): number | undefined {
    return this.#running?.child.pid;
  }

  /** How many processes there have been. */
  get starts(): number {
    return this.#starts;
  }

  /** Ends the session. The next transaction starts another. */
  close(): void {
    this.#running?.child.stdin.end();
  }

  #start(): { readonly child: ChildProcessWithoutNullStreams; readonly file: number } {
    if (this.#running !== undefined) return this.#running;
    // Without HOME nft keeps no history of its commands.
    const { HOME: _, ...env } = process.env;
    const file = openNameless();
    const child = spawn(this.#command, ['-i'], { stdio: 'pipe', env });
    this.#starts++;
    const running = { child, file };
    this.#running = running;
    let isOver = false;
    const end = (error: Error): void => {
      if (isOver) return;
      isOver = true;
      closeSync(file);
      this.#running = undefined;
      this.#finish(error);
    };
    child.on('error', (cause) => end(new NftLost(`Cannot run the nft session: ${cause.message}`, { cause })));
    if (child.pid === undefined) return running;
    child.stdout.resume();
    child.stderr.setEncoding('utf8').on('data', (data: string) => this.#heard(data));
    child.stdin.on('error', () => {});
    child.on('close', (status, signal) => {
      end(new NftLost(`The nft session ended: ${signal ?? `status ${status}`} ${this.#stderr.trim()}`));
    });
    child.unref();
    return running;
  }

  #heard(data: string): void {
    this.#stderr += data;
    const end = this.#stderr.indexOf(`\nend${this.#count - 1}\n`);
    if (end < 0) return;
    const ownComplaint = this.#stderr.lastIndexOf('Error: ', end);
    this.#finish(this.#stderr.slice(0, Math.max(ownComplaint, 0)));
  }

  #finish(end: Error | string): void {
    this.#answer?.(end);
    this.#answer = undefined;
  }
}

let files = 0;

/** A file in memory that disappears with this process, even when it is killed. */
function openNameless(): number {
  for (const directory of ['/dev/shm', tmpdir()]) {
    const path = join(directory, `nftlane-${process.pid}-${files++}`);
    try {
      const file = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
      return file;
    } catch (error) {
      if (directory !== '/dev/shm') throw new NftLost(`Cannot write a transaction to "${directory}"`, { cause: error });
    }
  }
  throw new NftLost('Cannot write a transaction: no directory');
}
