// One sync: brings the kernel to the desired state.

import type { Engine } from '../engine/engine.ts';
import type { Refusal, ServiceChange } from '../engine/service-change.ts';
import { linesOf, operationsOf, type Transaction } from '../engine/transaction.ts';
import { type Clock, systemClock } from '../host/clock.ts';
import { inSlices } from '../host/in-slices.ts';
import { NftOutcomeUnknown, NftRefusal } from '../nftables/client/nft-error.ts';
import type { SetOrMap } from '../nftables/syntax/element.ts';
import { isDrift, type NftErrorMessage } from '../nftables/syntax/error-message.ts';
import type { CounterListing, KernelListing } from '../nftables/syntax/kernel-listing.ts';
import type { ListedTable } from '../nftables/syntax/listed-table.ts';
import { refKey } from '../nftables/syntax/object-ref.ts';
import { deleteElement, type Operation } from '../nftables/syntax/operation.ts';

import { StageTimer, type StageTimes } from './stage-timer.ts';

/** The operations on the kernel's ruleset that a sync needs. */
export interface RulesetClient {
  /** With a later confirmation, large transactions are only known to be applied when `confirm` has resolved. */
  apply(lines: readonly string[], options?: { readonly confirmation?: 'now' | 'later' }): Promise<void>;
  confirm?(): Promise<void>;
  /** Closes our tables to other programs, where that is possible, until the next large transaction. Never throws. */
  protect?(): Promise<void>;
  list(): Promise<KernelListing>;
  /** Our tables with everything but their elements. */
  listTables?(): Promise<readonly ListedTable[]>;
  /** The elements of these sets and maps; one that does not exist has none. */
  listElements(objects: readonly SetOrMap[]): Promise<CounterListing>;
}

/** What a sync is about to apply. */
export interface PlannedSync {
  readonly transactions: number;
}

/** The result of a sync. */
export interface SyncReport {
  readonly operations: number;
  readonly transactions: number;
  /** Operations of each transaction. */
  readonly transactionSizes: readonly number[];
  /** The state of the kernel was unknown, and was listed. */
  readonly full: boolean;
  readonly stages: StageTimes;
  /** Unreferenced chains could not be removed; retried later. */
  readonly cleanupFailed: boolean;
  /** Services that the kernel refused in this sync. */
  readonly refused: readonly Refusal[];
  /** Errors that showed that the kernel's state differed from the assumed one; it was listed again. */
  readonly drift: readonly string[];
}

interface SyncOptions {
  readonly cleanup?: boolean;
  /** Leaves large changes for later syncs: see `Engine.compilePiece`. */
  readonly piecewise?: boolean;
  readonly clock?: Pick<Clock, 'now'>;
  readonly beforeApply?: (services: readonly ServiceChange[], planned: PlannedSync) => Promise<void>;
}

/** Transactions of one stage that run in parallel: nft reads one while the kernel commits another. */
export const MAX_PARALLEL_TRANSACTIONS = 2;

/**
 * Brings the kernel to the desired state. A Service whose operations are refused is skipped, and the rest is applied. If
 * the state of the kernel differs from the assumed one, it is listed and compared again.
 * Throws if neither helps: no change is lost, and the next call starts from a listing.
 * `cleanup` also removes unreferenced chains; `beforeApply` is awaited before each attempt to change the kernel.
 */
