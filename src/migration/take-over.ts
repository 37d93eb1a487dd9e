// Taking kube-proxy's place: ours is complete first, then what it has left goes.
import type { SyncObserver, Troubles } from '../controller/observer.ts';
import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { reasonOf } from '../lib/reason.ts';
import type { KubeProxyLeftovers } from './kube-proxy.ts';
import { joinRemovals, type Removal, type Survey } from './layer.ts';

export interface TakeOverParts {
  /** `no` leaves what kube-proxy has left where it is, and says so. */
  readonly mode: 'auto' | 'no';
  readonly leftovers: Pick<KubeProxyLeftovers, 'find' | 'connections' | 'removeTables' | 'remove'>;
  /** How many Services there are. */
  readonly services: () => number;
  readonly log: Log;
  readonly clock: Clock;
  readonly times?: TakeOverTimes;
}

/** In milliseconds. */
export interface TakeOverTimes {
  /** How often it is looked whether connections through IPVS are over, or whether all Services are in the kernel. */
  readonly waitMs: number;
  /** When it is looked first whether kube-proxy is back; the pause doubles each time. */
  readonly firstLookMs: number;
  readonly longestPauseMs: number;
}

const TIMES: TakeOverTimes = { waitMs: 10_000, firstLookMs: 60_000, longestPauseMs: 1_800_000 };

/**
 * Nothing is removed before the ruleset is complete, every Service is in it, and there is one at all. Established
 * connections stay as they are: conntrack has their translation. A kube-proxy that still runs puts its rules back; that is
 * told, and they are removed again after pauses that double, for it may be on its way out.
 */
export class TakeOver implements SyncObserver {
  readonly #parts: TakeOverParts;
  readonly #times: TakeOverTimes;
  readonly #completed = Promise.withResolvers<void>();
  #refused: readonly string[] = [];
  readonly #told = new Set<string>();
  #hasRemoved = false;

  constructor(parts: TakeOverParts) {
    this.#parts = parts;
    this.#times = parts.times ?? TIMES;
  }

  completed(): void {
    this.#completed.resolve();
  }

  troubled({ refused }: Troubles): void {
    this.#refused = refused.map(({ service }) => service);
  }

  /** Works until the signal aborts. Never rejects: a take-over that fails leaves the data plane as it is. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#completed.resolve(), { once: true });
    if (!signal.aborted) await this.#completed.promise;
    let pause = this.#times.firstLookMs;
    while (!signal.aborted) {
      try {
        await this.#look(signal);
      } catch (error) {
        const reason = reasonOf(error);
        this.#tellOnce('warn', 'cannot look for what kube-proxy has left', { reason });
      }
      await this.#sleep(pause, signal);
      pause = Math.min(pause * 2, this.#times.longestPauseMs);
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { leftovers, mode } = this.#parts;
    const found = await leftovers.find();
    for (const obstacle of found.obstacles) this.#tellOnce('warn', 'kube-proxy may have left something', { obstacle });
    if (found.leftovers.length === 0) return;
    if (mode === 'no') return this.#tellKept(found);
    this.#tellOnce('info', 'found what kube-proxy has left', { leftovers: found.leftovers.join('; ') });
    await this.#untilSafe(signal);
    if (signal.aborted) return;
    const tables = await leftovers.removeTables();
    if ((await leftovers.connections()) > 0) {
      this.#report(tables);
      await this.#untilDrained(signal);
      if (!signal.aborted) this.#report(await leftovers.remove({ keepAccepting: true }));
      return;
    }
    this.#report(joinRemovals([tables, await leftovers.remove({ keepAccepting: true })]));
  }

  #tellKept({ leftovers }: Survey): void {
    const advice =
      'the rules of two proxies are here; to remove what kube-proxy has left: nftlane cleanup --kube-proxy';
    const details = { leftovers: leftovers.join('; '), advice };
    this.#tellOnce('warn', 'what kube-proxy has left stays, for taking over is switched off', details);
  }

  /** A Service that only kube-proxy serves must not lose its rules. */
  async #untilSafe(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const reason = this.#doubt();
      if (reason === undefined) return;
      this.#tellOnce('warn', "kube-proxy's rules stay for now", { reason });
      await this.#sleep(this.#times.waitMs, signal);
    }
  }

  #doubt(): string | undefined {
    if (this.#parts.services() === 0) return 'no Service is known: is this the right cluster, may they be read?';
    if (this.#refused.length === 0) return undefined;
    return `the kernel has refused ${this.#refused.slice(0, 5).join(', ')}`;
  }

  async #untilDrained(signal: AbortSignal): Promise<void> {
    for (let told = false; !signal.aborted; told = true) {
      const connections = await this.#parts.leftovers.connections();
      if (connections === 0) return;
      const note = 'they would end with its virtual servers; to end them now: nftlane cleanup --kube-proxy';
      if (!told) this.#parts.log.info('waiting for connections through ipvs to end', { connections, note });
      await this.#sleep(this.#times.waitMs, signal);
    }
  }

  #report({ removed, kept, obstacles }: Removal): void {
    const { log } = this.#parts;
    if (removed.length > 0) {
      const details = { removed: removed.join('; ') };
      if (!this.#hasRemoved) log.info("taken over: kube-proxy's rules are removed", details);
      else log.warn("kube-proxy's rules were back, and are removed again: does it still run? Stop it", details);
      this.#hasRemoved = true;
    }
    for (const chain of kept) this.#tellOnce('info', "a chain of kube-proxy's stays", { chain });
    for (const obstacle of obstacles) this.#tellOnce('warn', "cannot remove all of kube-proxy's", { obstacle });
  }

  #tellOnce(level: 'info' | 'warn', message: string, details: Readonly<Record<string, unknown>>): void {
    const text = JSON.stringify([message, details]);
    if (!this.#told.has(text)) this.#parts.log[level](message, details);
    this.#told.add(text);
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    await this.#parts.clock.sleep(ms, signal);
  }
}
