// Holds back the first sync while it would take most Services from the kernel, and protects the tables meanwhile.

import type { Engine } from '../engine/engine.ts';
import type { Clock } from '../host/clock.ts';
import { inSlices } from '../host/in-slices.ts';
import type { Log } from '../host/log.ts';
import { LogOnce } from '../host/log-once.ts';
import { errorMessage } from '../lib/error-message.ts';
import type { Steps } from '../lib/steps.ts';
import type { KernelServices } from '../nftables/compile/kernel-services.ts';
import type { ListedTable } from '../nftables/syntax/listed-table.ts';
import type { RulesetClient } from './sync.ts';

/** Decides whether the first sync may begin. */
export interface StartGuard {
  /** Whether it may: no question is needed. */
  readonly mayStartNow: boolean;
  /** The same for a kernel with these Services. */
  mayStart(kernel: KernelServices): Steps<boolean>;
  /** The first sync is complete. */
  started(): void;
}

interface StartGateOptions {
  readonly engine: Engine;
  readonly nftClient: Pick<RulesetClient, 'list' | 'listTables' | 'protect'>;
  readonly guard: () => StartGuard | undefined;
  /** Requests another attempt. */
  readonly request: () => void;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
}

/** `opened` once, after it was closed. */
type GateState = 'open' | 'opened' | 'closed';

/** How often the source is compared with the kernel. */
const COMPARE_INTERVAL_MS = 1_000;
/** How often the tables are looked at: a listing without elements takes 15 ms. */
const CHECK_INTERVAL_MS = 10_000;
/** A listing of all elements can take seconds: it is repeated after a hundred times that, or this. */
const LIST_INTERVAL_MS = 60_000;
const LIST_PAUSE_FACTOR = 100;

/** An ordinary start passes it immediately, with what was listed anyway. */
export class StartGate {
  readonly #options: StartGateOptions;
  readonly #failures: LogOnce;
  #isOpen = false;
  #isClosed = false;
  #kernel: KernelServices | undefined;
  /** The tables, sets and maps of the kernel when they were last looked at. */
  #objects = '';
  #compareAt = Number.NEGATIVE_INFINITY;
  #checkAt = Number.NEGATIVE_INFINITY;
  #listAt = Number.NEGATIVE_INFINITY;

  constructor(options: StartGateOptions) {
    this.#options = options;
    this.#failures = new LogOnce(options.log);
  }

  /** Whether the first sync may begin. If not, another attempt follows. Rejects if the kernel cannot be listed at the start. */
  async pass(): Promise<GateState> {
    const { engine, clock } = this.#options;
    const guard = this.#options.guard();
    if (this.#isOpen || guard === undefined) return 'open';
    if (!guard.mayStartNow && clock.now() < this.#compareAt) return 'closed';
    if (!guard.mayStartNow && !(await this.#compare(guard))) {
      if (!this.#isClosed) await this.#options.nftClient.protect?.();
      this.#isClosed = true;
      this.#compareAt = clock.now() + COMPARE_INTERVAL_MS;
      setTimeout(this.#options.request, COMPARE_INTERVAL_MS).unref();
      return 'closed';
    }
    this.#isOpen = true;
    this.#kernel = undefined;
    if (!this.#isClosed) return 'open';
    // What others changed meanwhile was not notified.
    engine.invalidate();
    return 'opened';
  }

  async #compare(guard: StartGuard): Promise<boolean> {
    const kernel = this.#isClosed ? await this.#updated() : await this.#first();
    return inSlices(guard.mayStart(kernel));
  }

  async #first(): Promise<KernelServices> {
    if (!this.#options.engine.isKernelKnown) await this.#list();
    this.#kernel = await this.#services();
    return this.#kernel;
  }

  /** A failure leaves what was known: nothing is changed, so that a restart of the daemon would not help. */
  async #updated(): Promise<KernelServices> {
    const { clock, nftClient } = this.#options;
    if (this.#kernel !== undefined && clock.now() < this.#checkAt) return this.#kernel;
    try {
      const objects = describeObjects((await nftClient.listTables?.()) ?? []);
      if (this.#objects !== objects || clock.now() >= this.#listAt) await this.#list();
      this.#objects = objects;
      this.#kernel = await this.#services();
      await nftClient.protect?.();
      if (this.#failures.reset()) this.#options.log.info('looking at the ruleset again while the start is held');
    } catch (error) {
      this.#failures.log('warn', 'cannot look at the ruleset while the start is held', { reason: errorMessage(error) });
    }
    this.#checkAt = clock.now() + CHECK_INTERVAL_MS;
    return this.#kernel ?? new Map();
  }

  async #list(): Promise<void> {
    const { engine, nftClient, clock } = this.#options;
    const startedAt = clock.now();
    const listing = await nftClient.list();
    await inSlices(engine.adoptSteps(listing));
    const now = clock.now();
    this.#listAt = now + Math.max(LIST_INTERVAL_MS, LIST_PAUSE_FACTOR * (now - startedAt));
  }

  /** Of the families that this daemon serves: it does not change the table of another. */
  async #services(): Promise<KernelServices> {
    const { engine } = this.#options;
    const services = await inSlices(engine.servicesFound());
    return new Map([...services].filter(([family]) => engine.node.families.includes(family)));
  }
}

/** What a deletion of tables, sets or maps changes. */
function describeObjects(tables: readonly ListedTable[]): string {
  const names = tables.flatMap(({ family, setsAndMaps }) => [family, ...setsAndMaps.map(({ name }) => name)]);
  return names.sort().join(' ');
}
