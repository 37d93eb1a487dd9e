// One sync: from what is wanted now to what the kernel holds.

import type { Engine, KernelListing, Refusal } from '../engine/engine.ts';
import { linesOf, operationsOf, type Transaction } from '../engine/transaction.ts';
import { type Clock, systemClock } from '../host/clock.ts';
import { NftLost, NftRefusal } from '../nftables/client/nft-error.ts';
import { objectKey } from '../nftables/plan/ledger.ts';
import { isDrift, type NftComplaint } from '../nftables/syntax/complaint.ts';
import type { NftObject } from '../nftables/syntax/element.ts';
import type { ListedElement } from '../nftables/syntax/listing.ts';
import { deleteElement, type Operation } from '../nftables/syntax/operation.ts';
import { type StageTimes, StageWatch } from './stage-watch.ts';

/** The part of the kernel that a sync needs. */
export interface Tables {
  run(lines: readonly string[]): Promise<void>;
  list(): Promise<KernelListing>;
  /** How many rules each of our chains has, by `family name`. */
  ruleCounts?(): Promise<ReadonlyMap<string, number>>;
  /** The elements of these objects, by `family name`; objects that are not there have none. */
  count(objects: readonly NftObject[]): Promise<ReadonlyMap<string, readonly ListedElement[]>>;
}

/** What a sync did. */
export interface SyncReport {
  readonly operations: number;
  readonly transactions: number;
  /** Operations of each transaction. */
  readonly sizes: readonly number[];
  /** What the kernel holds was not known, and was listed. */
  readonly full: boolean;
  readonly stages: StageTimes;
  /** Chains that nothing leads to could not be removed, which is tried again. */
  readonly tidyFailed: boolean;
  /** Services that the kernel refused in this sync. */
  readonly refused: readonly Refusal[];
  /** The kernel held something else than was believed, and was listed again. */
  readonly drift: readonly string[];
}

export interface SyncOptions {
  readonly tidy?: boolean;
  readonly clock?: Pick<Clock, 'now'>;
  readonly applying?: () => Promise<void>;
}

/** The largest number of transactions of one stage that go at once: nft reads one while the kernel takes another. */
export const PARALLEL = 2;

/**
 * Brings the kernel to what is wanted. A Service whose operations are refused is left out, and the rest goes in; when
 * the kernel turns out to hold something else than was believed it is listed, compared, and sent the difference.
 * Throws when neither helps: then nothing is lost, and the next call starts from a listing.
 * `tidy` also removes chains that nothing leads to any more; `applying` is waited for each time before the kernel is
 * changed.
 */
export async function sync(
  engine: Engine,
  tables: Tables,
  { tidy = true, clock = systemClock, applying }: SyncOptions = {},
): Promise<SyncReport> {
  const report = emptyProgress();
  const watch = new StageWatch(clock);
  for (;;) {
    if (!engine.known) {
      report.full = true;
      engine.adopt(await tables.list());
    }
    watch.lap('list');
    engine.compile();
    watch.lap('compile');
    try {
      const stages = engine.plan();
      watch.lap('plan');
      await applying?.();
      for (const stage of stages) await runStage(stage, { engine, tables, report });
      watch.lap('apply');
      await forget(engine, tables);
      watch.lap('forget');
      const tidyFailed = !(await retire(engine, tables, { all: tidy }));
      watch.lap('tidy');
      return { ...report, tidyFailed, stages: watch.times };
    } catch (error) {
      watch.lap('apply');
      engine.lost();
      if (!(error instanceof StageFailure)) throw error;
      recover(error, engine, report);
    }
  }
}

class StageFailure extends Error {
  readonly operations: readonly Operation[];
  override readonly cause: NftRefusal | NftLost;

  constructor(operations: readonly Operation[], cause: NftRefusal | NftLost) {
    super(cause.message);
    this.operations = operations;
    this.cause = cause;
  }
}

type Progress = {
  operations: number;
  transactions: number;
  full: boolean;
  sizes: number[];
  refused: Refusal[];
  drift: string[];
};

