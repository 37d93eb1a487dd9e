// Follows the changes of our tables with a long-lived `nft monitor`.

import type { Clock } from '../../../host/clock.ts';
import { LineProcess, type ProcessExit } from '../../../host/process/line-process.ts';
import { Backoff } from '../../../lib/backoff.ts';
import { isLossNotice, type RulesetCommit } from '../../syntax/notification.ts';
import { OwnMarkers, type OwnTransactions } from '../transaction-marker.ts';
import { CommitReader } from './commit-reader.ts';
import { GenerationCount } from './generation-count.ts';
import { untilStalled } from './stall-detector.ts';

interface NftMonitorOptions {
  readonly command: string;
  readonly clock: Clock;
  /** Commits a transaction of ours that changes nothing else. May reject. */
  readonly probe: () => Promise<void>;
  /** What is known about the transactions of ours. */
  readonly sent: () => OwnTransactions;
  /** Another process changed our tables. */
  readonly onCommit: (commit: RulesetCommit) => void;
  /** Changes may have been missed. */
  readonly onGap: (gap: MonitorGap) => void;
  /** Another process had stopped the monitor. It was continued, and has lost nothing, or `onGap` follows. */
  readonly onResume?: () => void;
  /** The state changed. */
  readonly onState?: (status: NftMonitorStatus) => void;
  readonly times?: Partial<MonitorTimes>;
}

/**
 * - `start`: between the start of the first monitor, or {@link NftMonitor.pause}, and its first notification.
 * - `restart`: between the end of a monitor and the first notification of the next one.
 * - `overflow`: there were more notifications than nft could read.
 * - `unread`: another process has changed a table, ours or another, and the notifications of it were not read; or a pause has
 *   ended, and it is not known whether one has.
 * - `refused`: a probe failed while no notifications arrived: another program may have deleted our tables.
 */
export type MonitorGap = 'start' | 'restart' | 'overflow' | 'unread' | 'refused';

interface MonitorTimes {
  /** How long the notifications of a transaction of ours may take to arrive. */
  readonly echoMs: number;
  /** How often a transaction is sent to see whether the monitor still listens, if there were no others. */
  readonly probeIntervalMs: number;
}

/** `silent`: notifications do not arrive; `reason` says why, and the next attempt follows by itself. */
export interface NftMonitorStatus {
  readonly state: 'off' | 'starting' | 'listening' | 'silent';
  readonly reason: string;
  /** How many processes were started. */
  readonly starts: number;
}

/**
 * `list tables` with `-t` comes first so that nft reads the ruleset without elements: alone, `monitor` loads all elements
 * of all tables, 214 MB for 110,000 (nft 1.1.3). `-e` keeps it from adding every element that it prints to its memory. The
 * sets and maps must exist when it starts; those that are deleted and added again keep their descriptions.
 */
const ARGS = ['-t', '-e', 'list tables; monitor'] as const;

const TIMES: MonitorTimes = { echoMs: 5000, probeIntervalMs: 30_000 };
/** A monitor that has started joins the kernel's notifications within milliseconds, but does not say when. */
const FIRST_PROBES_MS = 100;
/**
 * The longest wait before the next start. A start costs milliseconds, and until then changes of single elements by others are
 * found by the verification in the background alone.
 */
const MAX_RESTART_MS = 1000;
/** After it has listened for so long, the next start waits as after the first failure. */
const PROVEN_MS = 10_000;

/**
 * Restarts the monitor when it ends or falls silent. It is silent when a transaction of ours does not come back, or when it
 * does not read the notifications that the kernel has for it, so a hung program is noticed like a dead one. A program that
 * is stopped is continued.
 */
export class NftMonitor {
  readonly #options: NftMonitorOptions;
  readonly #times: MonitorTimes;
  readonly #ownMarkers = new OwnMarkers();
  readonly #generations: GenerationCount;
  #status: NftMonitorStatus = { state: 'off', reason: '', starts: 0 };
  #heardAt = 0;
  #listeningSince: number | undefined;
  #onEcho: (() => void) | undefined;
  /** What may have been missed, until it is reported. */
  #gap: MonitorGap | undefined = 'start';
  #pause: PromiseWithResolvers<void> | undefined;
  #pausing = new AbortController();

  constructor(options: NftMonitorOptions) {
    this.#options = options;
    this.#times = { ...TIMES, ...options.times };
    this.#generations = new GenerationCount(options.sent);
  }

  get status(): NftMonitorStatus {
    return this.#status;
  }

