// Deletes stale UDP conntrack entries: the rules apply to new flows only, so existing flows keep their old destination.

import type { Commit, SyncObserver } from '../../controller/sync-observer.ts';
import type { Engine } from '../../engine/engine.ts';
import type { ServiceChange } from '../../engine/service-change.ts';
import type { Log } from '../../host/log.ts';
import { LogOnce } from '../../host/log-once.ts';
import type { Address } from '../../net/address.ts';
import { allNodePortAddresses } from '../../services/model/node-port-addresses.ts';
import { type CleanerOptions, type CleanupReport, CleanupRunner } from '../cleanup-runner.ts';
import { isTranslated } from '../conntrack-entry.ts';
import { type Deleted, StaleDeletions } from '../stale-deletions.ts';
import type { StaleGroup } from '../stale-groups.ts';
import { ReversedFlows } from './reversed-flows.ts';
import { type ExpectedState, StaleFlows, staleReason } from './stale-flows.ts';
import { UdpFrontendTracker } from './udp-frontend-tracker.ts';
import { udpFrontendsOf } from './udp-frontends.ts';

interface FlowCleanerOptions extends CleanerOptions {
  readonly engine: Pick<Engine, 'node'>;
  /** The current addresses of the host's interfaces. */
  readonly hostAddresses: () => readonly Address[];
  readonly log: Log;
}

/**
 * The time between the change that made a flow stale and its deletion. A reply in transit needs the entry: without it, the
 * client would see the reply come from an unknown address.
 */
const REPLY_GRACE_MS = 300;

/** The maximum number of scans in one cleanup, for flows that replies recreate: a busy client takes two or three. */
const MAX_SCANS = 8;

/** Of a core. Until a flow is deleted, its packets are lost. */
const CPU_SHARE = 0.2;

/** Cleans up after each sync that changed UDP frontends or endpoints, or repaired the ruleset, one cleanup at a time. */
export class FlowCleaner implements SyncObserver {
  readonly #options: FlowCleanerOptions;
  readonly #tracker = new UdpFrontendTracker();
  readonly #reversed = new ReversedFlows();
  readonly #runner: CleanupRunner;
  readonly #deletions: StaleDeletions;

  constructor(options: FlowCleanerOptions) {
    this.#options = options;
    this.#deletions = new StaleDeletions(options.conntrack);
    this.#runner = new CleanupRunner({
      ...options,
      cleanUp: (requestedAt) => this.#cleanUp(requestedAt),
      delayMs: REPLY_GRACE_MS,
      cpuShare: CPU_SHARE,
      report: reportTo(options.log),
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
    return this.#runner.run(signal);
  }

  /** Scans again, after a pause, while it deletes flows that replies may recreate. */
  async #cleanUp(cutoff: number): Promise<Deleted> {
    const { clock } = this.#options;
    const { frontends, uncommitted, removed, addedAt } = this.#tracker;
    const { engine, hostAddresses } = this.#options;
    const nodeAddresses = allNodePortAddresses(engine.node, hostAddresses());
    const expected = { frontends, uncommitted, removed, addedAt, cutoff, nodeAddresses, reversed: this.#reversed };
    this.#reversed.prune(clock.now());
    const result: Deleted = { deleted: { ip: 0, ip6: 0 }, reason: undefined };
    let isComplete = true;
    for (let scans = 0; scans < MAX_SCANS && !this.#runner.isStopping; scans++) {
      if (scans > 0) await clock.sleep(REPLY_GRACE_MS);
      const groups = await this.#find(expected);
      isComplete = await this.#delete(groups, { expected, result });
      if (!isComplete || groups.every(({ first }) => isTranslated(first))) break;
    }
    const isMorePending = !isComplete || this.#tracker.prune(cutoff);
    if (isMorePending || this.#reversed.size > 0) this.#runner.request();
    return result;
  }

  async #find(expected: ExpectedState): Promise<readonly StaleGroup[]> {
    const flows = new StaleFlows();
    for (const family of this.#options.engine.node.families) {
      await this.#options.conntrack.listFlows(family, (entry) => flows.check(entry, expected));
    }
    const now = this.#options.clock.now();
    for (const flow of flows.untranslated) this.#reversed.record(flow, now);
    return flows.groups();
  }

  /** Returns whether no group is left. */
  async #delete(
    groups: readonly StaleGroup[],
    { expected, result }: { readonly expected: ExpectedState; readonly result: Deleted },
  ): Promise<boolean> {
    const left = await this.#deletions.delete(groups, {
      result,
      isStale: (entry) => staleReason(entry, expected) !== undefined,
      isOver: () => this.#runner.isOver,
    });
    return left.length === 0;
  }
}

function reportTo(log: Log): CleanupReport {
  const failures = new LogOnce(log);
  return {
    deleted: (fields) => log.info('deleted stale UDP conntrack entries', fields),
    failed: (fields) => failures.log('warn', 'cannot delete stale UDP conntrack entries', fields),
    missing: (fields) => failures.log('warn', 'stale UDP conntrack entries are not deleted', fields),
    succeeded: () => {
      if (failures.reset()) log.info('stale UDP conntrack entries are deleted again');
    },
  };
}
