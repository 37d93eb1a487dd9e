// The lock of a network namespace: one daemon at a time.

import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../../host/log.ts';
import { LogOnce } from '../../../host/log-once.ts';
import { errorMessage } from '../../../lib/error-message.ts';
import { EnvironmentError } from '../../../lib/operational-error.ts';
import { untilAborted } from '../../../lib/until-aborted.ts';
import { NftProgram } from '../nft-program.ts';
import { LOCK_TABLE, LockHolder } from './lock-holder.ts';
import { describeOwner, hasEnded, parseOwner } from './lock-owner.ts';

interface NetworkLockOptions {
  /** The nft program. */
  readonly command: string;
  readonly log: Log;
  readonly retryMs?: number;
}

/** Another daemon runs in this network namespace. */
class LockTaken extends EnvironmentError {
  override readonly name = 'LockTaken';
}

const RETRY_MS = 1_000;
/** The owner may end between two steps, and another process may be faster each time. */
const MAX_ATTEMPTS = 40;
const CLOSE_TIMEOUT_MS = 200;
const LIST_TIMEOUT_MS = 10_000;

/**
 * An empty nftables table with the flag `owner` (Linux 5.12): the kernel lets one netlink socket create it and removes it
 * with that socket, however the process ends. Unlike a file it cannot be removed by others, not even by `nft flush ruleset`,
 * unlike a socket it needs CAP_NET_ADMIN and cannot be occupied by other users, and like the ruleset it belongs to the
 * network namespace. The socket is that of a process `nft -i`, because Node.js has none.
 */
export class NetworkLock {
  readonly #options: NetworkLockOptions;
  readonly #failures: LogOnce;
  #holder: LockHolder | undefined;

  private constructor(options: NetworkLockOptions) {
    this.#options = options;
    this.#failures = new LogOnce(options.log);
  }

  /**
   * Rejects with {@link LockTaken} if another daemon runs, even a stopped one. Any other failure is logged, and
   * {@link run} tries again.
   */
  static async acquire(options: NetworkLockOptions): Promise<NetworkLock> {
    const lock = new NetworkLock(options);
    await lock.#tryAcquire();
    return lock;
  }

  /** Keeps the lock until the signal aborts, and then until {@link close}. Rejects with {@link LockTaken} if another daemon took it meanwhile. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, retryMs = RETRY_MS } = this.#options;
    const stopped = untilAborted(signal);
    while (!signal.aborted) {
      if (this.#holder === undefined) {
        await Promise.race([delay(retryMs, undefined, { signal }).catch(() => {}), stopped]);
      } else {
        const reason = await Promise.race([this.#holder.ended, stopped]);
        if (!signal.aborted) log.warn('lost the lock of the network namespace', { reason });
      }
      if (signal.aborted) break;
      this.#holder = undefined;
      if (await this.#tryAcquire()) this.#reportRecovery();
    }
  }

  /** Releases it, before the process ends and a service manager starts the next daemon. */
  async close(): Promise<void> {
    if (this.#holder === undefined) return;
    this.#holder.close();
    await Promise.race([this.#holder.ended, delay(CLOSE_TIMEOUT_MS)]);
  }

  /** Returns whether it is held now. */
  async #tryAcquire(): Promise<boolean> {
    const { command } = this.#options;
    for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
      const attempt = await LockHolder.start(command);
      if (attempt.kind === 'held') {
        this.#holder = attempt.holder;
        return true;
      }
      if (attempt.kind === 'failed') return this.#fail(attempt.reason);
      const listing = await listLock(command).catch((error: unknown) => new Error(errorMessage(error)));
      if (listing instanceof Error) return this.#fail(listing.message);
      if (listing !== undefined) await refuseIfOwned(listing);
    }
    return this.#fail('it changes hands all the time');
  }

  #fail(reason: string): boolean {
    const effect = 'a second daemon may start';
    this.#failures.log('warn', 'cannot lock the network namespace', { reason, effect });
    return false;
  }

  #reportRecovery(): void {
    this.#failures.reset();
    this.#options.log.info('locked the network namespace');
  }
}

/** Rejects with {@link LockTaken} if a daemon runs in this network namespace. `action` is what it would disturb. */
export async function refuseIfLocked(command: string, action: string): Promise<void> {
  const listing = await listLock(command).catch(() => undefined);
  if (listing !== undefined) await refuseIfOwned(listing, action);
}

/** Returns without an error if the owner has just ended. */
async function refuseIfOwned(listing: string, action = 'run'): Promise<void> {
  const owner = parseOwner(listing);
  // The kernel removes the table a moment after the process.
  if (owner !== undefined && (await hasEnded(owner))) return await delay(50);
  const name = owner === undefined ? `the owner of table ${LOCK_TABLE}` : await describeOwner(owner);
  throw new LockTaken(`Cannot ${action}: another daemon (${name}) runs in this network namespace`);
}

/** The table; `undefined` if there is none. Rejects if nft cannot list it. */
async function listLock(command: string): Promise<string | undefined> {
  const program = new NftProgram({ command, timeoutMs: LIST_TIMEOUT_MS });
  const tables = await program.listTables();
  if (!tables.some(({ family, name }) => `${family} ${name}` === LOCK_TABLE)) return undefined;
  const { status, stdout } = await program.run(['list', 'table', ...LOCK_TABLE.split(' ')]);
  return status === 0 ? stdout : undefined;
}
