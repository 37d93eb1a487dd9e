// Removing UDP flows that still go where no Service sends them: the kernel asks the rules for new flows only.

import { BoundedFrequencyRunner } from '../controller/bounded-frequency-runner.ts';
import type { Commit, SyncObserver } from '../controller/sync-observer.ts';
import type { Engine } from '../engine/engine.ts';
import type { ServiceChange } from '../engine/service-change.ts';
import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { LogOnce } from '../host/log-once.ts';
import { errorMessage } from '../lib/error-message.ts';
import type { Address } from '../net/address.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import { LOCALHOST, nodePortAddresses } from '../services/model/node-port-addresses.ts';
import { type Conntrack, ConntrackError } from './conntrack.ts';
import { isTranslated } from './conntrack-entry.ts';
import { ReversedFlows } from './reversed-flows.ts';
import { type ExpectedState, StaleFlows, type StaleGroup, staleReason } from './stale-flows.ts';
import { UdpFrontendTracker } from './udp-frontend-tracker.ts';
import { udpFrontendsOf } from './udp-frontends.ts';

export interface FlowCleanerParts {
  readonly engine: Pick<Engine, 'node'>;
  readonly conntrack: Pick<Conntrack, 'list' | 'delete'>;
  /** The addresses of the host's interfaces, as they are now. */
  readonly hostAddresses: () => readonly Address[];
  readonly log: Log;
  readonly clock: Clock;
  readonly onCleanup?: (run: CleanupResult) => void;
}

/** One clean-up that succeeded. */
export interface CleanupResult {
  /** Pauses between several looks included. */
  readonly ms: number;
  /** Flows that were removed. */
  readonly deleted: Readonly<Record<Family, number>>;
}

/** A lone change is cleaned up after as soon as it has settled; a stream of them costs at most two scans a second. */
const MIN_INTERVAL_MS = 500;

/**
 * What was asked just before a change is still answered: without its entry an answer on its way would reach the client
 * from an address that it does not know. Each flow has so long from the change that made it stale.
 */
const REPLY_GRACE_MS = 300;

/** At most this many looks in one clean-up, for flows that answers open anew: a busy client takes two or three. */
const MAX_SCANS = 8;

/** A program that deletes, for as long as it runs. */
interface Deletion {
  readonly group: StaleGroup;
  readonly expected: ExpectedState;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

/** Cleans up after each sync that changed where UDP flows go, never twice at once. */
export class FlowCleaner implements SyncObserver {
  readonly #parts: FlowCleanerParts;
  readonly #tracker = new UdpFrontendTracker();
  readonly #reversed = new ReversedFlows();
  readonly #runner: BoundedFrequencyRunner;
  readonly #failures: LogOnce;
  #stopping = false;
  #deletion: Deletion | undefined;

