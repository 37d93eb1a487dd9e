// Deletes stale conntrack entries of TCP connections that were not answered, or that were refused: see staleAttemptReason().

import type { Commit, SyncObserver } from '../../controller/sync-observer.ts';
import type { Engine } from '../../engine/engine.ts';
import type { ServiceChange } from '../../engine/service-change.ts';
import type { Log } from '../../host/log.ts';
import { LogOnce } from '../../host/log-once.ts';
import type { Address } from '../../net/address.ts';
import { allNodePortAddresses } from '../../services/model/node-port-addresses.ts';
import { type CleanerOptions, type CleanupReport, CleanupRunner } from '../cleanup-runner.ts';
import { type Deleted, StaleDeletions } from '../stale-deletions.ts';
import { type AttemptGroup, AttemptScan } from './attempt-scan.ts';
import { type AttemptContext, mayBeAnswered, staleAttemptReason } from './stale-attempts.ts';

interface AttemptCleanerOptions extends CleanerOptions {
  readonly engine: Pick<Engine, 'node' | 'isKernelKnown' | 'lookup'>;
  /** The current addresses of the host's interfaces. */
  readonly hostAddresses: () => readonly Address[];
  readonly log: Log;
}

/** Of a core. A client repeats a SYN only after a second or more. */
const CPU_SHARE = 0.02;

/**
 * How long an attempt stays after it was found, if a SYN-ACK in transit may need its entry. If it is answered meanwhile, it is
 * not deleted, because it is in another state then.
 */
const ANSWER_GRACE_MS = 300;

/**
 * The maximum number of listings in one cleanup. Usually it takes two. A group that has a new attempt at each of them is
 * filled by another program, which translates the connections before the rules of nftlane.
 */
const MAX_SCANS = 5;

/**
 * Cleans up after the initial load, and after each sync that changed Services with TCP ports or repaired the ruleset. Each of
 * them lets it delete a group once: what comes again after that is not stale, but translated by another program. The
 * frontends of entries are looked up in the engine, so this keeps nothing between cleanups.
 */
export class AttemptCleaner implements SyncObserver {
  readonly #options: AttemptCleanerOptions;
  readonly #runner: CleanupRunner;
  readonly #deletions: StaleDeletions;
  /** The number of commits that asked for a cleanup. */
  #commits = 0;
  /** By group: for which commit it was deleted. Empty when all groups are. */
  readonly #handled = new Map<string, number>();
  /** Whether a scan could not judge entries, because the state of the kernel was unknown. */
  #isOwed = false;

  constructor(options: AttemptCleanerOptions) {
    this.#options = options;
    this.#deletions = new StaleDeletions(options.conntrack);
    this.#runner = new CleanupRunner({
      ...options,
      cleanUp: () => this.#cleanUp(),
      delayMs: 0,
      cpuShare: CPU_SHARE,
      report: reportTo(options.log),
    });
  }

  committed({ services, isInitial, isRepair }: Pick<Commit, 'services' | 'isInitial' | 'isRepair'>): void {
    if (!isInitial && !isRepair && !this.#isOwed && !services.some(hasTcp)) return;
    this.#commits++;
    this.#isOwed = false;
    this.#runner.request();
  }

  /** Resolves when no deletion is running of attempts that the coming sync makes valid. */
  beforeApply(): Promise<void> {
    return this.#deletions.abortIfValid();
  }

  /** Runs until the signal aborts; entries that are not deleted by then stay. */
  run(signal: AbortSignal): Promise<void> {
    return this.#runner.run(signal);
  }

  /** Scans until no attempt waits for an answer. */
  async #cleanUp(): Promise<Deleted> {
    const { engine, clock } = this.#options;
    const result: Deleted = { deleted: { ip: 0, ip6: 0 }, reason: undefined };
    const commit = this.#commits;
    let [scan, isComplete]: [AttemptScan | undefined, boolean] = [undefined, true];
    for (let scans = 0; scans < MAX_SCANS && !this.#runner.isStopping; scans++) {
      if (scans > 0) await clock.sleep(ANSWER_GRACE_MS);
      scan = await this.#scan(scan);
      const groups = scan.list().filter(({ key }) => this.#handled.get(key) !== commit);
      const due = groups.filter(({ isDue }) => isDue);
      isComplete = await this.#delete(due, { result, commit });
      if (!isComplete || due.length === groups.length) break;
    }
    if (isComplete) this.#handled.clear();
    const isKnownAgain = this.#isOwed && engine.isKernelKnown;
    if (isKnownAgain) this.#isOwed = false;
    if (!isComplete || isKnownAgain) this.#runner.request();
    return result;
  }

  async #scan(earlier: AttemptScan | undefined): Promise<AttemptScan> {
    const { engine, conntrack } = this.#options;
    const scan = new AttemptScan();
    const context = { ...this.#context(), cache: new Map() };
    await conntrack.listAttempts(engine.node.families, (entry) => {
      if (!engine.isKernelKnown) this.#isOwed = true;
      const reason = staleAttemptReason(entry, context);
      if (reason !== undefined) scan.add(entry, { reason, waits: mayBeAnswered(entry, context) }, earlier);
    });
    return scan;
  }

  /** Those that other commits had deleted before come last. Returns whether none is left. */
  async #delete(
    groups: readonly AttemptGroup[],
    { result, commit }: { readonly result: Deleted; readonly commit: number },
  ): Promise<boolean> {
    const context = this.#context();
    const sorted = groups.toSorted((a, b) => this.#lastHandled(a) - this.#lastHandled(b));
    const left = await this.#deletions.delete(sorted, {
      result,
      isStale: (entry) => staleAttemptReason(entry, context) !== undefined,
      isOver: () => this.#runner.isOver,
    });
    for (const { key } of sorted.slice(0, sorted.length - left.length)) this.#handled.set(key, commit);
    return left.length === 0;
  }

  #lastHandled({ key }: AttemptGroup): number {
    return this.#handled.get(key) ?? -1;
  }

  #context(): AttemptContext {
    const { engine, hostAddresses } = this.#options;
    return { engine, nodeAddresses: allNodePortAddresses(engine.node, hostAddresses()) };
  }
}

function hasTcp(change: ServiceChange): boolean {
  return change.state === 'served' && change.service.ports.some(({ protocol }) => protocol === 'tcp');
}

function reportTo(log: Log): CleanupReport {
  const failures = new LogOnce(log);
  return {
    deleted: (fields) => log.info('deleted stale TCP conntrack entries', fields),
    failed: (fields) => failures.log('warn', 'cannot delete stale TCP conntrack entries', fields),
    missing: (fields) => failures.log('warn', 'stale TCP conntrack entries are not deleted', fields),
    succeeded: () => {
      if (failures.reset()) log.info('stale TCP conntrack entries are deleted again');
    },
  };
}
