// Stands between a source and the controller, and keeps what a faulty source seems to lose.

import type { Store } from '../../engine/store.ts';
import type { Clock } from '../../host/clock.ts';
import type { Log } from '../../host/log.ts';
import { printDuration } from '../../lib/duration.ts';
import type { Steps } from '../../lib/steps.ts';
import type { KernelServices } from '../../nftables/compile/kernel-services.ts';
import type { Kind, KindMap } from '../../services/objects/kinds.ts';
import type { ReadResult } from '../../services/objects/read.ts';
import type { Sink } from '../../services/objects/sink.ts';
import type { SourceProblem } from '../status/source-status.ts';
import type { LossLimits } from './assess-loss.ts';
import type { HoldEnd } from './hold.ts';
import { LossGuard } from './loss-guard.ts';
import { NodeKeeper } from './node-keeper.ts';
import { type HoldRecord, type StartCount, type StartEnd, StartHold } from './start-hold.ts';

/** The beginning or the end of a hold, for Events. */
export type HoldEvent =
  | { readonly type: 'held'; readonly lost: number; readonly before: number; readonly gracePeriodMs: number }
  | ({ readonly type: 'start-held' } & StartCount)
  | { readonly type: StartEnd; readonly services: number };

interface SourceGuardOptions {
  readonly sink: Sink;
  /** The objects that the sink has. */
  readonly store: Store;
  readonly nodeName: string;
  /** The limits in force. */
  readonly limits: () => LossLimits;
  /** What earlier daemons held. */
  readonly record: HoldRecord;
  readonly clock: Clock;
  readonly log: Log;
  readonly onHold?: (event: HoldEvent) => void;
}

/** How often held losses are examined. */
const TICK_MS = 1_000;

/** See {@link LossGuard} and {@link NodeKeeper}. */
export class SourceGuard implements Sink {
  readonly #options: SourceGuardOptions;
  readonly #losses: LossGuard;
  readonly #start: StartHold;
  readonly #sink: NodeKeeper;
  readonly #stop = new AbortController();
  #isTicking = false;
  #holds = 0;
  #nodeProblem: { readonly missing: readonly string[]; readonly since: number } | undefined;

