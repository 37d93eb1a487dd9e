// Deletes stale conntrack entries of TCP connections that were not answered, or that were refused: see staleAttemptReason().

import { BoundedFrequencyRunner } from '../../controller/bounded-frequency-runner.ts';
import type { Commit, SyncObserver } from '../../controller/sync-observer.ts';
import type { Engine } from '../../engine/engine.ts';
import type { ServiceChange } from '../../engine/service-change.ts';
import { LogOnce } from '../../host/log-once.ts';
import { childrenCpuMs } from '../../host/process/children.ts';
import { errorMessage } from '../../lib/error-message.ts';
import type { Family } from '../../net/family.ts';
import { allNodePortAddresses } from '../../services/model/node-port-addresses.ts';
import { type AttemptState, ConntrackError } from '../conntrack.ts';
import { isTranslated } from '../conntrack-entry.ts';
import { addCounts, StaleDeletions } from '../stale-deletions.ts';
import { type StaleGroup, StaleGroups } from '../stale-groups.ts';
import type { CleanupResult, FlowCleanerOptions } from '../udp/flow-cleaner.ts';
import { type AttemptContext, staleAttemptReason } from './stale-attempts.ts';

interface AttemptCleanerOptions extends Omit<FlowCleanerOptions, 'engine'> {
  readonly engine: Pick<Engine, 'node' | 'isKernelKnown' | 'lookup'>;
  /** The processor time of all ended children. For tests. */
  readonly cpuMs?: () => number;
}

const STATES: readonly AttemptState[] = ['SYN_SENT', 'CLOSE'];

const MIN_INTERVAL_MS = 500;
/** Other children that end meanwhile are charged, too: they must not delay it for long. */
const MAX_INTERVAL_MS = 60_000;
/** In the long run, cleanups take the fiftieth part of a core, however large the table is. */
const CPU_FACTOR = 50;
/** What they may take ahead, in the same unit: after a quiet time, a large table does not delay them. */
const MAX_AHEAD_MS = 60_000;
/** The deletions after one listing; further groups wait for the next cleanup. */
const MAX_DELETION_MS = 2000;

/**
 * How long a translated attempt stays after it was found. If it is answered meanwhile, it is not deleted, because it is in
 * another state then: so a SYN-ACK in transit still finds its entry. One without translation is deleted immediately.
 */
const ANSWER_GRACE_MS = 300;

/** The maximum number of listings in one cleanup: an attempt may change its state, from one that is listed later. */
const MAX_SCANS = 5;

interface FoundGroup extends StaleGroup {
  readonly state: AttemptState;
}

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
  readonly #cpuMs: () => number;
  /** The processor time that is still to be paid by waiting, times {@link CPU_FACTOR}, at a time. */
  #ahead = { ms: 0, at: 0 };

  constructor(options: AttemptCleanerOptions) {
    this.#options = options;
    const { log, clock, conntrack, cpuMs = childrenCpuMs } = options;
    this.#cpuMs = cpuMs;
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
      minIntervalMs: () => Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, this.#ahead.ms - MAX_AHEAD_MS)),
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
    const { log, clock } = this.#options;
    const [startedAt, cpuBefore] = [clock.now(), this.#cpuMs()];
    try {
      const { deleted, reason } = await this.#cleanUp();
      const durationMs = clock.now() - startedAt;
      this.#options.onCleanup?.({ durationMs, deleted });
      const count = deleted.ip + deleted.ip6;
      if (count > 0)
        log.info('deleted stale TCP conntrack entries', { count, durationMs: Math.round(durationMs), reason });
      this.#failures.reset();
    } catch (error) {
      if (!(error instanceof ConntrackError && error.kind === 'missing')) throw error;
      // Without the program no retry can help.
      this.#options.onFailure?.();
      this.#failures.log('warn', 'stale TCP conntrack entries are not deleted', { reason: error.message });
    } finally {
      const now = clock.now();
      const left = Math.max(0, this.#ahead.ms - (now - this.#ahead.at));
      this.#ahead = { ms: left + (this.#cpuMs() - cpuBefore) * CPU_FACTOR, at: now };
    }
  }

  /** Scans again, after a pause, until it finds nothing. */
  async #cleanUp(): Promise<{ deleted: CleanupResult['deleted']; reason: string | undefined }> {
    const { clock } = this.#options;
    const deleted = { ip: 0, ip6: 0 };
    let reason: string | undefined;
    let known = new Set<string>();
    for (let scans = 0; scans < MAX_SCANS && !this.#isStopping; scans++) {
      const groups = await this.#find();
      if (groups.length === 0) return { deleted, reason };
      reason ??= groups[0]?.reason;
      await this.#delete(
        groups.filter(({ first, reason }) => !isTranslated(first) || known.has(reason)),
        deleted,
      );
      known = new Set(groups.map((group) => group.reason));
      await clock.sleep(ANSWER_GRACE_MS);
    }
    if (!this.#isStopping) this.#runner.request();
    return { deleted, reason };
  }

  /** The stale attempts of both states, the largest groups first. */
  async #find(): Promise<readonly FoundGroup[]> {
    const { engine, conntrack } = this.#options;
    const found: FoundGroup[] = [];
    for (const state of STATES) {
      const stale = new StaleGroups();
      const context = { ...this.#context(state), cache: new Map() };
      for (const family of engine.node.families) {
        await conntrack.list({ family, protocol: 'tcp', state }, (entry) => {
          const reason = staleAttemptReason(entry, context);
          if (reason !== undefined) stale.add(entry, reason);
        });
      }
      found.push(...stale.list().map((group) => ({ ...group, state })));
    }
    return found.toSorted((a, b) => b.count - a.count);
  }

  async #delete(groups: readonly FoundGroup[], deleted: Record<Family, number>): Promise<void> {
    const until = this.#options.clock.now() + MAX_DELETION_MS;
    for (const state of STATES) {
      const context = this.#context(state);
      const counts = await this.#deletions.delete(
        groups.filter((group) => group.state === state),
        {
          selection: { protocol: 'tcp', state },
          isStale: (entry) => staleAttemptReason(entry, context) !== undefined,
          isOver: () => this.#isStopping || this.#options.clock.now() >= until,
        },
      );
      addCounts(deleted, counts);
    }
  }

  #context(state: AttemptState): AttemptContext {
    const { engine, hostAddresses } = this.#options;
    return { state, engine, nodeAddresses: allNodePortAddresses(engine.node, hostAddresses()) };
  }
}

function hasTcp(change: ServiceChange): boolean {
  return change.state === 'served' && change.service.ports.some(({ protocol }) => protocol === 'tcp');
}