  /** Runs until the signal aborts. Start it when our sets and maps are declared. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const backoff = new Backoff({ minMs: 100, maxMs: MAX_RESTART_MS });
    signal.addEventListener('abort', () => this.resume(), { once: true });
    while (!signal.aborted) {
      if (this.#pause !== undefined) {
        await this.#pause.promise;
        continue;
      }
      this.#listeningSince = undefined;
      this.#pausing = new AbortController();
      const reason = await this.#listen(AbortSignal.any([signal, this.#pausing.signal]));
      if (signal.aborted) continue;
      if (this.#pausing.signal.aborted) {
        // Not before: what it had printed was still read.
        this.#generations.pause();
        continue;
      }
      this.#gap = 'restart';
      this.#generations.reset();
      this.#setState('silent', reason);
      if (clock.now() - (this.#listeningSince ?? clock.now()) >= PROVEN_MS) backoff.reset();
      await clock.sleep(backoff.next(), signal);
    }
    this.#setState('off', '');
  }

  /** Ends the monitor until {@link resume}. */
  pause(): void {
    if (this.#pause !== undefined) return;
    this.#pause = Promise.withResolvers();
    this.#gap ??= 'start';
    this.#pausing.abort();
    if (this.#status.state !== 'off') this.#setState('starting', this.#status.reason);
  }

  resume(): void {
    this.#pause?.resolve();
    this.#pause = undefined;
  }

  /** Runs one monitor. Resolves with the reason why it cannot be used any longer. */
  async #listen(signal: AbortSignal): Promise<string> {
    const { command } = this.#options;
    const ended = Promise.withResolvers<string>();
    const reader = new CommitReader({ ownNumber: (line) => this.#ownMarkers.take(line) });
    let printedLines = 0;
    const child = new LineProcess(command, {
      args: ARGS,
      onLine: (line) => {
        printedLines++;
        this.#onLine(line, reader);
      },
      onExit: (exit) => ended.resolve(endReason(exit)),
    });
    this.#status = { ...this.#status, starts: this.#status.starts + 1 };
    this.#setState('starting', this.#status.reason);
    const stop = new AbortController();
    const kill = () => child.kill('SIGKILL');
    signal.addEventListener('abort', kill, { once: true });
    const untilEnd = AbortSignal.any([signal, stop.signal]);
    const watched = [
      this.#watch(untilEnd),
      this.#untilStalled(child, { printedLines: () => printedLines, signal: untilEnd }),
    ];
    const reason = await Promise.race([ended.promise, ...watched]);
    stop.abort();
    kill();
    signal.removeEventListener('abort', kill);
    await Promise.all([ended.promise, ...watched]);
    return reason;
  }

  #onLine(line: string, reader: CommitReader): void {
    if (isLossNotice(line)) {
      reader.reset();
      this.#generations.reset();
      this.#options.onGap('overflow');
      return;
    }
    const end = reader.read(line);
    if (end === undefined) return;
    this.#heardAt = this.#options.clock.now();
    if (this.#generations.observe(end)) this.#options.onGap('unread');
    if (end.kind === 'own') this.#onEcho?.();
    if (end.kind === 'foreign') this.#options.onCommit(end.commit);
  }

  /** Resolves when the process does not read its notifications, or when the signal aborts. */
  async #untilStalled(
    child: LineProcess,
    { printedLines, signal }: { readonly printedLines: () => number; readonly signal: AbortSignal },
  ): Promise<string> {
    const { clock, onResume } = this.#options;
    const resume = () => {
      child.kill('SIGCONT');
      onResume?.();
    };
    return untilStalled({ pid: child.pid, printedLines, resume, clock }, signal);
  }

  /** Resolves when a transaction of ours did not come back in time, or when the signal aborts. */
  async #watch(signal: AbortSignal): Promise<string> {
    const { clock, onGap } = this.#options;
    const { echoMs, probeIntervalMs } = this.#times;
    for (;;) {
      const hasEcho = await this.#probeUntilEcho(signal);
      if (signal.aborted) return '';
      if (!hasEcho) return `no notification of a transaction of ours within ${echoMs} ms`;
      this.#listeningSince ??= clock.now();
      this.#setState('listening', '');
      if (this.#gap !== undefined) onGap(this.#gap);
      this.#gap = undefined;
      do await clock.sleep(probeIntervalMs, signal);
      while (!signal.aborted && clock.now() - this.#heardAt < probeIntervalMs);
    }
  }

  /** Sends probes until one comes back. Returns whether one did before the time limit. */
  async #probeUntilEcho(signal: AbortSignal): Promise<boolean> {
    const { clock, probe } = this.#options;
    const deadline = clock.now() + this.#times.echoMs;
    let hasEcho = false;
    const echo = new Promise<void>((resolve) => {
      this.#onEcho = () => {
        hasEcho = true;
        resolve();
      };
    });
    for (let waitMs = FIRST_PROBES_MS; !hasEcho && !signal.aborted && clock.now() < deadline; waitMs *= 2) {
      // A probe that fails is like one that does not come back. If nft is unusable for syncs, too, they report it.
      await Promise.race([echo, probe().catch(() => this.#options.onGap('refused'))]);
      await Promise.race([echo, clock.sleep(Math.min(waitMs, Math.max(0, deadline - clock.now())), signal)]);
    }
    this.#onEcho = undefined;
    return hasEcho;
  }

  #setState(state: NftMonitorStatus['state'], reason: string): void {
    if (this.#status.state === state && this.#status.reason === reason) return;
    this.#status = { ...this.#status, state, reason };
    this.#options.onState?.(this.#status);
  }
}

function endReason(exit: ProcessExit): string {
  if (exit.kind === 'error') return exit.cause.message;
  const [line = ''] = exit.stderr.split('\n').filter((text) => !text.startsWith('W: '));
  return line === '' ? `ended by ${exit.state}` : `${exit.state}: ${line}`;
}