  constructor(options: SourceGuardOptions) {
    this.#options = options;
    const { sink, store, limits, nodeName, record, clock } = options;
    this.#losses = new LossGuard({
      sink,
      store,
      limits,
      now: clock.now,
      onHold: (count) => this.#began(count),
      onEnd: (end, services) => this.#ended(end, services),
    });
    this.#start = new StartHold({
      ...{ store, limits, record, now: clock.now },
      onHold: (count) => this.#startHeld(count),
      onEnd: (end, services) => this.#startAllowed(end, services),
    });
    this.#sink = new NodeKeeper({ sink: this.#losses, nodeName, onChange: (missing) => this.#nodeChanged(missing) });
  }

  /** The number of Services whose loss is held back, and of such losses since the start. */
  get counts(): { readonly heldServices: number; readonly holds: number } {
    return { heldServices: this.#losses.heldServices + this.#start.heldServices, holds: this.#holds };
  }

  /** What is not as the source says. */
  problems(): SourceProblem[] {
    const { clock, nodeName, limits } = this.#options;
    const age = (since: number): number => Math.max(0, Math.round(clock.now() - since));
    const problems = this.#startProblems();
    const { heldServices, holdingSince } = this.#losses;
    if (holdingSince !== undefined) {
      const reason = `lost suddenly; applied after ${printDuration(limits().gracePeriodMs)}, or now by "nftlane accept-loss"`;
      problems.push({ cause: 'kept', subject: `${heldServices} Services`, forMs: age(holdingSince), reason });
    }
    if (this.#nodeProblem !== undefined) {
      const { missing, since } = this.#nodeProblem;
      const reason = `missing: ${missing.join(', ')}`;
      problems.push({ cause: 'kept', subject: `Node ${nodeName}`, forMs: age(since), reason });
    }
    return problems;
  }

  #startProblems(): SourceProblem[] {
    const { times, heldServices } = this.#start;
    if (times === undefined) return [];
    const reason = `lost while no daemon ran; the start waits and changes nothing in the kernel for another ${inSeconds(times.remainingMs)}, or until "nftlane accept-loss"`;
    return [{ cause: 'kept', subject: `${heldServices} Services`, forMs: Math.round(times.heldMs), reason }];
  }

  /** Whether the first sync may begin, without a comparison with the kernel. */
  get mayStartNow(): boolean {
    return this.#start.isOver;
  }

  /** Whether the first sync may begin, with these Services in the kernel. See {@link StartHold}. */
  mayStart(kernel: KernelServices): Steps<boolean> {
    return this.#start.mayStart(kernel);
  }

  /** The first sync is complete. */
  started(): void {
    this.#start.started();
  }

  /** Applies held losses now, except those of the start, which the first sync applies. Returns the number of Services. */
  acceptLoss(): number {
    return this.#losses.accept() + this.#start.accept();
  }

  /** The limits changed: a hold ends if they disable it. */
  limitsChanged(): void {
    if (!this.#options.limits().enabled) this.acceptLoss();
  }

  /** Ends the timer. Held losses stay held. */
  close(): void {
    this.#stop.abort();
  }

  replace<K extends Kind>(kind: K, objects: readonly ReadResult<KindMap[K]>[]): void {
    this.#sink.replace(kind, objects);
    this.#watch();
  }

  preview<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    this.#sink.preview(kind, object);
  }

  put<K extends Kind>(kind: K, object: ReadResult<KindMap[K]>): void {
    this.#sink.put(kind, object);
    this.#watch();
  }

  remove(kind: Kind, key: string): void {
    this.#sink.remove(kind, key);
    this.#watch();
  }

  #watch(): void {
    if (this.#losses.hasHeld && !this.#isTicking) void this.#tick();
  }

  async #tick(): Promise<void> {
    this.#isTicking = true;
    const { signal } = this.#stop;
    while (this.#losses.hasHeld && !signal.aborted) {
      await this.#options.clock.sleep(TICK_MS, signal);
      if (!signal.aborted) this.#losses.tick();
    }
    this.#isTicking = false;
  }

  #began({ lost, before }: { readonly lost: number; readonly before: number }): void {
    const { log, limits, onHold } = this.#options;
    const { gracePeriodMs } = limits();
    this.#holds += 1;
    log.warn('source lost most Services; keeping them', {
      count: lost,
      services: before,
      effect: `their loss is applied after ${printDuration(gracePeriodMs)}`,
      hint: 'run "nftlane accept-loss" to apply it now',
    });
    onHold?.({ type: 'held', lost, before, gracePeriodMs });
  }

  #ended(end: HoldEnd, services: number): void {
    const { log, onHold } = this.#options;
    if (end === 'recovered') log.info('source has its Services again', { count: services });
    else log.warn('applied the loss of Services', { count: services, reason: END_REASONS[end] });
    onHold?.({ type: end, services });
  }

  #startHeld(count: StartCount): void {
    const { log, onHold } = this.#options;
    this.#holds += 1;
    log.warn('source lacks most Services of the kernel; holding the start', {
      count: count.lost,
      services: count.before,
      effect: `nothing in the kernel is changed or repaired, also for new Services, for ${inSeconds(count.remainingMs)}`,
      hint: 'run "nftlane accept-loss" to start now',
    });
    onHold?.({ type: 'start-held', ...count });
  }

  #startAllowed(end: StartEnd, services: number): void {
    const { log, onHold } = this.#options;
    const level = end === 'expired' || end === 'accepted' ? 'warn' : 'info';
    log[level]('start is not held any more', { count: services, reason: START_REASONS[end] });
    onHold?.({ type: end, services });
  }

  #nodeChanged(missing: readonly string[]): void {
    const { log, clock, nodeName } = this.#options;
    const since = this.#nodeProblem?.since ?? clock.now();
    if (missing.length > 0) {
      this.#nodeProblem = { missing, since };
      log.warn('own Node is incomplete; keeping last known values', { node: nodeName, missing });
      return;
    }
    this.#nodeProblem = undefined;
    log.info('own Node is complete again', { node: nodeName, durationMs: Math.round(clock.now() - since) });
  }
}

const END_REASONS = { expired: 'the grace period is over', accepted: 'accepted by an operator' };
const START_REASONS = {
  ...END_REASONS,
  recovered: 'the source has all or most Services again',
  emptied: 'the kernel has no Services any more',
};

/** Minutes would be too coarse for what is left of the grace period. */
function inSeconds(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`;
}
