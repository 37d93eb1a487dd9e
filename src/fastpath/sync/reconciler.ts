// Reconciles the programs and their maps with the desired frontends and the node's network.

import type { ServiceChange } from '../../engine/service-change.ts';
import { EligibilityIndex } from '../eligibility/eligibility-index.ts';
import { currentExcludedSources, isPodInterface } from '../eligibility/excluded-sources.ts';
import { ConnectionResetter } from '../flows/connection-resetter.ts';
import { type CollectionTotals, FlowCollector, type LastCollection } from '../flows/flow-collector.ts';
import { readTimeouts } from '../flows/timeouts.ts';
import type { LoaderClient } from '../loader/loader-client.ts';
import { type FlowCounts, MapState } from '../maps/map-state.ts';
import { type AttachedDevices, Attachments } from '../node/attachments.ts';
import { type NetworkState, readIfindexes } from '../node/network-state.ts';
import { NodeNetwork } from '../node/node-network.ts';
import { isLinkDeletion, isNetworkChange } from '../node/watch-network.ts';
import type { FastPathOptions } from './fast-path-options.ts';
import { type DeviceRemoval, planDeviceRemoval, planSync, type SyncInput, type SyncPlan } from './plan-sync.ts';

interface ReconcilerOptions extends Omit<FastPathOptions, 'clock'> {
  readonly loader: LoaderClient;
  /** Called when existing maps have another size than configured; they are kept. */
  readonly onSizeMismatch: (maxFlowsInUse: number) => void;
  /** Requests another sync, now or after a delay. */
  readonly request: (delayMs?: number) => void;
}

/** The state after a sync. */
export interface SyncResult {
  readonly input: SyncInput;
  readonly plan: SyncPlan;
  readonly maps: MapState;
  readonly network: NetworkState;
  readonly attached: AttachedDevices;
  /** The programs can take UDP flows. */
  readonly servesUdp: boolean;
  /** Limit per family. */
  readonly maxFlows: number;
  readonly flows: FlowCounts | undefined;
  readonly lastCollection: LastCollection | undefined;
}

/** Netlink events trigger a refresh, too; this limits the effect of a missed event. */
const NETWORK_REFRESH_MS = 10_000;
/** When a slot that was just freed can be reused. */
const OVERFLOW_RETRY_MS = 1000;

