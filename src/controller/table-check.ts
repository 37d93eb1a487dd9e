// Checks our tables in the kernel, except their elements, for changes by other programs, and plans their repair.

import type { Engine } from '../engine/engine.ts';
import type { StructureDifference } from '../engine/structure/compare-tables.ts';
import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import type { RulesetClient } from './sync.ts';

interface TableCheckOptions {
  readonly engine: Engine;
  readonly nftClient: RulesetClient;
  readonly log: Log;
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  /** How many transactions of other processes were noticed so far; `undefined` while they are not notified. */
  readonly noticed?: () => number | undefined;
}

/** How often the tables are checked: a listing without elements takes 15 ms, with 10,000 Services, too. */
const CHECK_INTERVAL_MS = 10_000;
/** How long the notification of a change may take: milliseconds, except on a busy machine. */
const NOTIFICATION_MS = 500;
const NOTIFICATION_STEP_MS = 50;

/** To be called between syncs only: a listing during a transaction has some of its changes. */
export class TableCheck {
  readonly #options: TableCheckOptions;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #isRepairing = false;
  #noticedBefore: number | undefined;

  constructor(options: TableCheckOptions) {
    this.#options = options;
  }

  /** Counts as a check, because everything was listed or written. */
  postpone(): void {
    this.#checkedAt = this.#options.clock.now();
  }

  /** Makes the next check due. */
  hasten(): void {
    this.#checkedAt = Number.NEGATIVE_INFINITY;
  }

  /** Compares the tables if a check is due. The next sync repairs the differences that this returns. */
  async findDifferences(): Promise<StructureDifference[]> {
    const { engine, nftClient, clock } = this.#options;
    if (!engine.isKernelKnown || clock.now() - this.#checkedAt < CHECK_INTERVAL_MS) return [];
    this.#checkedAt = clock.now();
    this.#noticedBefore = this.#options.noticed?.();
    const tables = await nftClient.listTables?.();
    if (tables === undefined) return [];
    const differences = engine.foreignChanges.compareTables(tables, engine.node);
    engine.foreignChanges.repair(differences, tables);
    this.#isRepairing = differences.length > 0;
    return differences;
  }

  /**
   * To be called after each sync. What is still different after a repair is a form that this nft has, or a change of another
   * process since then: only if none was noticed, the form is accepted.
   */
  async confirmRepair(): Promise<void> {
    if (!this.#isRepairing) return;
    this.#isRepairing = false;
    const { engine, nftClient, log, clock } = this.#options;
    const differences = engine.foreignChanges.compareTables((await nftClient.listTables?.()) ?? [], engine.node);
    for (let waitedMs = 0; differences.length > 0 && waitedMs < NOTIFICATION_MS; waitedMs += NOTIFICATION_STEP_MS) {
      if (this.#isDisturbed()) return;
      await clock.sleep(NOTIFICATION_STEP_MS);
    }
    if (this.#isDisturbed()) return;
    for (const { family, kind, name, installed } of engine.foreignChanges.acceptForms(differences)) {
      const reason = `not as it was written: ${installed.join('; ')}`;
      log.warn('accepting the form in which nft lists an object', { object: `${kind} ${family} ${name}`, reason });
    }
  }

  /** Whether another process may have changed the tables since the check began. */
  #isDisturbed(): boolean {
    const { noticed } = this.#options;
    if (noticed === undefined) return false;
    return this.#noticedBefore === undefined || noticed() !== this.#noticedBefore;
  }
}
