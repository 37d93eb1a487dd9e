// One sync: from what is wanted now to what the kernel holds.

import type { Engine } from '../engine/engine.ts';
import type { Refusal } from '../engine/refusal.ts';
import type { ServiceChange } from '../engine/service-change.ts';
import { linesOf, operationsOf, type Transaction } from '../engine/transaction.ts';
import { type Clock, systemClock } from '../host/clock.ts';
import { NftOutcomeUnknown, NftRefusal } from '../nftables/client/nft-error.ts';
import type { SetOrMap } from '../nftables/syntax/element.ts';
import { isDrift, type NftErrorMessage } from '../nftables/syntax/error-message.ts';
import type { CounterListing, KernelListing, RuleCount } from '../nftables/syntax/kernel-listing.ts';
import { refKey } from '../nftables/syntax/object-ref.ts';
import { deleteElement, type Operation } from '../nftables/syntax/operation.ts';
import { StageTimer, type StageTimes } from './stage-timer.ts';

/** The part of the kernel that a sync needs. */
export interface Nftables {
  apply(lines: readonly string[]): Promise<void>;
  list(): Promise<KernelListing>;
  /** How many rules each of our chains has. */
  ruleCounts?(): Promise<readonly RuleCount[]>;
  /** The elements of these objects; objects that are not there have none. */
  listElements(objects: readonly SetOrMap[]): Promise<CounterListing>;
}

/** What a sync did. */
export interface SyncReport {
  readonly operations: number;
  readonly transactions: number;
  /** Operations of each transaction. */
  readonly transactionSizes: readonly number[];
  /** What the kernel holds was not known, and was listed. */
  readonly full: boolean;
  readonly stages: StageTimes;
  /** Chains that nothing leads to could not be removed, which is tried again. */
  readonly cleanupFailed: boolean;
  /** Services that the kernel refused in this sync. */
  readonly refused: readonly Refusal[];
  /** The kernel held something else than was believed, and was listed again. */
  readonly drift: readonly string[];
}

export interface SyncOptions {
  readonly cleanup?: boolean;
  readonly clock?: Pick<Clock, 'now'>;
  readonly beforeApply?: (services: readonly ServiceChange[]) => Promise<void>;
}

/** The largest number of transactions of one stage that go at once: nft reads one while the kernel takes another. */
export const MAX_PARALLEL_TRANSACTIONS = 2;

/**
 * Brings the kernel to what is wanted. A Service whose operations are refused is left out, and the rest goes in; when
 * the kernel turns out to hold something else than was believed it is listed, compared, and sent the difference.
 * Throws when neither helps: then nothing is lost, and the next call starts from a listing.
 * `tidy` also removes chains that nothing leads to any more; `applying` is waited for each time before the kernel is
 * changed.
 */
export async function sync(
  engine: Engine,
  tables: Nftables,
  { cleanup = true, clock = systemClock, beforeApply }: SyncOptions = {},
): Promise<SyncReport> {
  const report = emptyProgress();
  const timer = new StageTimer(clock);
  for (;;) {
    if (!engine.isKernelKnown) {
      report.full = true;
      engine.adopt(await tables.list());
    }
    timer.lap('list');
    engine.compile();
    timer.lap('compile');
    try {
      const stages = engine.plan();
      timer.lap('plan');
      await beforeApply?.(engine.changes.list());
      for (const stage of stages) await runStage(stage, { engine, tables, report });
      timer.lap('apply');
      await removeStaleAffinity(engine, tables);
      timer.lap('affinity');
      const cleanupFailed = !(await removeStaleChains(engine, tables, { all: cleanup }));
      timer.lap('cleanup');
      return { ...report, cleanupFailed, stages: timer.times };
    } catch (error) {
      timer.lap('apply');
      engine.invalidate();
      if (!(error instanceof StageFailure)) throw error;
      recover(error, engine, report);
    }
  }
}

class StageFailure extends Error {
  readonly operations: readonly Operation[];
  override readonly cause: NftRefusal | NftOutcomeUnknown;

  constructor(operations: readonly Operation[], cause: NftRefusal | NftOutcomeUnknown) {
    super(cause.message);
    this.operations = operations;
    this.cause = cause;
  }
}

type Progress = {
  operations: number;
  transactions: number;
  full: boolean;
  transactionSizes: number[];
  refused: Refusal[];
  drift: string[];
};