export async function sync(
  engine: Engine,
  nftClient: RulesetClient,
  { cleanup = true, piecewise = false, clock = systemClock, beforeApply }: SyncOptions = {},
): Promise<SyncReport> {
  const progress = emptyProgress();
  const timer = new StageTimer(clock);
  for (;;) {
    if (!engine.isKernelKnown) {
      progress.full = true;
      await inSlices(engine.adoptSteps(await nftClient.list()));
    }
    timer.lap('list');
    await inSlices(piecewise ? engine.compilePiece() : engine.compileSteps());
    timer.lap('compile');
    try {
      const stages = await inSlices(engine.planSteps());
      timer.lap('plan');
      await beforeApply?.([...engine.changes.list(), ...engine.inProgress], { transactions: stages.flat().length });
      for (const stage of stages) await runStage(stage, { engine, nftClient, progress });
      timer.lap('apply');
      await removeStaleAffinity(engine, nftClient);
      timer.lap('affinity');
      const cleanupFailed = !(await removeStaleChains(engine, nftClient, { all: cleanup }));
      await nftClient.protect?.();
      timer.lap('cleanup');
      return { ...progress, cleanupFailed, stages: timer.times };
    } catch (error) {
      timer.lap('apply');
      engine.invalidate();
      if (!(error instanceof StageFailure)) throw error;
      recover(error, engine, progress);
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
  { engine, nftClient, progress }: { engine: Engine; nftClient: RulesetClient; progress: Progress },
): Promise<void> {
  const queue = stage.values();
  const failures: unknown[] = [];
  const confirmation = stage.length > 1 ? 'later' : 'now';
  const worker = async (): Promise<void> => {
    for (const transaction of queue) {
      if (failures.length > 0) return;
      const lines = linesOf(transaction);
      try {
        await nftClient.apply(lines, { confirmation });
      } catch (cause) {
        const isNftError = cause instanceof NftRefusal || cause instanceof NftOutcomeUnknown;
        failures.push(isNftError ? new StageFailure(operationsOf(transaction), cause) : cause);
        return;
      }
      engine.committed(transaction);
      progress.operations += lines.length;
      progress.transactions++;
      progress.transactionSizes.push(lines.length);
    }
  };
  await Promise.all(Array.from({ length: MAX_PARALLEL_TRANSACTIONS }, worker));
  await nftClient.confirm?.().catch((cause: unknown) => {
    failures.push(cause instanceof NftOutcomeUnknown ? new StageFailure([], cause) : cause);
  });
  if (failures.length > 0) throw failures[0];
}

/** Kernel errors that are not caused by a Service; "not permitted" if another process owns the table. */
const TRANSIENT_ERRORS = /allocate memory|resource busy|Resource temporarily|Interrupted|buffer space|not permitted/;

/** Handles a failed transaction; throws its cause if no recovery is possible. */
function recover({ operations, cause }: StageFailure, engine: Engine, progress: Progress): void {
  const messages = cause instanceof NftRefusal ? cause.messages : [];
  const isFirstDrift = progress.drift.length === 0;
  if (isFirstDrift && (cause instanceof NftOutcomeUnknown || messages.some(isDrift))) {
    progress.drift.push(cause.message);
    return;
  }
  if (messages.some(({ message }) => TRANSIENT_ERRORS.test(message))) throw cause;
  const refusals = messages.flatMap((message) => toRefusal(message, operations));
  if (refusals.length === 0) throw cause;
  for (const refusal of refusals) engine.refuse(refusal);
  progress.refused.push(...refusals);
}

/** An nft error names a line, and each line is one operation of one Service. */
function toRefusal({ line, message }: NftErrorMessage, operations: readonly Operation[]): Refusal[] {
  const operation = operations[line - 1];
  if (operation === undefined || operation.owner === '') return [];
  return [{ service: operation.owner, reason: `${message}: ${operation.line}` }];
}

/** Clients removed in one transaction. */
const AFFINITY_BATCH_SIZE = 1000;

/**
 * Removes the clients of removed endpoints from affinity maps. Rules do not add others, because the elements for these
 * endpoints are gone. The kernel refuses to delete a client that has expired meanwhile; the others are then sent again.
 */
async function removeStaleAffinity(engine: Engine, nftClient: RulesetClient): Promise<void> {
  const affinityMaps = engine.takeAffinityMaps();
  if (affinityMaps.length === 0) return;
  const listed = await nftClient.listElements(affinityMaps.map(({ object }) => object));
  const lines = affinityMaps.flatMap(({ object, endpoints }) =>
    (listed.get(refKey(object)) ?? [])
      .filter(({ data }) => !endpoints.has(data))
      .map(({ key }) => deleteElement(object, key, '').line),
  );
  for (let from = 0; from < lines.length; from += AFFINITY_BATCH_SIZE) {
    await runSkippingMissing(nftClient, lines.slice(from, from + AFFINITY_BATCH_SIZE));
  }
}

async function runSkippingMissing(nftClient: RulesetClient, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  try {
    await nftClient.apply(lines);
  } catch (error) {
    if (!(error instanceof NftRefusal)) throw error;
    const missingLines = new Set(error.messages.map((message) => message.line));
    const remaining = lines.filter((_, index) => !missingLines.has(index + 1));
    if (remaining.length === lines.length) throw error;
    await runSkippingMissing(nftClient, remaining);
  }
}

/** Removes unreferenced chains. They are harmless: a failure is retried after the next sync. Returns whether it succeeded. */
async function removeStaleChains(
  engine: Engine,
  nftClient: RulesetClient,
  { all }: { all: boolean },
): Promise<boolean> {
  const { chains, operations, isUrgent } = engine.staleChains();
  if (operations.length === 0 || !(all || isUrgent)) return true;
  try {
    await nftClient.apply(operations.map((operation) => operation.line));
    engine.removed(chains);
    return true;
  } catch (error) {
    if (error instanceof NftOutcomeUnknown) engine.invalidate();
    else if (!(error instanceof NftRefusal)) throw error;
    return false;
  }
}