function emptyProgress(): Progress {
  return { operations: 0, transactions: 0, full: false, sizes: [], refused: [], drift: [] };
}

async function runStage(
  stage: readonly Transaction[],
  { engine, tables, report }: { engine: Engine; tables: Tables; report: Progress },
): Promise<void> {
  const waiting = stage.values();
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (const transaction of waiting) {
      if (failures.length > 0) return;
      const lines = linesOf(transaction);
      try {
        await tables.run(lines);
      } catch (cause) {
        const known = cause instanceof NftRefusal || cause instanceof NftLost;
        failures.push(known ? new StageFailure(operationsOf(transaction), cause) : cause);
        return;
      }
      engine.committed(transaction);
      report.operations += lines.length;
      report.transactions++;
      report.sizes.push(lines.length);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  if (failures.length > 0) throw failures[0];
}

/** What the kernel says when it, not a Service, is in trouble. */
const PASSING = /allocate memory|resource busy|Resource temporarily|Interrupted|buffer space/;

/** Decides what to do about a transaction that did not go in; throws its cause when there is nothing to be done. */
function recover({ operations, cause }: StageFailure, engine: Engine, report: Progress): void {
  const complaints = cause instanceof NftRefusal ? cause.complaints : [];
  const firstTime = report.drift.length === 0;
  if (firstTime && (cause instanceof NftLost || complaints.some(isDrift))) {
    report.drift.push(cause.message);
    return;
  }
  if (complaints.some(({ message }) => PASSING.test(message))) throw cause;
  const refusals = complaints.flatMap((complaint) => toRefusal(complaint, operations));
  if (refusals.length === 0) throw cause;
  for (const refusal of refusals) engine.refuse(refusal);
  report.refused.push(...refusals);
}

/** nft names the line, and each line is one operation of one Service. */
function toRefusal({ line, message }: NftComplaint, operations: readonly Operation[]): Refusal[] {
  const operation = operations[line - 1];
  if (operation === undefined || operation.owner === '') return [];
  return [{ service: operation.owner, reason: `${message}: ${operation.line}` }];
}

/** Clients that are forgotten in one transaction. */
const FORGET_SIZE = 1000;

/**
 * Removes clients from memories whose endpoint is gone. Nobody is remembered for it any more by then: the elements that
 * lead to remembering went with the endpoint. A client that has gone by itself meanwhile is what the kernel complains
 * about, and the others are sent again without it.
 */
async function forget(engine: Engine, tables: Tables): Promise<void> {
  const memories = engine.takeMemories();
  if (memories.length === 0) return;
  const listed = await tables.count(memories.map(({ object }) => object));
  const lines = memories.flatMap(({ object, endpoints }) =>
    (listed.get(objectKey(object)) ?? [])
      .filter(({ data }) => !endpoints.has(data))
      .map(({ key }) => deleteElement(object, key, '').line),
  );
  for (let from = 0; from < lines.length; from += FORGET_SIZE) {
    await runWhatIsLeft(tables, lines.slice(from, from + FORGET_SIZE));
  }
}

async function runWhatIsLeft(tables: Tables, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  try {
    await tables.run(lines);
  } catch (error) {
    if (!(error instanceof NftRefusal)) throw error;
    const gone = new Set(error.complaints.map((complaint) => complaint.line));
    const left = lines.filter((_, index) => !gone.has(index + 1));
    if (left.length === lines.length) throw error;
    await runWhatIsLeft(tables, left);
  }
}

/**
 * Removes chains that nothing leads to any more. They do no harm: when it fails it is tried after the next sync.
 * Returns whether they are gone.
 */
async function retire(engine: Engine, tables: Tables, { all }: { all: boolean }): Promise<boolean> {
  const { targets, operations, urgent } = engine.retired();
  if (targets.length === 0 || !(all || urgent)) return true;
  try {
    await tables.run(operations.map((operation) => operation.line));
    engine.removed(targets);
    return true;
  } catch (error) {
    if (error instanceof NftLost) engine.lost();
    else if (!(error instanceof NftRefusal)) throw error;
    return false;
  }
}
