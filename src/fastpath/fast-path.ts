// The fast path of the daemon: decides whether this node can have it, and keeps it in sync.
import { existsSync } from 'node:fs';
import { BoundedFrequencyRunner } from '../controller/bounded-frequency-runner.ts';
import type { Commit } from '../controller/sync-observer.ts';
import { LogOnce } from '../host/log-once.ts';
import { errorMessage } from '../lib/error-message.ts';
import { EnvironmentError } from '../lib/operational-error.ts';
import { COLLECT_MS } from './flows/flow-collector.ts';
import { LoaderClient, type ProbeResult } from './loader/loader-client.ts';
import { watchNetwork } from './node/watch-network.ts';
import { failingStatus, inactiveStatus, statusOf } from './status/build-status.ts';
import type { FastPathStatus } from './status/fast-path-status.ts';
import type { FastPathParts } from './sync/parts.ts';
import { Reconciler } from './sync/reconciler.ts';
import { SyncFailures } from './sync/sync-failures.ts';

/** The fast path is required, and this node cannot have it. */
export class FastPathUnusable extends EnvironmentError {
  override readonly name = 'FastPathUnusable';
}

/** A deleted pod is noticed at once; a stream of events costs at most ten syncs a second. */
const MIN_INTERVAL_MS = 100;

/** Runs beside nft and never blocks it: nft serves whatever the fast path does not take. */
export class FastPath {
  readonly #parts: FastPathParts;
  readonly #loader: LoaderClient;
  readonly #reconciler: Reconciler;
  readonly #loop: BoundedFrequencyRunner;
  readonly #failures: SyncFailures;
  #probe: ProbeResult | undefined;
  #isCommitted = false;
  /** As of the last sync that succeeded. */
  #status: FastPathStatus;

  constructor(parts: FastPathParts) {
    const { settings, clock, log } = parts;
    this.#parts = parts;
    this.#loader = new LoaderClient({ command: settings.program, directory: settings.directory });
    const logOnce = new LogOnce(log);
    this.#reconciler = new Reconciler({
      ...parts,
      loader: this.#loader,
      request: (delayMs) => this.#request(delayMs),
      onOtherSize: (maxFlowsInUse) => {
        const details = { maxFlowsInUse, maxFlows: settings.maxFlows };
        logOnce.log('warn', 'the fast path keeps its size until it is switched off', details);
      },
    });
    this.#failures = new SyncFailures({ log, clock });
    this.#status = inactiveStatus(settings.mode, 'it has not begun yet; what another daemon has attached goes on');
    this.#loop = new BoundedFrequencyRunner({
      task: () => this.#sync(),
      onFailure: (error, retryInMs) => {
        this.#reconciler.forgetMaps();
        this.#failures.failed(errorMessage(error), retryInMs);
      },
      clock,
      minIntervalMs: MIN_INTERVAL_MS,
    });
  }

  /** Finds out whether this node can have the fast path. Throws {@link FastPathUnusable} if it is required and cannot. */
  async open(): Promise<void> {
    const { settings, log } = this.#parts;
    const reason = await this.#unusableReason().catch(errorMessage);
    if (reason === undefined) {
      const { udp, missing } = this.#probe ?? { udp: true, missing: [] };
      if (!udp) log.warn('the fast path leaves UDP to nft', { reason: missing.join('; ') });
      return;
    }
    if (settings.mode === 'required') {
      this.#loader.close();
      throw new FastPathUnusable(`Cannot have the fast path, which is required: ${reason}`);
    }
    log.warn('the fast path is off', { reason });
    this.#status = inactiveStatus(settings.mode, reason);
    // Programs that a process before this one has attached must be kept in sync, or detached.
    if (this.#probe?.usable && existsSync(settings.directory)) return;
    this.#loader.close();
    this.#probe = undefined;
  }

  /** After {@link open}: whether there are, or will be, flows that the programs have taken. */
  get isUsable(): boolean {
    return this.#probe !== undefined;
  }

  /** The kernel has the compiled ruleset. Nothing is taken before that. */
  committed({ services }: Pick<Commit, 'services'>): void {
    this.#reconciler.updateServices(services);
    this.#isCommitted = true;
    this.#request();
  }

  /** Runs until the signal aborts. Attached programs stay attached. */
  async run(signal: AbortSignal): Promise<void> {
    const timer = setInterval(() => this.#request(), COLLECT_MS).unref();
    const onChange = (line?: string): void => this.#reconciler.onNetworkEvent(line);
    try {
      const watching = watchNetwork({ onChange, log: this.#parts.log, signal });
      await Promise.all([this.#loop.run(signal), watching]);
    } finally {
      clearInterval(timer);
      this.#loader.close();
    }
  }

  /** Counts are those of the last collection. */
  status(): FastPathStatus {
    const { failing, failures } = this.#failures;
    const { attached, inactiveReason, totals: collections } = this.#reconciler;
    const status = {
      ...this.#status,
      totals: { ...collections, failures, loaderRestarts: this.#loader.restarts },
    };
    if (failing === undefined) return status;
    const isOn = inactiveReason === undefined && attached.uplink.size > 0;
    return failingStatus(status, {
      failing,
      inactiveReason: isOn ? undefined : (inactiveReason ?? 'it cannot be set up'),
    });
  }

  async #unusableReason(): Promise<string | undefined> {
    this.#probe = await this.#loader.probe();
    if (!this.#probe.usable) return this.#probe.missing.join('; ') || 'the kernel lacks what it needs';
    return await this.#reconciler.findNodeConflict(this.#parts.clock.now());
  }

  #request(delayMs?: number): void {
    if (delayMs === undefined) this.#loop.request();
    else this.#parts.clock.sleep(delayMs).then(() => this.#loop.request());
  }

  async #sync(): Promise<void> {
    if (this.#isCommitted) {
      const result = await this.#reconciler.sync(this.#parts.clock.now());
      this.#publish(statusOf({ ...result, mode: this.#parts.settings.mode, attach: this.#probe?.attach }));
    }
    this.#failures.succeeded();
  }

  #publish(status: FastPathStatus): void {
    const previous = this.#status;
    this.#status = status;
    const { state, reason, uplinks, attach } = status;
    if (previous.state === state && previous.reason === reason) return;
    const { log } = this.#parts;
    if (state === 'off') log.warn('the fast path is off', { reason });
    else log.info('the fast path is on', { by: attach, uplinks: uplinks.map(({ name }) => name) });
  }
}
