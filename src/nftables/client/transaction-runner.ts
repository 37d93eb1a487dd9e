// Applies transactions, and confirms them with what the kernel shows.

import { errorMessage } from '../../lib/error-message.ts';
import type { Family } from '../../net/family.ts';
import { lastTransaction } from '../compile/sets-and-maps.ts';
import { TABLE } from '../syntax/operation.ts';
import { NftOutcomeUnknown, NftRefusal } from './nft-error.ts';
import type { NftProgram } from './nft-program.ts';
import { NftSession } from './nft-session.ts';
import { ScriptRunner } from './script-runner.ts';
import type { TableOwnership } from './table-ownership.ts';
import { listedNumbers, type Marker, markerLines, nextMarker, type OwnTransactions } from './transaction-marker.ts';

/** How {@link TransactionRunner.apply} confirms a transaction. */
export interface ApplyOptions {
  /**
   * `now`, the default: before it resolves. `later`: large transactions are confirmed by
   * {@link TransactionRunner.confirm}, which reads all their markers in one listing.
   */
  readonly confirmation?: 'now' | 'later';
}

interface TransactionRunnerOptions {
  readonly program: NftProgram;
  readonly ownership: TableOwnership;
}

/** A session reads its input byte by byte: 0.04 ms for each operation, and 64 KiB are the most that is written in one step. */
const SESSION_MAX_OPERATIONS = 500;
const SESSION_MAX_CHARACTERS = 60_000;
/** Sessions that end this often in a row are replaced by processes for a while. */
const MAX_SESSION_FAILURES = 3;
const SESSION_RETRY_MS = 30_000;
const READ_TIMEOUT_MS = 3000;
/** Against a program that ends our process again and again. */
const MIN_ADOPTION_INTERVAL_MS = 1000;

/** Fifty times what a transaction takes on an idle machine; the kernel may hold its commit mutex for another program. */
export function transactionTimeoutMs(operations: number): number {
  return 3000 + 2 * operations;
}

/**
 * nft may report success although the kernel has nothing of a transaction, or a part of it: the program was replaced or
 * is broken, or its input was cut. Each transaction therefore ends by writing its number into a set, and counts as
 * applied when the kernel shows the number. A session lists the set in its next command, which takes 0.1 ms; the
 * markers of processes are listed by another one.
 */
export class TransactionRunner {
  readonly #program: NftProgram;
  readonly #ownership: TableOwnership;
  readonly #session: NftSession;
  readonly #scripts: ScriptRunner;
  /** Transactions that were sent, and that the kernel has not shown yet. */
  readonly #unconfirmed = new Set<Marker>();
  /** The transactions of the session run one after another. */
  #lastInSession: Promise<unknown> = Promise.resolve();
  #sessionFailures = 0;
  #sessionFailedAt = 0;
  #adoptedAt = Number.NEGATIVE_INFINITY;
  /** The session has adopted our tables, whatever an older listing says. */
  #mayOwn = false;
  /** The large transactions under way, which run in other processes. */
  #scriptCount = 0;
  #isClosed = false;
  #underWay = 0;
  #sent: OwnTransactions = { failures: 0, alone: undefined };

  constructor({ program, ownership }: TransactionRunnerOptions) {
    this.#program = program;
    this.#ownership = ownership;
    this.#session = new NftSession({ command: program.command, onExit: () => this.#sessionEnded() });
    this.#scripts = new ScriptRunner({ command: program.command });
  }

  /** The numbered transactions. One with an unknown outcome counts as failed. */
  get sent(): OwnTransactions {
    return this.#sent;
  }

  get session(): Pick<NftSession, 'pid' | 'startCount'> {
    return this.#session;
  }