/** Run one sync at a time, and call {@link forgetMaps} after one that failed. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #eligibility: EligibilityIndex;
  readonly #nodeNetwork: NodeNetwork;
  readonly #attachments: Attachments;
  readonly #collector: FlowCollector;
  readonly #resetter: ConnectionResetter;
  #maps: MapState | undefined;
  #servesUdp = false;
  #maxFlows = 0;
  #needsNetworkRefresh = true;
  #networkRefreshedAt = Number.NEGATIVE_INFINITY;
  #hasDeletedLink = false;
  #inactiveReason: string | undefined;

  constructor(options: ReconcilerOptions) {
    const { loader, settings, engine, log } = options;
    this.#options = options;
    this.#eligibility = new EligibilityIndex(engine);
    this.#nodeNetwork = new NodeNetwork({ loader, nft: settings.nft });
    this.#attachments = new Attachments(loader);
    this.#collector = new FlowCollector({ loader, log });
    this.#resetter = new ConnectionResetter({ loader, applyToTables: options.applyToTables, log });
  }

  /** Takes over committed changes. */
  updateServices(services: readonly ServiceChange[]): void {
    this.#eligibility.update(services);
  }

  /** Since the daemon started. */
  get totals(): CollectionTotals {
    return this.#collector.totals;
  }

  /** Why the latest plan takes no new flows. */
  get inactiveReason(): string | undefined {
    return this.#inactiveReason;
  }

  get attached(): AttachedDevices {
    return this.#attachments.attached;
  }

  /** Reads the node's network and returns why the fast path must stay off on this node. */
  async findNodeConflict(now: number): Promise<string | undefined> {
    await this.#nodeNetwork.refresh();
    return await this.#nodeNetwork.nodeConflict(now);
  }

  /** Takes a line of `ip monitor`, or `undefined` if lines may be missing. Requests a sync if anything changed. */
  onNetworkEvent(line: string | undefined): void {
    if (line !== undefined && !isNetworkChange(line, this.#nodeNetwork.state)) return;
    this.#needsNetworkRefresh = true;
    if (line !== undefined && isLinkDeletion(line)) this.#hasDeletedLink = true;
    this.#options.request();
  }

  /** Makes the next sync read the maps: they may differ from the plan. */
  forgetMaps(): void {
    this.#maps = undefined;
  }

  async sync(now: number): Promise<SyncResult> {
    const maps = await this.#ensureLoaded(now);
    await this.#removeDeletedDevices(maps, now);
    await this.#attachments.refresh(now);
    await this.#refreshNetwork(maps, now);
    const input = await this.#observe(now);
    const plan = planSync(input, maps);
    this.#inactiveReason = plan.inactiveReason;
    await this.#carryOut(plan);
    if (await this.#collector.collect(maps, { frontends: plan.frontends, now })) this.#options.request();
    return {
      ...{ input, plan, maps, network: this.#nodeNetwork.state, attached: this.attached },
      ...{ servesUdp: this.#servesUdp, maxFlows: this.#maxFlows },
      ...{ flows: this.#collector.flows, lastCollection: this.#collector.last },
    };
  }

  async #ensureLoaded(now: number): Promise<MapState> {
    const { loader, settings, onSizeMismatch } = this.#options;
    if (this.#maps !== undefined && loader.isRunning) return this.#maps;
    const { isNew, udp, maxFlowsInUse } = await loader.load(settings.maxFlows);
    if (maxFlowsInUse !== settings.maxFlows) onSizeMismatch(maxFlowsInUse);
    this.#maxFlows = maxFlowsInUse;
    this.#servesUdp = udp;
    const installed = await loader.readInstalled({ isNew });
    await loader.configure({ create: true, timeouts: await readTimeouts() });
    await this.#attachments.adopt(now);
    this.#maps = new MapState(installed, now);
    // Pods that were deleted in the meantime must be found first.
    this.#needsNetworkRefresh = true;
    this.#collector.reset();
    return this.#maps;
  }

  /** Reads only the list of devices, for speed: connections to a deleted pod hang until its slots are freed. */
  async #removeDeletedDevices(maps: MapState, now: number): Promise<void> {
    if (!this.#hasDeletedLink) return;
    this.#hasDeletedLink = false;
    await this.#removeDevices(planDeviceRemoval(maps, { devices: await readIfindexes(), now }));
  }

  async #refreshNetwork(maps: MapState, now: number): Promise<void> {
    if (!this.#needsNetworkRefresh && now - this.#networkRefreshedAt < NETWORK_REFRESH_MS) return;
    this.#needsNetworkRefresh = false;
    this.#networkRefreshedAt = now;
    await this.#nodeNetwork.refresh();
    await this.#removeDevices(planDeviceRemoval(maps, { devices: this.#nodeNetwork.ifindexes, now }));
  }

  /** Resets connections first: nftables must know them before it gets their packets. */
  async #removeDevices(removal: DeviceRemoval | undefined): Promise<void> {
    if (removal === undefined) return;
    await this.#resetter.resetThrough(removal.deleted);
    await this.#options.loader.apply(removal.lines);
  }

  async #observe(now: number): Promise<SyncInput> {
    const { settings, engine, hostAddresses } = this.#options;
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
      attached: this.attached,
      flows: this.#collector.flows,
      servesUdp: this.#servesUdp,
      suspended: this.#collector.suspendedAt(now),
    };
  }

  async #carryOut({ attach, maps, detach }: SyncPlan): Promise<void> {
    await this.#attachments.attach(attach);
    await this.#options.loader.apply(maps.lines);
    if (maps.overflow.size > 0) this.#options.request(OVERFLOW_RETRY_MS);
    await this.#attachments.detach(detach);
  }
}
