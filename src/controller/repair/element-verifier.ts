// Compares the elements in the kernel with those that we know to be there, one set or map at a time, in the background.

import type { Engine } from '../../engine/engine.ts';
import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import { errorMessage } from '../../lib/error-message.ts';
import { allSetsAndMaps } from '../../nftables/compile/sets-and-maps.ts';
import type { SetOrMap } from '../../nftables/syntax/element.ts';
import type { ListedElement } from '../../nftables/syntax/listing.ts';
import type { Notification, RulesetCommit } from '../../nftables/syntax/notification.ts';

/** What is known about the last complete round. All times are ages, as of the answer. */
export interface VerificationStatus {
  /** Since the last round ended; `undefined` if there was none yet. */
  readonly roundEndedMs?: number;
  /** How long it took. */
  readonly roundMs?: number;
  /** Elements that were different in it, and were repaired. */
  readonly differences: number;
  /** Sets and maps that could not be compared in it, because they changed whenever they were listed. */
  readonly skipped: number;
}

interface VerifierOptions {
  readonly engine: {
    readonly isKernelKnown: boolean;
    readonly foreignChanges: Pick<Engine['foreignChanges'], 'installed' | 'installedCount' | 'installedKeys'>;
    readonly node: Pick<Engine['node'], 'families'>;
  };
  readonly nftClient: {
    /** Calls `onElement` for each element. */
    readElements(
      object: SetOrMap,
      options: { readonly timeoutMs: number },
      onElement: (element: ListedElement) => void,
    ): Promise<void>;
    /** The transactions that were begun, and those that have ended. */
    readonly transactionCounts: { readonly begun: number; readonly ended: number };
  };
  /** Receives the differences as a transaction of an unknown process. */
  readonly onDifferences: (commit: RulesetCommit) => void;
  readonly log: Pick<Log, 'warn' | 'debug'>;
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  /** The CPU time of this process in milliseconds. */
  readonly cpuMs?: () => number;
}

type ElementNotification = Notification & { readonly kind: 'element' };

/** The rest of the time for each unit of work: a hundredth of a core, with the work of nft and of the kernel. */
const REST_FACTOR = 99;
/** Between small sets and maps. */
const MIN_REST_MS = 1000;
/** A set or map that changes while it is listed is listed again later, but not for ever. */
const MAX_ATTEMPTS = 3;
/**
 * nft starts over when any table changes while it lists. Listing takes 33 µs for an element, and more than linear time: with
 * 100,000 elements, 3.3 s. A listing that takes ten times as long is given up.
 */
const LIST_MS = { base: 10_000, perElement: 0.3 };

/** Finds what no notification reported. Bounded to one percent of a core; changes by our own transactions do not count as differences. */
export class ElementVerifier {
  readonly #options: VerifierOptions;
  readonly #loaded = Promise.withResolvers<void>();
  #last: { readonly startedAt: number; readonly endedAt: number } | undefined;
  #found = { differences: 0, skipped: 0 };

  constructor(options: VerifierOptions) {
    this.#options = options;
  }

  committed({ isInitial }: { readonly isInitial: boolean }): void {
    if (isInitial) this.#loaded.resolve();
  }

  get status(): VerificationStatus {
    if (this.#last === undefined) return { differences: 0, skipped: 0 };
    const { startedAt, endedAt } = this.#last;
    return { roundEndedMs: this.#options.clock.now() - endedAt, roundMs: endedAt - startedAt, ...this.#found };
  }

  /** Runs rounds until the signal aborts, after the initial load. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#loaded.resolve(), { once: true });
    await this.#loaded.promise;
    while (!signal.aborted) await this.#round(signal);
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { engine, clock } = this.#options;
    const startedAt = clock.now();
    const found = { differences: 0, skipped: 0 };
    for (const object of allSetsAndMaps()) {
      if (!engine.node.families.includes(object.family)) continue;
      const differences = await this.#verifyPatiently(object, signal);
      if (signal.aborted) return;
      if (differences === undefined) found.skipped++;
      else found.differences += differences;
    }
    this.#found = found;
    this.#last = { startedAt, endedAt: clock.now() };
    this.#options.log.debug('compared all elements', { durationMs: clock.now() - startedAt, ...found });
  }

  /** The number of differences; `undefined` if there was no listing without a change meanwhile. */
  async #verifyPatiently(object: SetOrMap, signal: AbortSignal): Promise<number | undefined> {
    const { onDifferences } = this.#options;
    for (let attempt = 0; attempt < MAX_ATTEMPTS && !signal.aborted; attempt++) {
      const notifications = await this.#withRest(signal, () => this.#verify(object));
      if (notifications === undefined) continue;
      const unknown = { generation: 0, pid: 0, program: 'unknown', omitted: new Map() };
      if (notifications.length > 0) onDifferences({ ...unknown, notifications });
      return notifications.length;
    }
    return undefined;
  }

  /** Rests in proportion to the work. */
  async #withRest<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    const { clock, log, cpuMs = processCpuMs } = this.#options;
    const [startedAt, cpuAtStart] = [clock.now(), cpuMs()];
    // The wall time covers that of nft and of the kernel for it; the own work is concurrent.
    const costMs = () => clock.now() - startedAt + (cpuMs() - cpuAtStart);
    const result = await work().catch((error: unknown) => {
      log.debug('cannot compare elements', { reason: errorMessage(error) });
      return undefined;
    });
    await clock.sleep(Math.max(MIN_REST_MS, REST_FACTOR * costMs()), signal);
    return result;
  }

  /** The differences as notifications; `undefined` if a transaction of ours is or was under way. */
  async #verify(object: SetOrMap): Promise<ElementNotification[] | undefined> {
    const { engine, nftClient } = this.#options;
    const { foreignChanges } = engine;
    const { begun, ended } = nftClient.transactionCounts;
    const isUndisturbed = () => engine.isKernelKnown && nftClient.transactionCounts.begun === begun;
    if (begun !== ended || !isUndisturbed()) return undefined;
    const count = foreignChanges.installedCount(object);
    const timeoutMs = LIST_MS.base + LIST_MS.perElement * count;
    const differences: ElementNotification[] = [];
    let known = 0;
    await nftClient.readElements(object, { timeoutMs }, ({ key, data, comment }) => {
      const installed = foreignChanges.installed(object, key);
      if (installed !== undefined) known++;
      if (installed?.data === data && installed.comment === comment) return;
      differences.push({ kind: 'element', verb: 'add', object, key, installed: { data, comment } });
    });
    if (!isUndisturbed()) return undefined;
    if (known >= count) return differences;
    // Only now are the keys needed: kept for each comparison, those of 100,000 elements would take 10 MB.
    const listed = new Set<string>();
    await nftClient.readElements(object, { timeoutMs }, ({ key }) => void listed.add(key));
    if (!isUndisturbed()) return undefined;
    for (const key of foreignChanges.installedKeys(object)) {
      const installed = foreignChanges.installed(object, key);
      if (installed !== undefined && !listed.has(key))
        differences.push({ kind: 'element', verb: 'delete', object, key, installed });
    }
    return differences;
  }
}

/** The state of a round, for operators. */
export function describeVerification({ roundEndedMs, differences, skipped }: VerificationStatus): string {
  if (roundEndedMs === undefined) return 'not yet';
  const left = skipped === 0 ? '' : `, ${skipped} sets and maps not compared`;
  return `${differences} differences${left}`;
}

function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
