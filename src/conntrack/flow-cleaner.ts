// Removing UDP flows that still go where no Service sends them: the kernel asks the rules for new flows only.

import { Loop } from '../controller/loop.ts';
import type { Engine } from '../engine/engine.ts';
import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import { reasonOf } from '../lib/reason.ts';
import { type Address, familyOf, isLoopback } from '../net/address.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import { type Conntrack, ConntrackError } from './conntrack.ts';
import { isTranslated } from './entry.ts';
import { FlowBook } from './flow-book.ts';
import { type Expected, StaleFlows, type StaleGroup, whyStale } from './stale.ts';
import { TurnedFlows } from './turned-flows.ts';
import { udpTargets } from './udp-targets.ts';

export interface FlowCleanerParts {
  readonly engine: Pick<Engine, 'onCompiled' | 'store' | 'node'>;
  readonly conntrack: Pick<Conntrack, 'list' | 'delete'>;
  /** The addresses of the host's interfaces, as they are now. */
  readonly hostAddresses: () => readonly Address[];
  readonly log: Log;
  readonly clock: Clock;
  readonly onCleaned?: (run: CleanUp) => void;
}

/** One clean-up that succeeded. */
export interface CleanUp {
  /** Pauses between several looks included. */
  readonly ms: number;
  /** Flows that were removed. */
  readonly deleted: Readonly<Record<Family, number>>;
}

/** A lone change is cleaned up after as soon as it has settled; a stream of them costs at most two scans a second. */
const SPACING_MS = 500;

/**
 * What was asked just before a change is still answered: without its entry an answer on its way would reach the client
 * from an address that it does not know. Each flow has so long from the change that made it stale.
 */
const ANSWER_MS = 300;

/** At most this many looks in one clean-up, for flows that answers open anew: a busy client takes two or three. */
const MOST_LOOKS = 8;

/** A program that deletes, for as long as it runs. */
interface Deletion {
  readonly group: StaleGroup;
  readonly expected: Expected;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

/** Listens to the engine. Cleans up after each sync that changed where UDP flows go, never twice at once. */
export class FlowCleaner {
  readonly #parts: FlowCleanerParts;
  readonly #book = new FlowBook();
  readonly #turned = new TurnedFlows();
  readonly #loop: Loop;
  /** The failure that was told last: the same one is not told again. */
  #told = '';
  #stopping = false;
  #deletion: Deletion | undefined;

  constructor(parts: FlowCleanerParts) {
    this.#parts = parts;
    const { engine, log, clock } = parts;
    engine.onCompiled.push((key, owns) => {
      const { services } = engine.store;
      const targets = udpTargets(services.get(key), engine.store.slicesOf(key), owns);
      this.#book.compiled(key, targets, clock.now());
    });
    const onFailure = (error: unknown, retryInMs: number): void => {
      const reason = reasonOf(error);
      if (reason !== this.#told) log.warn('cannot remove stale UDP conntrack entries', { reason, retryInMs });
      this.#told = reason;
    };
    this.#loop = new Loop({ work: () => this.#work(), onFailure, clock, spacingMs: SPACING_MS });
  }

  /** A sync succeeded: the kernel holds what was compiled. */
  synced(): void {
    if (this.#book.synced(this.#parts.clock.now())) this.#loop.request();
  }

  /**
   * A sync is about to be applied. Resolves when nothing is deleted any more that it makes healthy: several flows go by
   * what they have in common, and a new one of an endpoint that returns would go with them.
   */
  async applying(): Promise<void> {
    const deletion = this.#deletion;
    if (deletion === undefined || whyStale(deletion.group.first, deletion.expected) !== undefined) return;
    deletion.abort.abort();
    await deletion.ended;
  }

  /** Works until the signal aborts; what is left to delete then stays. */
  run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => {
      this.#stopping = true;
    });
    return this.#loop.run(signal);
  }

  async #work(): Promise<void> {
    const { log, clock } = this.#parts;
    const answeredUntil = clock.now();
    await clock.sleep(ANSWER_MS);
    const started = clock.now();
    try {
      const { deleted, reason } = await this.#cleanUp(answeredUntil);
      const count = deleted.ip + deleted.ip6;
      const ms = clock.now() - started;
      this.#parts.onCleaned?.({ ms, deleted });
      if (count > 0) log.info('removed stale UDP conntrack entries', { count, ms: Math.round(ms), reason });
      this.#told = '';
    } catch (error) {
      if (!(error instanceof ConntrackError && error.kind === 'missing')) throw error;
      // Without the program there is nothing to be done, and nothing to remember for later.
      this.#tellMissing(error);
    }
    const isMoreToJudge = this.#book.forget(answeredUntil);
    if (isMoreToJudge || this.#turned.size > 0) this.#loop.request();
  }

  /** Looks again after a pause as long as there is something that answers may open anew. */
  async #cleanUp(answeredUntil: number): Promise<{ deleted: CleanUp['deleted']; reason: string | undefined }> {
    const { clock } = this.#parts;
    const { targets, coming, former, appeared } = this.#book;
    const nodeAddresses = this.#nodeAddresses();
    const expected = { targets, coming, former, appeared, answeredUntil, nodeAddresses, turned: this.#turned };
    this.#turned.forget(clock.now());
    const deleted = { ip: 0, ip6: 0 };
    let reason: string | undefined;
    for (let looks = 0; looks < MOST_LOOKS && !this.#stopping; looks++) {
      if (looks > 0) await clock.sleep(ANSWER_MS);
      const groups = await this.#find(expected);
      const counts = await this.#delete(groups, expected);
      for (const family of FAMILIES) deleted[family] += counts[family];
      reason ??= groups[0]?.reason;
      if (groups.every(({ first }) => isTranslated(first))) break;
    }
    return { deleted, reason };
  }

  async #find(expected: Expected): Promise<readonly StaleGroup[]> {
    const flows = new StaleFlows();
    for (const family of this.#parts.engine.node.families) {
      await this.#parts.conntrack.list(family, (entry) => flows.judge(entry, expected));
    }
    const now = this.#parts.clock.now();
    for (const flow of flows.untranslated) this.#turned.note(flow, now);
    return flows.groups();
  }

  /** Each group is judged again: a Service may have changed since it was listed. */
  async #delete(groups: readonly StaleGroup[], expected: Expected): Promise<Record<Family, number>> {
    const deleted = { ip: 0, ip6: 0 };
    for (const group of groups) {
      if (this.#stopping) break;
      if (whyStale(group.first, expected) === undefined) continue;
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

  #tellMissing({ message }: ConntrackError): void {
    if (message === this.#told) return;
    this.#parts.log.warn('stale UDP conntrack entries are not removed', { reason: message });
    this.#told = message;
  }

  #nodeAddresses(): ReadonlySet<Address> {
    const { engine, hostAddresses } = this.#parts;
    const own = hostAddresses().filter((address) => !isLoopback(address));
    const ofFamily = FAMILIES.map((family) => {
      const taken = engine.node.nodePortIps[family];
      return taken === 'any' ? own.filter((address) => familyOf(address) === family) : taken;
    });
    return new Set([...ofFamily.flat(), ...(engine.node.localhostNodePorts ? ['127.0.0.1'] : [])]);
  }
}

function nothing(): void {}
