// The fast path at work: follows Services, pods and devices, and keeps the programs and their maps in step with them.

import { existsSync } from 'node:fs';
import { BoundedFrequencyRunner } from '../controller/bounded-frequency-runner.ts';
import { errorMessage } from '../lib/error-message.ts';
import { EnvironmentError } from '../lib/operational-error.ts';
import type { Prefix } from '../net/prefix.ts';
import { backendPath, inactiveReason } from './eligibility/backend-path.ts';
import { EligibilityIndex } from './eligibility/eligibility-index.ts';
import { currentExcludedSources, isPodInterface } from './eligibility/excluded-sources.ts';
import { resolveBackends } from './eligibility/resolve-backends.ts';
import { ConnectionResetter } from './flows/connection-resetter.ts';
import { COLLECT_MS, FlowCollector } from './flows/flow-collector.ts';
import { readTimeouts } from './flows/timeouts.ts';
import { LoaderClient, type ProbeResult } from './loader/loader-client.ts';
import { type MapPlan, MapState, type ResolvedFrontend } from './maps/map-state.ts';
import { Attachments } from './node/attachments.ts';
import { readIfindexes } from './node/network-state.ts';
import { NodeNetwork, type Uplink } from './node/node-network.ts';
import { isLinkDeletion, isNetworkChange, watchNetwork } from './node/watch-network.ts';
import type { FastPathParts } from './parts.ts';
import { failingStatus, inactiveStatus, type SyncResult, statusOf } from './status/build-status.ts';
import type { FastPathStatus } from './status/fast-path-status.ts';
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
    const onChange = (line?: string): void => {
      if (line !== undefined && !isNetworkChange(line, this.#nodeNetwork.state)) return;
      this.#needsNetworkRefresh = true;
      if (line !== undefined && isLinkDeletion(line)) this.#linkDeleted = true;
      this.#loop.request();
    };
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
    const isOn = this.#inactiveReason === undefined && this.#attachments.hasUplink;
    return failingStatus(
      { ...this.#status, totals },
      failing,
      isOn ? undefined : (this.#inactiveReason ?? 'it cannot be set up'),
    );
  }

  async #unusableReason(): Promise<string | undefined> {
    this.#probe = await this.#loader.probe();
    if (!this.#probe.usable) return this.#probe.missing.join('; ') || 'the kernel lacks what it needs';
    await this.#nodeNetwork.refresh();
    return await this.#nodeNetwork.nodeConflict(this.#parts.clock.now());
  }

  async #sync(): Promise<void> {
    const { clock, settings, engine, hostAddresses } = this.#parts;
    if (!this.#isSynced) return;
    const now = clock.now();
    const maps = await this.#ensureLoaded(now);
    if (this.#linkDeleted) {
      this.#linkDeleted = false;
      await this.#removeDevices(maps, await readIfindexes(), now);
    }
    await this.#attachments.refresh(now);
    if (this.#needsNetworkRefresh || now - this.#networkRefreshedAt >= NETWORK_REFRESH_MS) {
      this.#needsNetworkRefresh = false;
      this.#networkRefreshedAt = now;
      await this.#nodeNetwork.refresh();
      await this.#removeDevices(maps, this.#nodeNetwork.ifindexes, now);
    }
    const nodeConflict = await this.#nodeNetwork.nodeConflict(now);
    const localAddresses = hostAddresses();
    const desired = this.#eligibility.desired(localAddresses);
    const isPod = (name: string): boolean => isPodInterface(engine.node, name);
    const uplinks = await this.#nodeNetwork.uplinks(settings.uplinks, { now, isPodInterface: isPod });
    const usable = uplinks.filter(({ reason }) => reason === undefined);
    const addresses = [...new Set(desired.frontends.flatMap(({ endpoints }) => endpoints.map((one) => one.address)))];
    const locations = await this.#nodeNetwork.locatePods(addresses, now);
    const inactive = inactiveReason(nodeConflict, usable);
    this.#inactiveReason = inactive?.reason;
    const { frontends, unresolved } = resolveBackends(desired.frontends, (backend) => {
      return (
        inactive ?? backendPath(backend, locations.get(backend.address), { udp: this.#servesUdp, uplinks: usable })
      );
    });
    const resolved = frontends.map((one) => ({ ...one, suspended: this.#collector.isSuspended(one.servicePort, now) }));
    const attachUplinks = new Set(inactive === undefined ? usable.map(({ ifindex }) => ifindex) : []);
    const pods = new Set(resolved.flatMap(({ backends }) => backends.map(({ ifindex }) => ifindex)));
    await this.#attachments.attach({ pods, uplinks: attachUplinks });
    const excludedSources = currentExcludedSources(engine, localAddresses);
    const plan = await this.#apply(maps, { placed: resolved, usable, sources: excludedSources, now });
    const { ifindexes, state } = this.#nodeNetwork;
    const used = new Set([...maps.slots.used].map(({ backend }) => backend.ifindex));
    await this.#attachments.detach({ pods: used, uplinks: attachUplinks, devices: ifindexes });
    if (await this.#collector.collect(maps, resolved, now)) this.#loop.request();
    this.#publish({
      mode: settings.mode,
      inactiveReason: inactive?.reason,
      probe: this.#probe && { ...this.#probe, udp: this.#servesUdp },
      uplinks,
      desired,
      unresolved,
      plan,
      maps,
      network: state,
      excludedSources: excludedSources.map(({ text }) => text),
      flows: this.#collector.flows,
      maxFlows: this.#maxFlows,
      attached: this.#attachments.attached,
    });
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

  /**
   * Pods whose devices have gone. Their connections are nft's to reset before it gets them, and no plan is waited for:
   * until their slots are free nobody else answers.
   */
  async #removeDevices(tables: MapState, devices: ReadonlySet<number>, now: number): Promise<void> {
    const used = new Set([...tables.slots.used].map(({ backend }) => backend.ifindex));
    const gone = [...used].filter((ifindex) => !devices.has(ifindex));
    if (gone.length === 0) return;
    await this.#resetter.resetThrough(gone);
    await this.#loader.apply(tables.removeDevices(devices, now));
  }

  async #apply(
    tables: MapState,
    of: { placed: readonly ResolvedFrontend[]; usable: readonly Uplink[]; sources: readonly Prefix[]; now: number },
  ): Promise<MapPlan> {
    const uplinks = new Map(of.usable.map(({ ifindex, mtu }) => [ifindex, mtu]));
    const plan = tables.plan(
      { frontends: of.placed, excludedSources: of.sources, uplinks, devices: this.#nodeNetwork.ifindexes },
      { now: of.now, flows: this.#collector.flows },
    );
    await this.#loader.apply(plan.lines);
    // A slot that was freed a moment ago may be what is missing.
    if (plan.overflow.size > 0) this.#parts.clock.sleep(1000).then(() => this.#loop.request());
    return plan;
  }

  #publish(result: SyncResult): void {
    const previous = this.#status;
    this.#status = statusOf(result, this.#collector.last);
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
