// Follows changes of our tables by other processes from the initial load on, and passes them to the controller.

import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import type { Family } from '../../net/family.ts';
import { type MonitorGap, NftMonitor, type NftMonitorStatus } from '../../nftables/client/monitor/nft-monitor.ts';
import type { NftClient } from '../../nftables/client/nft-client.ts';
import type { RulesetCommit } from '../../nftables/syntax/notification.ts';

interface RulesetMonitorOptions {
  /** The nft program. */
  readonly command: string;
  readonly nftClient: Pick<NftClient, 'probe' | 'sent'>;
  /** A family that has a table. */
  readonly family: Family;
  readonly onCommit: (commit: RulesetCommit) => void;
  /** Changes may have been missed. */
  readonly onGap: (gap: MonitorGap) => void;
  readonly log: Log;
  readonly clock: Clock;
}

/** A sync with more transactions is a load. Others have at most 5,000 operations, or a few pieces of a large change. */
const MAX_LISTENED_TRANSACTIONS = 4;
const OVERFLOW_LOG_INTERVAL_MS = 10_000;
const RESUMED_LOG_INTERVAL_MS = 60_000;

/**
 * Starts after the initial load, and pauses during other large ones, such as the repair of a flushed ruleset: the monitor would
 * print each of their elements, 20 µs of the second core for each, and the kernel would drop notifications that it does not read
 * in time. Changes until it listens are found by the check that follows, and by the number of transactions.
 */
export class RulesetMonitor {
  readonly #monitor: NftMonitor;
  readonly #log: Log;
  readonly #loaded = Promise.withResolvers<void>();
  #loggedReason = '';
  #loggedOverflowAt = Number.NEGATIVE_INFINITY;
  #loggedResumedAt = Number.NEGATIVE_INFINITY;

  constructor({ command, nftClient, family, onCommit, onGap, log, clock }: RulesetMonitorOptions) {
    this.#log = log;
    this.#monitor = new NftMonitor({
      command,
      clock,
      probe: () => nftClient.probe(family),
      sent: () => nftClient.sent,
      onCommit,
      onGap: (gap) => {
        if (gap === 'overflow') this.#logOverflow(clock.now());
        if (gap === 'unread') log.info('a table was changed without a notification; listing the ruleset');
        onGap(gap);
      },
      onResume: () => this.#logResumed(clock.now()),
      onState: (status) => this.#logState(status),
    });
  }

  /** Observes the syncs, as the next two. */
  async beforeApply(_services: unknown, { transactions }: { readonly transactions: number }): Promise<void> {
    if (transactions > MAX_LISTENED_TRANSACTIONS) this.#monitor.pause();
  }

  committed({ isInitial }: { readonly isInitial: boolean }): void {
    if (isInitial) this.#loaded.resolve();
    this.#monitor.resume();
  }

  failed(): void {
    this.#monitor.resume();
  }

  get status(): NftMonitorStatus {
    return this.#monitor.status;
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#loaded.resolve(), { once: true });
    await this.#loaded.promise;
    await this.#monitor.run(signal);
  }

  #logOverflow(now: number): void {
    if (now - this.#loggedOverflowAt < OVERFLOW_LOG_INTERVAL_MS) return;
    this.#loggedOverflowAt = now;
    this.#log.warn('too many kernel notifications of ruleset changes; listing the ruleset');
  }

  #logResumed(now: number): void {
    if (now - this.#loggedResumedAt < RESUMED_LOG_INTERVAL_MS) return;
    this.#loggedResumedAt = now;
    this.#log.warn('nft monitor was stopped; continuing it');
  }

  /** Logs each reason once until the monitor listens again. */
  #logState({ state, reason }: NftMonitorStatus): void {
    if (state === 'listening') {
      this.#log.info('listening to kernel notifications of ruleset changes');
      this.#loggedReason = '';
    }
    if (state !== 'silent' || reason === this.#loggedReason) return;
    this.#log.warn('no kernel notifications of ruleset changes; restarting nft monitor', { reason });
    this.#loggedReason = reason;
  }
}
