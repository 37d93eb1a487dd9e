// The fast path at work: follows Services, pods and devices, and keeps the programs and their maps in step with them.

import { existsSync } from 'node:fs';
import { BoundedFrequencyRunner } from '../controller/bounded-frequency-runner.ts';
import { errorMessage } from '../lib/error-message.ts';
import { EnvironmentError } from '../lib/operational-error.ts';
import { EligibilityIndex } from './eligibility/eligibility-index.ts';
import { currentExcludedSources, isPodInterface } from './eligibility/excluded-sources.ts';
import { ConnectionResetter } from './flows/connection-resetter.ts';
import { COLLECT_MS, FlowCollector } from './flows/flow-collector.ts';
import { readTimeouts } from './flows/timeouts.ts';
import { LoaderClient, type ProbeResult } from './loader/loader-client.ts';
import { MapState } from './maps/map-state.ts';
import { Attachments } from './node/attachments.ts';
import { readIfindexes } from './node/network-state.ts';
import { NodeNetwork } from './node/node-network.ts';
import { isLinkDeletion, isNetworkChange, watchNetwork } from './node/watch-network.ts';
import type { FastPathParts } from './parts.ts';
import { failingStatus, inactiveStatus, type SyncResult, statusOf } from './status/build-status.ts';
import type { FastPathStatus } from './status/fast-path-status.ts';
import { type DeviceRemoval, planDeviceRemoval, planSync, type SyncInput, type SyncPlan } from './sync/plan-sync.ts';
import { SyncFailures } from './sync/sync-failures.ts';

/** It is required, and this machine cannot have it. */
export class FastPathUnusable extends EnvironmentError {
  override readonly name = 'FastPathUnusable';
}

/** A pod that goes is noticed at once, a stream of news costs at most ten looks a second. */
const MIN_INTERVAL_MS = 100;
/** Devices and routes are read again after this at the latest, whatever was heard of them. */
const NETWORK_REFRESH_MS = 10_000;

/** Listens to the engine and to the kernel. Never in the way of the daemon: where it fails, nft has everything. */
export class FastPath {
  readonly #parts: FastPathParts;
  readonly #loader: LoaderClient;
  readonly #eligibility: EligibilityIndex;
  readonly #nodeNetwork: NodeNetwork;
  readonly #loop: BoundedFrequencyRunner;
  readonly #attachments: Attachments;
  readonly #collector: FlowCollector;
  readonly #resetter: ConnectionResetter;
  readonly #failures: SyncFailures;
  #probe: ProbeResult | undefined;
  /** What is loaded can take UDP flows. */
  #servesUdp = false;
  #maps: MapState | undefined;
  /** For flows of each family. */
  #maxFlows = 0;
  #isSynced = false;
  #needsNetworkRefresh = true;
  /** A device was said to be gone. */
  #linkDeleted = false;
  #networkRefreshedAt = Number.NEGATIVE_INFINITY;
  /** Of the last pass of work that succeeded. */
  #status: FastPathStatus;
  /** What speaks against taking anything, as of the last time that it was looked. */
  #inactiveReason: string | undefined;
  #lastLogged = '';

