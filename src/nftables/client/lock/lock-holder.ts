// A long-lived nft process that owns the lock's table.

import { setTimeout as delay } from 'node:timers/promises';
import { LineProcess } from '../../../host/process/line-process.ts';
import { ownerWith, printOwner } from './lock-owner.ts';

export const LOCK_TABLE = 'inet nftlane-lock';

/** The result of an attempt to create the table. */
type HoldAttempt =
  | { readonly kind: 'held'; readonly holder: LockHolder }
  /** Without CAP_NET_ADMIN, too. */
  | { readonly kind: 'exists' }
  | { readonly kind: 'failed'; readonly reason: string };

/** nft answers in milliseconds; a machine under load in seconds. */
const TIMEOUT_MS = 10_000;
/** Not an nft command: its error message marks the end of the answer to the one before. */
const MARKER = 'end';

export class LockHolder {
  /** Resolves with the reason when the process has ended, and with it the lock. */
  readonly ended: Promise<string>;
  readonly #child: LineProcess;
  #stderr = '';
  #onStderr: () => void = () => {};

  private constructor(command: string) {
    // Without HOME, nft keeps no command history.
    const { HOME: _, ...env } = process.env;
    let end: (reason: string) => void = () => {};
    this.ended = new Promise((resolve) => {
      end = resolve;
    });
    this.#child = new LineProcess(command, {
      args: ['-i'],
      env,
      onStderr: (text) => {
        this.#stderr += text;
        this.#onStderr();
      },
      onExit: (exit) => end(exit.kind === 'error' ? exit.cause.message : `nft ended by ${exit.state}`),
    });
    this.#child.unref();
  }

  /** Creates the table as its owner. */
  static async start(command: string): Promise<HoldAttempt> {
    const holder = new LockHolder(command);
    const answer = await holder.#create();
    if (answer === '') return { kind: 'held', holder };
    holder.close();
    if (/File exists|Operation not permitted/.test(answer)) return { kind: 'exists' };
    const [reason = ''] = answer.split('\n').filter((line) => line.trim() !== '');
    return { kind: 'failed', reason: reason.replace(/^Error: /, '') };
  }

  /** The kernel removes the table with the socket of the process. */
  close(): void {
    this.#child.kill('SIGKILL');
  }

  /** The error messages; empty if the table was created. */
  async #create(): Promise<string> {
    const { pid } = this.#child;
    if (pid === undefined) return await this.ended;
    const comment = printOwner(await ownerWith(pid));
    const answer = new Promise<string>((resolve) => {
      this.#onStderr = () => {
        const end = this.#stderr.indexOf(`\n${MARKER}\n`);
        if (end >= 0) resolve(errorsOf(this.#stderr.slice(0, this.#stderr.lastIndexOf('Error: ', end))));
      };
    });
    this.#child.write(`create table ${LOCK_TABLE} { flags owner; comment "${comment}"; }\n${MARKER}\n`);
    const waiting = new AbortController();
    const timeout = delay(TIMEOUT_MS, `nft did not answer within ${TIMEOUT_MS / 1000} s`, { signal: waiting.signal });
    timeout.catch(() => {});
    const result = await Promise.race([answer, this.ended, timeout]);
    waiting.abort();
    this.#onStderr = () => {};
    return result;
  }
}

/** Without a terminal database, as in the image, nft warns about it first. */
function errorsOf(stderr: string): string {
  const start = stderr.indexOf('Error: ');
  return start < 0 ? '' : stderr.slice(start).trim();
}
