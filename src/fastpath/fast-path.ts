// The fast path as part of the daemon: checks whether this node supports it, and keeps it in sync.

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
import type { FastPathOptions } from './sync/fast-path-options.ts';
import { Reconciler } from './sync/reconciler.ts';
import { SyncFailures } from './sync/sync-failures.ts';

/** The fast path is required, but not available on this node. */
export class FastPathUnusable extends EnvironmentError {
  override readonly name = 'FastPathUnusable';
}

/** Limits syncs to ten per second. A single event is handled without delay. */
const MIN_INTERVAL_MS = 100;

/** Independent of the sync of nftables, which has the complete ruleset and serves all other flows. */
export class FastPath {
  readonly #options: FastPathOptions;
  readonly #loader: LoaderClient;
  readonly #reconciler: Reconciler;
  readonly #loop: BoundedFrequencyRunner;
  readonly #failures: SyncFailures;
  #probe: ProbeResult | undefined;
  #isCommitted = false;
  /** As of the last sync that succeeded. */
  #status: FastPathStatus;

  constructor(options: FastPathOptions) {
    const { settings, clock, log } = options;
    this.#options = options;
    this.#loader = new LoaderClient({ command: settings.program, directory: settings.directory });
    const logOnce = new LogOnce(log);
    this.#reconciler = new Reconciler({
      ...options,
      loader: this.#loader,
      request: (delayMs) => this.#request(delayMs),
      onSizeMismatch: (maxFlowsInUse) => {
        const details = { maxFlowsInUse, maxFlows: settings.maxFlows };
        logOnce.log('warn', 'fast path keeps the size of its flow tables until it is turned off', details);
      },
    });
    this.#failures = new SyncFailures({ log, clock });
    this.#status = inactiveStatus(settings.mode, 'not started yet; programs attached by another daemon keep running');
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

  /** Checks whether this node supports the fast path. Throws {@link FastPathUnusable} if it is required and does not. */
  async open(): Promise<void> {
    const { settings, log } = this.#options;
    const reason = await this.#unusableReason().catch(errorMessage);
    if (reason === undefined) {
      const { udp, missing } = this.#probe ?? { udp: true, missing: [] };
      if (!udp) log.warn('fast path serves TCP only', { reason: missing.join('; ') });
      return;
    }
    if (settings.mode === 'required') {
      this.#loader.close();
      throw new FastPathUnusable(`Cannot start the required fast path: ${reason}`);
    }
    log.warn('fast path is off', { reason });
    this.#status = inactiveStatus(settings.mode, reason);
    // Programs that an earlier process attached must be kept in sync or detached.
    if (this.#probe?.usable && existsSync(settings.directory)) return;
    this.#loader.close();
    this.#probe = undefined;
  }

  /** After {@link open}: whether programs are attached, or may be. */
  get isUsable(): boolean {
    return this.#probe !== undefined;
  }

  /** Takes over a commit of the ruleset. The fast path starts with the first one. */
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
      const watching = watchNetwork({ onChange, log: this.#options.log, signal });
      await Promise.all([this.#loop.run(signal), watching]);
    } finally {
      clearInterval(timer);
      this.#loader.close();
    }
  }

  /** Ends the loader, which {@link run} does by itself. Attached programs stay attached. */
  close(): void {
    this.#loader.close();
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
      inactiveReason: isOn ? undefined : (inactiveReason ?? 'setup failed'),
    });
  }

  async #unusableReason(): Promise<string | undefined> {
    this.#probe = await this.#loader.probe();
    if (!this.#probe.usable) return this.#probe.missing.join('; ') || 'the kernel lacks required features';
    return await this.#reconciler.findNodeConflict(this.#options.clock.now());
  }

  #request(delayMs?: number): void {
    if (delayMs === undefined) this.#loop.request();
    else this.#options.clock.sleep(delayMs).then(() => this.#loop.request());
  }

  async #sync(): Promise<void> {
    if (this.#isCommitted) {
      const result = await this.#reconciler.sync(this.#options.clock.now());
      this.#publish(statusOf({ ...result, mode: this.#options.settings.mode, attach: this.#probe?.attach }));
    }
    this.#failures.succeeded();
  }

  #publish(status: FastPathStatus): void {
    const previous = this.#status;
    this.#status = status;
    const { state, reason, uplinks, attach } = status;
    if (previous.state === state && previous.reason === reason) return;
    const { log } = this.#options;
    if (state === 'off') log.warn('fast path is off', { reason });
    else log.info('fast path is on', { attach, uplinks: uplinks.map(({ name }) => name) });
  }
}