  /** Applies the operations as one transaction. Throws {@link NftRefusal} or {@link NftOutcomeUnknown}. */
  async apply(lines: readonly string[], { confirmation = 'now' }: ApplyOptions = {}): Promise<void> {
    await this.#send(lines, (marker) =>
      this.#isSmall(lines)
        ? this.#afterSession(() => this.#applyInSession(lines, marker))
        : this.#applyOutsideSession(lines, marker),
    );
    this.#ownership.declared(lines);
    if (confirmation === 'now') await this.confirm();
  }

  async #applyOutsideSession(lines: readonly string[], marker: Marker): Promise<void> {
    // Its marker must not be removed by a transaction of the session.
    this.#unconfirmed.add(marker);
    this.#scriptCount++;
    try {
      await this.#afterSession(() => this.#release());
      await this.#applyAsScript(lines, marker);
    } finally {
      this.#scriptCount--;
    }
  }

  /** Numbers a transaction. */
  async #send(lines: readonly string[], run: (marker: Marker) => Promise<void>): Promise<void> {
    const marker = nextMarker(lines);
    this.#sent = { ...this.#sent, alone: this.#underWay === 0 ? marker.number : undefined };
    this.#underWay++;
    try {
      await run(marker);
    } catch (error) {
      this.#sent = { ...this.#sent, failures: this.#sent.failures + 1 };
      throw error;
    } finally {
      this.#underWay--;
    }
  }

  /**
   * Makes the session the owner of our tables, so that no other program can change them. Large transactions, which run
   * in other processes, end this, and it waits for the next call while they run. Never throws: a failure is the reason of {@link TableOwnership}.
   */
  async protect(): Promise<void> {
    await this.#afterSession(() => this.#adopt()).catch((error: unknown) =>
      this.#ownership.adopted(errorMessage(error)),
    );
  }

  /** Throws {@link NftOutcomeUnknown} if the kernel does not have a transaction that nft reported as applied. */
  async confirm(): Promise<void> {
    const markers = [...this.#unconfirmed];
    if (markers.length === 0) return;
    this.#unconfirmed.clear();
    const families = new Set(markers.map(({ object }) => object.family));
    const shown = new Set<number>();
    for (const family of families) for (const number of await this.#readMarkers(family)) shown.add(number);
    const missing = markers.filter(({ number }) => !shown.has(number)).length;
    if (missing === 0) return;
    throw new NftOutcomeUnknown(
      `Cannot confirm ${missing} of ${markers.length} transactions: nft reported success, but the kernel does not show them`,
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#scripts.close();
    await this.#session.close();
  }

  #isSmall(lines: readonly string[]): boolean {
    if (lines.length > SESSION_MAX_OPERATIONS) return false;
    if (lines.reduce((sum, line) => sum + line.length, 0) > SESSION_MAX_CHARACTERS) return false;
    return this.#sessionFailures < MAX_SESSION_FAILURES || performance.now() - this.#sessionFailedAt > SESSION_RETRY_MS;
  }

  /** Runs the task when the session is idle, before those that follow. */
  #afterSession(task: () => Promise<void>): Promise<void> {
    const run = this.#lastInSession.then(task);
    this.#lastInSession = run.catch(() => undefined);
    return run;
  }

  /** Lets other processes change our tables. */
  async #release(): Promise<void> {
    if (this.#mayOwn) await this.#endSession();
  }

  async #endSession(): Promise<void> {
    this.#mayOwn = false;
    this.#ownership.released();
    await this.#session.close();
  }

  async #adopt(): Promise<void> {
    const lines = this.#ownership.adoption();
    if (lines.length === 0 || this.#scriptCount > 0) return;
    this.#adoptedAt = performance.now();
    this.#mayOwn = true;
    await this.#send(lines, (marker) => this.#applyInSession(lines, marker));
    this.#ownership.adopted(undefined);
  }

  /** The tables are orphans now. */
  #sessionEnded(): void {
    const wasOwner = this.#ownership.isOwner;
    this.#mayOwn = false;
    this.#ownership.released();
    if (!wasOwner || this.#isClosed) return;
    const delayMs = Math.max(0, this.#adoptedAt + MIN_ADOPTION_INTERVAL_MS - performance.now());
    setTimeout(() => void this.protect(), delayMs).unref();
  }

  async #applyInSession(lines: readonly string[], marker: Marker): Promise<void> {
    const keep = this.#unconfirmed.size > 0;
    if (this.#session.isWornOut) await this.#endSession();
    try {
      const timeoutMs = transactionTimeoutMs(lines.length);
      const outcome = await this.#session.apply({
        lines: [...this.#ownership.declare(lines), ...markerLines(marker, { keep })],
        marker,
        timeoutMs,
      });
      this.#sessionFailures = 0;
      if (outcome === 'silent') this.#unconfirmed.add(marker);
    } catch (error) {
      if (error instanceof NftOutcomeUnknown) {
        this.#sessionFailures++;
        this.#sessionFailedAt = performance.now();
      }
      throw error;
    }
  }

  async #applyAsScript(lines: readonly string[], marker: Marker): Promise<void> {
    // Without a flush: a process that deletes something waits for an RCU grace period when it ends.
    const all = [...this.#ownership.declare(lines), ...markerLines(marker, { keep: true })];
    try {
      const errors = await this.#scripts.apply(all, { timeoutMs: transactionTimeoutMs(lines.length) });
      if (errors.length > 0) throw new NftRefusal(errors);
    } catch (error) {
      this.#unconfirmed.delete(marker);
      throw error;
    }
  }

  async #readMarkers(family: Family): Promise<Set<number>> {
    const { kind, name } = lastTransaction(family);
    const result = await this.#program.run(['list', kind, family, TABLE, name], { timeoutMs: READ_TIMEOUT_MS });
    return listedNumbers(result.stdout);
  }
}