function emptyProgress(): Progress {
  return { operations: 0, transactions: 0, full: false, transactionSizes: [], refused: [], drift: [] };
}

async function runStage(
  stage: readonly Transaction[],
  { engine, tables, report }: { engine: Engine; tables: Nftables; report: Progress },
): Promise<void> {
  const queue = stage.values();
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const transaction of queue) {
      if (failures.length > 0) return;
      const lines = linesOf(transaction);
      try {
        await tables.apply(lines);
      } catch (cause) {
        const known = cause instanceof NftRefusal || cause instanceof NftOutcomeUnknown;
        failures.push(known ? new StageFailure(operationsOf(transaction), cause) : cause);
        return;
      }
      engine.committed(transaction);
      report.operations += lines.length;
      report.transactions++;
      report.transactionSizes.push(lines.length);
    }
  };
  await Promise.all(Array.from({ length: MAX_PARALLEL_TRANSACTIONS }, worker));
  if (failures.length > 0) throw failures[0];
}

/** What the kernel says when it, not a Service, is in trouble. */
const TRANSIENT_ERRORS = /allocate memory|resource busy|Resource temporarily|Interrupted|buffer space/;

/** Decides what to do about a transaction that did not go in; throws its cause when there is nothing to be done. */
function recover({ operations, cause }: StageFailure, engine: Engine, report: Progress): void {
  const complaints = cause instanceof NftRefusal ? cause.messages : [];
  const firstTime = report.drift.length === 0;
  if (firstTime && (cause instanceof NftOutcomeUnknown || complaints.some(isDrift))) {
    report.drift.push(cause.message);
    return;
  }
  if (complaints.some(({ message }) => TRANSIENT_ERRORS.test(message))) throw cause;
  const refusals = complaints.flatMap((complaint) => toRefusal(complaint, operations));
  if (refusals.length === 0) throw cause;
  for (const refusal of refusals) engine.refuse(refusal);
  report.refused.push(...refusals);
}

/** nft names the line, and each line is one operation of one Service. */
function toRefusal({ line, message }: NftErrorMessage, operations: readonly Operation[]): Refusal[] {
  const operation = operations[line - 1];
  if (operation === undefined || operation.owner === '') return [];
  return [{ service: operation.owner, reason: `${message}: ${operation.line}` }];
}

/** Clients that are forgotten in one transaction. */
const AFFINITY_BATCH_SIZE = 1000;

/**
 * Removes clients from memories whose endpoint is gone. Nobody is remembered for it any more by then: the elements that
 * lead to remembering went with the endpoint. A client that has gone by itself meanwhile is what the kernel complains
 * about, and the others are sent again without it.
 */
async function removeStaleAffinity(engine: Engine, tables: Nftables): Promise<void> {
  const affinityMaps = engine.takeAffinityMaps();
  if (affinityMaps.length === 0) return;
  const listed = await tables.listElements(affinityMaps.map(({ object }) => object));
  const lines = affinityMaps.flatMap(({ object, endpoints }) =>
    (listed.get(refKey(object)) ?? [])
      .filter(({ data }) => !endpoints.has(data))
      .map(({ key }) => deleteElement(object, key, '').line),
  );
  for (let from = 0; from < lines.length; from += AFFINITY_BATCH_SIZE) {
    await runSkippingMissing(tables, lines.slice(from, from + AFFINITY_BATCH_SIZE));
  }
}

async function runSkippingMissing(tables: Nftables, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  try {
    await tables.apply(lines);
  } catch (error) {
    if (!(error instanceof NftRefusal)) throw error;
    const missingLines = new Set(error.messages.map((complaint) => complaint.line));
    const remaining = lines.filter((_, index) => !missingLines.has(index + 1));
    if (remaining.length === lines.length) throw error;
    await runSkippingMissing(tables, remaining);
  }
}

/**
 * Removes chains that nothing leads to any more. They do no harm: when it fails it is tried after the next sync.
 * Returns whether they are gone.
 */
async function removeStaleChains(engine: Engine, tables: Nftables, { all }: { all: boolean }): Promise<boolean> {
  const { chains, operations, hasAffinity } = engine.staleChains();
  if (chains.length === 0 || !(all || hasAffinity)) return true;
  try {
    await tables.apply(operations.map((operation) => operation.line));
    engine.removed(chains);
    return true;
  } catch (error) {
    if (error instanceof NftOutcomeUnknown) engine.invalidate();
    else if (!(error instanceof NftRefusal)) throw error;
    return false;
  }
}
