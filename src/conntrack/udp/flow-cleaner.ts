// Deletes stale UDP conntrack entries: the rules apply to new flows only, so existing flows keep their old destination.

import { BoundedFrequencyRunner } from '../../controller/bounded-frequency-runner.ts';
import type { Commit, SyncObserver } from '../../controller/sync-observer.ts';
import type { Engine } from '../../engine/engine.ts';
import type { ServiceChange } from '../../engine/service-change.ts';
import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import { LogOnce } from '../../host/log-once.ts';
import { errorMessage } from '../../lib/error-message.ts';
import type { Address } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import { allNodePortAddresses } from '../../services/model/node-port-addresses.ts';
import { type Conntrack, ConntrackError } from '../conntrack.ts';
import { isTranslated } from '../conntrack-entry.ts';
import { addCounts, StaleDeletions } from '../stale-deletions.ts';
import type { StaleGroup } from '../stale-groups.ts';
import { ReversedFlows } from './reversed-flows.ts';
import { type ExpectedState, StaleFlows, staleReason } from './stale-flows.ts';
import { UdpFrontendTracker } from './udp-frontend-tracker.ts';
import { udpFrontendsOf } from './udp-frontends.ts';

export interface FlowCleanerOptions {
  readonly engine: Pick<Engine, 'node'>;
  readonly conntrack: Pick<Conntrack, 'list' | 'delete'>;
  /** The current addresses of the host's interfaces. */
  readonly hostAddresses: () => readonly Address[];
  readonly log: Log;
  readonly clock: Clock;
  readonly onCleanup?: (run: CleanupResult) => void;
  /** A cleanup failed, which only the first time logs. */
  readonly onFailure?: () => void;
}

/** A cleanup that succeeded. */
export interface CleanupResult {
  /** Includes the pauses between scans. */
  readonly durationMs: number;
  /** Deleted entries. */
  readonly deleted: Readonly<Record<Family, number>>;
}

/** A single change is cleaned up after the grace period; a stream of changes causes at most two scans a second. */
const MIN_INTERVAL_MS = 500;

/**
 * The time between the change that made a flow stale and its deletion. A reply in transit needs the entry: without it, the
 * client would see the reply come from an unknown address.
 */
const REPLY_GRACE_MS = 300;

/** The maximum number of scans in one cleanup, for flows that replies recreate: a busy client takes two or three. */
const MAX_SCANS = 8;

/** Cleans up after each sync that changed UDP frontends or endpoints, or repaired the ruleset, one cleanup at a time. */
export class FlowCleaner implements SyncObserver {
  readonly #options: FlowCleanerOptions;
  readonly #tracker = new UdpFrontendTracker();
  readonly #reversed = new ReversedFlows();
  readonly #runner: BoundedFrequencyRunner;
  readonly #failures: LogOnce;
  readonly #deletions: StaleDeletions;
  #isStopping = false;

  constructor(options: FlowCleanerOptions) {
    this.#options = options;
    const { log, clock, conntrack } = options;
    this.#deletions = new StaleDeletions(conntrack);
    this.#failures = new LogOnce(log);
    const onFailure = (error: unknown, retryInMs: number): void => {
      const fields = { reason: errorMessage(error), retryInMs };
      options.onFailure?.();
      this.#failures.log('warn', 'cannot delete stale UDP conntrack entries', fields);
    };
    this.#runner = new BoundedFrequencyRunner({
      task: () => this.#run(),
      onFailure,
      clock,
      minIntervalMs: MIN_INTERVAL_MS,
    });
  }

  /**
   * The kernel has the changes of these Services, which were passed to {@link beforeApply}. While another process had changed
   * the ruleset, flows of any Service may have begun without translation.
   */
  committed({ at, services, isRepair }: Pick<Commit, 'at' | 'services' | 'isRepair'>): void {
    const keys = new Set(services.map(({ key }) => key));
    const hasChanged = this.#tracker.committed(at, (service) => keys.has(service));
    if (hasChanged || (isRepair && this.#tracker.frontends.size > 0)) this.#runner.request();
  }

  /** Resolves when no deletion is running of flows that the coming sync makes valid. */
  async beforeApply(services: readonly ServiceChange[]): Promise<void> {
    const now = this.#options.clock.now();
    for (const change of services) {
      // Established flows of a refused Service are kept.
      if (change.state !== 'refused') this.#tracker.compiled(change.key, udpFrontendsOf(change), now);
    }
    await this.#deletions.abortIfValid();
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
    const cutoff = clock.now();
    await clock.sleep(REPLY_GRACE_MS);
    const startedAt = clock.now();
    try {
      const { deleted, reason } = await this.#cleanUp(cutoff);
      const count = deleted.ip + deleted.ip6;
      const durationMs = clock.now() - startedAt;
      this.#options.onCleanup?.({ durationMs, deleted });
      if (count > 0)
        log.info('deleted stale UDP conntrack entries', { count, durationMs: Math.round(durationMs), reason });
      this.#failures.reset();
    } catch (error) {
      if (!(error instanceof ConntrackError && error.kind === 'missing')) throw error;
      // Without the program no retry can help.
      this.#options.onFailure?.();
      this.#failures.log('warn', 'stale UDP conntrack entries are not deleted', { reason: error.message });
    }
    const isMorePending = this.#tracker.prune(cutoff);
    if (isMorePending || this.#reversed.size > 0) this.#runner.request();
  }

  /** Scans again, after a pause, while it deletes flows that replies may recreate. */
  async #cleanUp(cutoff: number): Promise<{ deleted: CleanupResult['deleted']; reason: string | undefined }> {
    const { clock } = this.#options;
    const { frontends, uncommitted, removed, addedAt } = this.#tracker;
    const { engine, hostAddresses } = this.#options;
    const nodeAddresses = allNodePortAddresses(engine.node, hostAddresses());
    const expected = { frontends, uncommitted, removed, addedAt, cutoff, nodeAddresses, reversed: this.#reversed };
    this.#reversed.prune(clock.now());
    const deleted = { ip: 0, ip6: 0 };
    let reason: string | undefined;
    for (let scans = 0; scans < MAX_SCANS && !this.#isStopping; scans++) {
      if (scans > 0) await clock.sleep(REPLY_GRACE_MS);
      const groups = await this.#find(expected);
      addCounts(deleted, await this.#delete(groups, expected));
      reason ??= groups[0]?.reason;
      if (groups.every(({ first }) => isTranslated(first))) break;
    }
    return { deleted, reason };
  }

  async #find(expected: ExpectedState): Promise<readonly StaleGroup[]> {
    const flows = new StaleFlows();
    for (const family of this.#options.engine.node.families) {
      await this.#options.conntrack.list({ family, protocol: 'udp' }, (entry) => flows.check(entry, expected));
    }
    const now = this.#options.clock.now();
    for (const flow of flows.untranslated) this.#reversed.record(flow, now);
    return flows.groups();
  }

  #delete(groups: readonly StaleGroup[], expected: ExpectedState): Promise<Record<Family, number>> {
    return this.#deletions.delete(groups, {
      selection: { protocol: 'udp' },
      isStale: (entry) => staleReason(entry, expected) !== undefined,
      isOver: () => this.#isStopping,
    });
  }
}