  constructor(parts: FlowCleanerParts) {
    this.#parts = parts;
    const { log, clock } = parts;
    this.#failures = new LogOnce(log);
    const onFailure = (error: unknown, retryInMs: number): void => {
      const fields = { reason: errorMessage(error), retryInMs };
      this.#failures.log('warn', 'cannot remove stale UDP conntrack entries', fields);
    };
    this.#runner = new BoundedFrequencyRunner({
      task: () => this.#run(),
      onFailure,
      clock,
      minIntervalMs: MIN_INTERVAL_MS,
    });
  }

  /** The kernel holds what was passed to {@link beforeApply}. */
  committed({ at }: Pick<Commit, 'at'>): void {
    if (this.#tracker.committed(at)) this.#runner.request();
  }

  /**
   * A sync is about to be applied. Resolves when nothing is deleted any more that it makes healthy: several flows go by
   * what they have in common, and a new one of an endpoint that returns would go with them.
   */
  async beforeApply(services: readonly ServiceChange[]): Promise<void> {
    const now = this.#parts.clock.now();
    for (const change of services) {
      // Established flows of a Service that the kernel refused keep their endpoints.
      if (change.state !== 'refused') this.#tracker.compiled(change.key, udpFrontendsOf(change), now);
    }
    const deletion = this.#deletion;
    if (deletion === undefined || staleReason(deletion.group.first, deletion.expected) !== undefined) return;
    deletion.abort.abort();
    await deletion.ended;
  }

  /** Works until the signal aborts; what is left to delete then stays. */
  run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => {
      this.#stopping = true;
    });
    return this.#runner.run(signal);
  }

  async #run(): Promise<void> {
    const { log, clock } = this.#parts;
    const cutoff = clock.now();
    await clock.sleep(REPLY_GRACE_MS);
    const started = clock.now();
    try {
      const { deleted, reason } = await this.#cleanUp(cutoff);
      const count = deleted.ip + deleted.ip6;
      const ms = clock.now() - started;
      this.#parts.onCleanup?.({ ms, deleted });
      if (count > 0) log.info('removed stale UDP conntrack entries', { count, durationMs: Math.round(ms), reason });
      this.#failures.reset();
    } catch (error) {
      if (!(error instanceof ConntrackError && error.kind === 'missing')) throw error;
      // Without the program there is nothing to be done, and nothing to remember for later.
      this.#failures.log('warn', 'stale UDP conntrack entries are not removed', { reason: error.message });
    }
    const isMorePending = this.#tracker.prune(cutoff);
    if (isMorePending || this.#reversed.size > 0) this.#runner.request();
  }

  /** Looks again after a pause as long as there is something that answers may open anew. */
  async #cleanUp(cutoff: number): Promise<{ deleted: CleanupResult['deleted']; reason: string | undefined }> {
    const { clock } = this.#parts;
    const { frontends, uncommitted, removed, addedAt } = this.#tracker;
    const nodeAddresses = this.#nodeAddresses();
    const expected = { frontends, uncommitted, removed, addedAt, cutoff, nodeAddresses, reversed: this.#reversed };
    this.#reversed.prune(clock.now());
    const deleted = { ip: 0, ip6: 0 };
    let reason: string | undefined;
    for (let scans = 0; scans < MAX_SCANS && !this.#stopping; scans++) {
      if (scans > 0) await clock.sleep(REPLY_GRACE_MS);
      const groups = await this.#find(expected);
      const counts = await this.#delete(groups, expected);
      for (const family of FAMILIES) deleted[family] += counts[family];
      reason ??= groups[0]?.reason;
      if (groups.every(({ first }) => isTranslated(first))) break;
    }
    return { deleted, reason };
  }

  async #find(expected: ExpectedState): Promise<readonly StaleGroup[]> {
    const flows = new StaleFlows();
    for (const family of this.#parts.engine.node.families) {
      await this.#parts.conntrack.list(family, (entry) => flows.check(entry, expected));
    }
    const now = this.#parts.clock.now();
    for (const flow of flows.untranslated) this.#reversed.record(flow, now);
    return flows.groups();
  }

  /** Each group is judged again: a Service may have changed since it was listed. */
  async #delete(groups: readonly StaleGroup[], expected: ExpectedState): Promise<Record<Family, number>> {
    const deleted = { ip: 0, ip6: 0 };
    for (const group of groups) {
      if (this.#stopping) break;
      if (staleReason(group.first, expected) === undefined) continue;
      const abort = new AbortController();
      const deleting = this.#parts.conntrack.delete(group, abort.signal);
      this.#deletion = { group, expected, abort, ended: deleting.then(nothing, nothing) };
      try {
        deleted[group.first.family] += await deleting;
      } finally {
        this.#deletion = undefined;
      }
    }
    return deleted;
  }

  #nodeAddresses(): ReadonlySet<Address> {
    const { engine, hostAddresses } = this.#parts;
    const host = hostAddresses();
    const addresses = FAMILIES.flatMap((family) => nodePortAddresses(engine.node, family, host));
    return new Set([...addresses, ...(engine.node.localhostNodePorts ? [LOCALHOST] : [])]);
  }
}

function nothing(): void {}