  constructor(parts: FastPathParts) {
    const { settings, engine, clock } = parts;
    this.#parts = parts;
    this.#loader = new LoaderClient({ command: settings.program, directory: settings.directory });
    this.#eligibility = new EligibilityIndex(engine);
    this.#nodeNetwork = new NodeNetwork({ programs: this.#loader, nft: settings.nft });
    this.#attachments = new Attachments(this.#loader);
    this.#collector = new FlowCollector({ programs: this.#loader, log: parts.log });
    this.#resetter = new ConnectionResetter({ programs: this.#loader, nft: settings.nft, log: parts.log });
    this.#failures = new SyncFailures({ log: parts.log, clock });
    this.#status = inactiveStatus(settings.mode, 'it has not begun yet; what another daemon has attached goes on');
    this.#loop = new BoundedFrequencyRunner({
      task: async () => {
        await this.#sync();
        this.#failures.succeeded();
      },
      onFailure: (error, retryInMs) => {
        this.#maps = undefined;
        this.#failures.failed(errorMessage(error), retryInMs);
      },
      clock,
      minIntervalMs: MIN_INTERVAL_MS,
    });
  }

  /** Finds out whether this machine can have it. Throws {@link FastPathUnusable} where it is required and cannot be. */
  async open(): Promise<void> {
    const { settings } = this.#parts;
    const reason = await this.#unusableReason().catch(errorMessage);
    if (reason === undefined) {
      const { udp, missing } = this.#probe ?? { udp: true, missing: [] };
      if (!udp) this.#parts.log.warn('the fast path leaves UDP to nft', { reason: missing.join('; ') });
      return;
    }
    if (settings.mode === 'required') {
      this.#loader.close();
      throw new FastPathUnusable(`Cannot have the fast path, which is required: ${reason}`);
    }
    this.#logOnce('warn', 'the fast path is off', { reason });
    this.#status = inactiveStatus(settings.mode, reason);
    // What a process before this one has attached is not left to itself.
    if (this.#probe?.usable && existsSync(settings.directory)) return;
    this.#loader.close();
    this.#probe = undefined;
  }

  /** After {@link open}: there are, or will be, flows that it has taken. */
  get isUsable(): boolean {
    return this.#probe !== undefined;
  }

  /** The kernel holds what was compiled. */
  synced(): void {
    this.#isSynced = true;
    this.#loop.request();
  }

  /** Works until the signal aborts, where it is usable. What is attached then stays so. */
  async run(signal: AbortSignal): Promise<void> {
    const timer = setInterval(() => this.#loop.request(), COLLECT_MS).unref();
    const onChange = (line?: string): void => this.#onNetworkEvent(line);
    try {
      const watching = watchNetwork({ onChange, log: this.#parts.log, signal });
      await Promise.all([this.#loop.run(signal), watching]);
    } finally {
      clearInterval(timer);
      this.#loader.close();
    }
  }

  /** What is on, and why not; counts are those of the last collection. */
  status(): FastPathStatus {
    const { failing, failures } = this.#failures;
    const totals = { ...this.#collector.totals, failures, loaderRestarts: this.#loader.restarts };
    if (failing === undefined) return { ...this.#status, totals };
    const isOn = this.#inactiveReason === undefined && this.#attachments.attached.uplink.size > 0;
    const inactiveReason = isOn ? undefined : (this.#inactiveReason ?? 'it cannot be set up');
    return failingStatus({ ...this.#status, totals }, { failing, inactiveReason });
  }

  /** `line` is what the monitor printed; `undefined` when it was not there to print any. */
  #onNetworkEvent(line: string | undefined): void {
    if (line !== undefined && !isNetworkChange(line, this.#nodeNetwork.state)) return;
    this.#needsNetworkRefresh = true;
    if (line !== undefined && isLinkDeletion(line)) this.#linkDeleted = true;
    this.#loop.request();
  }

  async #unusableReason(): Promise<string | undefined> {
    this.#probe = await this.#loader.probe();
    if (!this.#probe.usable) return this.#probe.missing.join('; ') || 'the kernel lacks what it needs';
    await this.#nodeNetwork.refresh();
    return await this.#nodeNetwork.nodeConflict(this.#parts.clock.now());
  }

  async #sync(): Promise<void> {
    if (!this.#isSynced) return;
    const now = this.#parts.clock.now();
    const maps = await this.#ensureLoaded(now);
    await this.#removeDeletedDevices(maps, now);
    await this.#attachments.refresh(now);
    await this.#refreshNetwork(maps, now);
    const input = await this.#observe(now);
    const plan = planSync(input, maps);
    this.#inactiveReason = plan.inactiveReason;
    await this.#carryOut(plan);
    if (await this.#collector.collect(maps, { frontends: plan.frontends, now })) this.#loop.request();
    this.#publish({ input, plan, maps });
  }

  /** The maps as this process knows them; read anew at the start, and after anything that failed. */
  async #ensureLoaded(now: number): Promise<MapState> {
    if (this.#maps !== undefined && this.#loader.isRunning) return this.#maps;
    const { maxFlows } = this.#parts.settings;
    const { isNew, udp, maxFlowsInUse } = await this.#loader.load(maxFlows);
    if (maxFlowsInUse !== maxFlows)
      this.#logOnce('warn', 'the fast path keeps its size until it is switched off', { maxFlowsInUse, maxFlows });
    this.#maxFlows = maxFlowsInUse;
    this.#servesUdp = udp;
    const installed = await this.#loader.readInstalled(isNew);
    await this.#loader.configure({ create: true, timeouts: await readTimeouts() });
    await this.#attachments.adopt(now);
    this.#maps = new MapState(installed, now);
    // What has gone since these slots were given is to be noticed before anything else.
    this.#needsNetworkRefresh = true;
    this.#collector.reset();
    return this.#maps;
  }

  /** Does not wait for the whole network state to be read: until its slots are free nobody else answers for a pod. */
  async #removeDeletedDevices(maps: MapState, now: number): Promise<void> {
    if (!this.#linkDeleted) return;
    this.#linkDeleted = false;
    await this.#removeDevices(planDeviceRemoval(maps, { devices: await readIfindexes(), now }));
  }

  async #refreshNetwork(maps: MapState, now: number): Promise<void> {
    if (!this.#needsNetworkRefresh && now - this.#networkRefreshedAt < NETWORK_REFRESH_MS) return;
    this.#needsNetworkRefresh = false;
    this.#networkRefreshedAt = now;
    await this.#nodeNetwork.refresh();
    await this.#removeDevices(planDeviceRemoval(maps, { devices: this.#nodeNetwork.ifindexes, now }));
  }

  /** Connections to pods whose devices have gone are nft's to reset before it gets them. */
  async #removeDevices(removal: DeviceRemoval | undefined): Promise<void> {
    if (removal === undefined) return;
    await this.#resetter.resetThrough(removal.deleted);
    await this.#loader.apply(removal.lines);
  }

  /** What a plan starts from. Asks the kernel for routes, neighbours, and programs of others. */
  async #observe(now: number): Promise<SyncInput> {
    const { settings, engine, hostAddresses } = this.#parts;
    const nodeConflict = await this.#nodeNetwork.nodeConflict(now);
    const localAddresses = hostAddresses();
    const desired = this.#eligibility.desired(localAddresses);
    const isPod = (name: string): boolean => isPodInterface(engine.node, name);
    const uplinks = await this.#nodeNetwork.uplinks(settings.uplinks, { now, isPodInterface: isPod });
    const addresses = new Set(desired.frontends.flatMap(({ endpoints }) => endpoints.map(({ address }) => address)));
    return {
      ...{ now, desired, nodeConflict, uplinks },
      locations: await this.#nodeNetwork.locatePods([...addresses], now),
      devices: this.#nodeNetwork.ifindexes,
      excludedSources: currentExcludedSources(engine, localAddresses),
      attached: this.#attachments.attached,
      flows: this.#collector.flows,
      servesUdp: this.#servesUdp,
      suspended: this.#collector.suspendedAt(now),
    };
  }

  async #carryOut({ attach, maps, detach }: SyncPlan): Promise<void> {
    await this.#attachments.attach(attach);
    await this.#loader.apply(maps.lines);
    // A slot that was freed a moment ago may be what is missing.
    if (maps.overflow.size > 0) this.#parts.clock.sleep(1000).then(() => this.#loop.request());
    await this.#attachments.detach(detach);
  }

  #publish(synced: Pick<SyncResult, 'input' | 'plan' | 'maps'>): void {
    const previous = this.#status;
    this.#status = statusOf({
      ...synced,
      mode: this.#parts.settings.mode,
      probe: this.#probe && { ...this.#probe, udp: this.#servesUdp },
      network: this.#nodeNetwork.state,
      attached: this.#attachments.attached,
      maxFlows: this.#maxFlows,
      flows: this.#collector.flows,
      lastCollection: this.#collector.last,
    });
    const { state, reason, uplinks, attach } = this.#status;
    if (previous.state === state && previous.reason === reason) return;
    if (state === 'off') this.#logOnce('warn', 'the fast path is off', { reason });
    else this.#logOnce('info', 'the fast path is on', { by: attach, uplinks: uplinks.map(({ name }) => name) });
  }

  /** The same is not said twice in a row. */
  #logOnce(level: 'info' | 'warn', message: string, details: Readonly<Record<string, unknown>>): void {
    const text = `${message} ${details['reason']}`;
    if (text !== this.#lastLogged) this.#parts.log[level](message, details);
    this.#lastLogged = text;
  }
}
