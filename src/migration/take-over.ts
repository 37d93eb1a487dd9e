// Takes over from kube-proxy: removes its leftovers once the ruleset of nftlane is complete.

import type { Commit, SyncObserver } from '../controller/sync-observer.ts';
import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { LogOnce } from '../host/log-once.ts';
import { Backoff } from '../lib/backoff.ts';
import { errorMessage } from '../lib/error-message.ts';
import type { KubeProxyLeftovers } from './kube-proxy-leftovers.ts';
import { type FindResult, mergeRemovalResults, type RemovalResult } from './leftover-cleaner.ts';

interface TakeOverOptions {
  /** `no` keeps the leftovers of kube-proxy and logs a warning. */
  readonly mode: 'auto' | 'no';
  readonly leftovers: Pick<KubeProxyLeftovers, 'find' | 'countIpvsConnections' | 'removeTables' | 'remove'>;
  readonly serviceCount: () => number;
  readonly log: Log;
  readonly clock: Clock;
  readonly times?: TakeOverTimes;
}

/** In milliseconds. */
interface TakeOverTimes {
  /** Interval for checking whether connections through IPVS have ended, and whether all Services are in the kernel. */
  readonly pollMs: number;
  /** Delay of the first check for new leftovers of kube-proxy; doubles each time. */
  readonly firstRecheckMs: number;
  readonly maxRecheckMs: number;
}

const DEFAULT_TIMES: TakeOverTimes = { pollMs: 10_000, firstRecheckMs: 60_000, maxRecheckMs: 1_800_000 };

/**
 * Removes nothing before the ruleset is complete, contains every Service, and there is at least one Service. Established
 * connections are not affected: their translation is in conntrack. If kube-proxy still runs and restores its rules, they are
 * removed again with a warning, after delays that double, because it may be about to exit.
 */
export class TakeOver implements SyncObserver {
  readonly #options: TakeOverOptions;
  readonly #times: TakeOverTimes;
  readonly #completed = Promise.withResolvers<void>();
  #refusedServices: readonly string[] = [];
  readonly #once: LogOnce;
  #hasRemoved = false;

  constructor(options: TakeOverOptions) {
    this.#options = options;
    this.#once = new LogOnce(options.log);
    this.#times = options.times ?? DEFAULT_TIMES;
  }

  committed({ problems, isInitial }: Pick<Commit, 'problems' | 'isInitial'>): void {
    this.#refusedServices = problems.refused.map(({ service }) => service);
    if (isInitial) this.#completed.resolve();
  }

  /** Runs until the signal aborts. Never rejects: a failed take-over leaves the data plane unchanged. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#completed.resolve(), { once: true });
    if (!signal.aborted) await this.#completed.promise;
    const pauses = new Backoff({ minMs: this.#times.firstRecheckMs, maxMs: this.#times.maxRecheckMs });
    while (!signal.aborted) {
      try {
        await this.#reconcile(signal);
      } catch (error) {
        const reason = errorMessage(error);
        this.#once.log('warn', 'cannot look for leftovers of kube-proxy', { reason });
      }
      await this.#sleep(pauses.next(), signal);
    }
  }

  async #reconcile(signal: AbortSignal): Promise<void> {
    const { leftovers, mode } = this.#options;
    const found = await leftovers.find();
    for (const reason of found.failures)
      this.#once.log('warn', 'cannot check for some leftovers of kube-proxy', { reason });
    if (found.leftovers.length === 0) return;
    if (mode === 'no') return this.#logKept(found);
    this.#once.log('info', 'found leftovers of kube-proxy', { leftovers: found.leftovers.join('; ') });
    await this.#waitUntilSafe(signal);
    if (signal.aborted) return;
    const tables = await leftovers.removeTables();
    if ((await leftovers.countIpvsConnections()) > 0) {
      this.#logRemoval(tables);
      await this.#waitForIpvsDrain(signal);
      if (!signal.aborted) this.#logRemoval(await leftovers.remove({ keepAccepting: true }));
      return;
    }
    this.#logRemoval(mergeRemovalResults([tables, await leftovers.remove({ keepAccepting: true })]));
  }

  #logKept({ leftovers }: FindResult): void {
    const details = {
      leftovers: leftovers.join('; '),
      effect: 'two proxies have rules on this node',
      hint: 'to remove those of kube-proxy, run: nftlane cleanup --kube-proxy',
    };
    this.#once.log('warn', 'take-over is disabled, keeping the leftovers of kube-proxy', details);
  }

  /** Waits until no Service depends on the rules of kube-proxy. */
  async #waitUntilSafe(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const reason = this.#unsafeReason();
      if (reason === undefined) return;
      this.#once.log('warn', 'keeping the leftovers of kube-proxy for now', { reason });
      await this.#sleep(this.#times.pollMs, signal);
    }
  }

  #unsafeReason(): string | undefined {
    if (this.#options.serviceCount() === 0)
      return 'there are no Services; check the cluster, and the permission to list Services';
    if (this.#refusedServices.length === 0) return undefined;
    return `the kernel refused ${this.#refusedServices.slice(0, 5).join(', ')}`;
  }

  async #waitForIpvsDrain(signal: AbortSignal): Promise<void> {
    for (let logged = false; !signal.aborted; logged = true) {
      const count = await this.#options.leftovers.countIpvsConnections();
      if (count === 0) return;
      const hint = 'removing the virtual servers breaks them; to do so now, run: nftlane cleanup --kube-proxy';
      if (!logged) this.#options.log.info('waiting for connections through IPVS to end', { count, hint });
      await this.#sleep(this.#times.pollMs, signal);
    }
  }

  #logRemoval({ removed, kept, failures }: RemovalResult): void {
    const { log } = this.#options;
    if (removed.length > 0) {
      const details = { removed: removed.join('; ') };
      const hint = 'kube-proxy may still run; stop it';
      if (!this.#hasRemoved) log.info('took over from kube-proxy and removed its leftovers', details);
      else log.warn('removed new leftovers of kube-proxy', { ...details, hint });
      this.#hasRemoved = true;
    }
    for (const chain of kept) this.#once.log('info', 'keeping a chain of kube-proxy', { chain });
    for (const reason of failures) this.#once.log('warn', 'cannot remove some leftovers of kube-proxy', { reason });
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(ms, signal);
  }
}
