// Deletes stale conntrack entries of TCP connections that were not answered, or that were refused: see staleAttemptReason().

import { BoundedFrequencyRunner } from '../controller/bounded-frequency-runner.ts';
import type { Commit, SyncObserver } from '../controller/sync-observer.ts';
import type { Engine } from '../engine/engine.ts';
import type { ServiceChange } from '../engine/service-change.ts';
import { LogOnce } from '../host/log-once.ts';
import { errorMessage } from '../lib/error-message.ts';
import { allNodePortAddresses } from '../services/model/node-port-addresses.ts';
import { type AttemptState, ConntrackError } from './conntrack.ts';
import type { CleanupResult, FlowCleanerOptions } from './flow-cleaner.ts';
import { type AttemptContext, staleAttemptReason } from './stale-attempts.ts';
import { addCounts, StaleDeletions } from './stale-deletions.ts';
import { type StaleGroup, StaleGroups } from './stale-groups.ts';

interface AttemptCleanerOptions extends Omit<FlowCleanerOptions, 'engine'> {
  readonly engine: Pick<Engine, 'node' | 'isKernelKnown' | 'lookup'>;
}

const STATES: readonly AttemptState[] = ['SYN_SENT', 'CLOSE'];

const MIN_INTERVAL_MS = 1000;
/** The interval in units of what a cleanup took: a stream of changes costs 2 % of a core, however large the table is. */
const INTERVAL_FACTOR = 50;
/** The deletions of one cleanup; further groups wait for the next one. */
const MAX_DELETION_MS = 2000;

/**
 * The time between a listing and the deletion. An attempt that is answered meanwhile is not deleted, because it is in another
 * state then: so a SYN-ACK in transit still finds its entry.
 */
const ANSWER_GRACE_MS = 300;

/**
 * Cleans up after the initial load, and after each sync that changed Services with TCP ports or repaired the ruleset. The
 * frontends of entries are looked up in the engine, so this keeps nothing.
 */
export class AttemptCleaner implements SyncObserver {
  readonly #options: AttemptCleanerOptions;
  readonly #runner: BoundedFrequencyRunner;
  readonly #failures: LogOnce;
  readonly #deletions: StaleDeletions;
  #isStopping = false;
  #busyMs = 0;

  constructor(options: AttemptCleanerOptions) {
    this.#options = options;
    const { log, clock, conntrack } = options;
    this.#deletions = new StaleDeletions(conntrack);
    this.#failures = new LogOnce(log);
    this.#runner = new BoundedFrequencyRunner({
      task: () => this.#run(),
      onFailure: (error, retryInMs) => {
        options.onFailure?.();
        const fields = { reason: errorMessage(error), retryInMs };
        this.#failures.log('warn', 'cannot delete stale TCP conntrack entries', fields);
      },
      clock,
      minIntervalMs: () => Math.max(MIN_INTERVAL_MS, this.#busyMs * INTERVAL_FACTOR),
    });
  }

  committed({ services, isInitial, isRepair }: Pick<Commit, 'services' | 'isInitial' | 'isRepair'>): void {
    if (isInitial || isRepair || services.some(hasTcp)) this.#runner.request();
  }

  /** Resolves when no deletion is running of attempts that the coming sync makes valid. */
  beforeApply(): Promise<void> {
    return this.#deletions.abortIfValid();
  }

  /** Runs until the signal aborts; entries that are not deleted by then stay. */
  run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => {
      this.#isStopping = true;
    });
    return this.#runner.run(signal);
  }

  async #run(): Promise<void> {
    const { log } = this.#options;
    this.#busyMs = 0;
    try {
      const { deleted, reason } = await this.#cleanUp();
      this.#options.onCleanup?.({ durationMs: this.#busyMs, deleted });
      const count = deleted.ip + deleted.ip6;
      const durationMs = Math.round(this.#busyMs);
      if (count > 0) log.info('deleted stale TCP conntrack entries', { count, durationMs, reason });
      this.#failures.reset();
    } catch (error) {
      if (!(error instanceof ConntrackError && error.kind === 'missing')) throw error;
      // Without the program no retry can help.
      this.#options.onFailure?.();
      this.#failures.log('warn', 'stale TCP conntrack entries are not deleted', { reason: error.message });
    }
  }

  async #cleanUp(): Promise<{ deleted: CleanupResult['deleted']; reason: string | undefined }> {
    const { clock } = this.#options;
    const found = await this.#timed(() => this.#find());
    const deleted = { ip: 0, ip6: 0 };
    let reason: string | undefined;
    if (found.some(({ groups }) => groups.length > 0)) await clock.sleep(ANSWER_GRACE_MS);
    const until = clock.now() + MAX_DELETION_MS;
    for (const { state, groups } of found) {
      addCounts(deleted, await this.#timed(() => this.#delete(groups, { state, until })));
      reason ??= groups[0]?.reason;
    }
    if (clock.now() >= until) this.#runner.request();
    return { deleted, reason };
  }

  async #find(): Promise<{ state: AttemptState; groups: readonly StaleGroup[] }[]> {
    const { engine, conntrack } = this.#options;
    const found = [];
    for (const state of STATES) {
      const stale = new StaleGroups();
      const context = { ...this.#context(state), cache: new Map() };
      for (const family of engine.node.families) {
        await conntrack.list({ family, protocol: 'tcp', state }, (entry) => {
          const reason = staleAttemptReason(entry, context);
          if (reason !== undefined) stale.add(entry, reason);
        });
      }
      found.push({ state, groups: stale.list().toSorted((a, b) => b.count - a.count) });
    }
    return found;
  }

  #delete(groups: readonly StaleGroup[], { state, until }: { readonly state: AttemptState; readonly until: number }) {
    const context = this.#context(state);
    return this.#deletions.delete(groups, {
      selection: { protocol: 'tcp', state },
      isStale: (entry) => staleAttemptReason(entry, context) !== undefined,
      isOver: () => this.#isStopping || this.#options.clock.now() >= until,
    });
  }

  #context(state: AttemptState): AttemptContext {
    const { engine, hostAddresses } = this.#options;
    return { state, engine, nodeAddresses: allNodePortAddresses(engine.node, hostAddresses()) };
  }

  async #timed<T>(task: () => Promise<T>): Promise<T> {
    const { clock } = this.#options;
    const startedAt = clock.now();
    try {
      return await task();
    } finally {
      this.#busyMs += clock.now() - startedAt;
    }
  }
}

function hasTcp(change: ServiceChange): boolean {
  return change.state === 'served' && change.service.ports.some(({ protocol }) => protocol === 'tcp');
}
