// Taking kube-proxy's place: ours is complete first, then what it has left goes.
import type { Commit, SyncObserver } from '../controller/sync-observer.ts';
import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { LogOnce } from '../host/log-once.ts';
import { Backoff } from '../lib/backoff.ts';
import { errorMessage } from '../lib/error-message.ts';
import type { KubeProxyLeftovers } from './kube-proxy-leftovers.ts';
import { type FindResult, mergeRemovalResults, type RemovalResult } from './leftover-cleaner.ts';

export interface TakeOverOptions {
  /** `no` leaves what kube-proxy has left where it is, and says so. */
  readonly mode: 'auto' | 'no';
  readonly leftovers: Pick<KubeProxyLeftovers, 'find' | 'countIpvsConnections' | 'removeTables' | 'remove'>;
  /** How many Services there are. */
  readonly serviceCount: () => number;
  readonly log: Log;
  readonly clock: Clock;
  readonly times?: TakeOverTimes;
}

/** In milliseconds. */
export interface TakeOverTimes {
  /** How often it is looked whether connections through IPVS are over, or whether all Services are in the kernel. */
  readonly pollMs: number;
  /** When it is looked first whether kube-proxy is back; the pause doubles each time. */
  readonly firstRecheckMs: number;
  readonly maxRecheckMs: number;
}

const DEFAULT_TIMES: TakeOverTimes = { pollMs: 10_000, firstRecheckMs: 60_000, maxRecheckMs: 1_800_000 };

/**
 * Nothing is removed before the ruleset is complete, every Service is in it, and there is one at all. Established
 * connections stay as they are: conntrack has their translation. A kube-proxy that still runs puts its rules back; that is
 * told, and they are removed again after pauses that double, for it may be on its way out.
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

  /** Works until the signal aborts. Never rejects: a take-over that fails leaves the data plane as it is. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#completed.resolve(), { once: true });
    if (!signal.aborted) await this.#completed.promise;
    const pauses = new Backoff({ minMs: this.#times.firstRecheckMs, maxMs: this.#times.maxRecheckMs });
    while (!signal.aborted) {
      try {
        await this.#reconcile(signal);
      } catch (error) {
        const reason = errorMessage(error);
        this.#once.log('warn', 'cannot look for what kube-proxy has left', { reason });
      }
      await this.#sleep(pauses.next(), signal);
    }
  }

  async #reconcile(signal: AbortSignal): Promise<void> {
    const { leftovers, mode } = this.#options;
    const found = await leftovers.find();
    for (const reason of found.failures) this.#once.log('warn', 'kube-proxy may have left something', { reason });
    if (found.leftovers.length === 0) return;
    if (mode === 'no') return this.#logKept(found);
    this.#once.log('info', 'found what kube-proxy has left', { leftovers: found.leftovers.join('; ') });
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
    const advice =
      'the rules of two proxies are here; to remove what kube-proxy has left: nftlane cleanup --kube-proxy';
    const details = { leftovers: leftovers.join('; '), advice };
    this.#once.log('warn', 'what kube-proxy has left stays, for taking over is switched off', details);
  }

  /** A Service that only kube-proxy serves must not lose its rules. */
  async #waitUntilSafe(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const reason = this.#unsafeReason();
      if (reason === undefined) return;
      this.#once.log('warn', "kube-proxy's rules stay for now", { reason });
      await this.#sleep(this.#times.pollMs, signal);
    }
  }

  #unsafeReason(): string | undefined {
    if (this.#options.serviceCount() === 0) return 'no Service is known: is this the right cluster, may they be read?';
    if (this.#refusedServices.length === 0) return undefined;
    return `the kernel has refused ${this.#refusedServices.slice(0, 5).join(', ')}`;
  }

  async #waitForIpvsDrain(signal: AbortSignal): Promise<void> {
    for (let logged = false; !signal.aborted; logged = true) {
      const connections = await this.#options.leftovers.countIpvsConnections();
      if (connections === 0) return;
      const note = 'they would end with its virtual servers; to end them now: nftlane cleanup --kube-proxy';
      if (!logged) this.#options.log.info('waiting for connections through ipvs to end', { connections, note });
      await this.#sleep(this.#times.pollMs, signal);
    }
  }

  #logRemoval({ removed, kept, failures }: RemovalResult): void {
    const { log } = this.#options;
    if (removed.length > 0) {
      const details = { removed: removed.join('; ') };
      if (!this.#hasRemoved) log.info("taken over: kube-proxy's rules are removed", details);
      else log.warn("kube-proxy's rules were back, and are removed again: does it still run? Stop it", details);
      this.#hasRemoved = true;
    }
    for (const chain of kept) this.#once.log('info', "a chain of kube-proxy's stays", { chain });
    for (const reason of failures) this.#once.log('warn', "cannot remove all of kube-proxy's", { reason });
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(ms, signal);
  }
}
