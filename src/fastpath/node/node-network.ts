// The node's network as the fast path sees it: devices, their conflicts, and the locations of pods.

import { errorMessage } from '../../lib/error-message.ts';
import type { Address } from '../../net/address.ts';
import { NftProgram } from '../../nftables/client/nft-program.ts';
import type { AttachPoint, LoaderClient } from '../loader/loader-client.ts';
import { type DeviceConflict, deviceConflicts, nodeConflict } from './conflicts.ts';
import { lookUpRoutes, type NetworkState, probeNeighbors, readNetworkState, readNftNames } from './network-state.ts';
import { locatePod, type PodLocation } from './pod-location.ts';

/** How often devices and the node are checked for conflicts. */
const DEVICE_CHECK_INTERVAL_MS = 30_000;
const NODE_CHECK_INTERVAL_MS = 60_000;
/** How often an unresolved neighbor is probed. */
const PROBE_INTERVAL_MS = 10_000;
const NFT_TIMEOUT_MS = 10_000;

export interface Uplink {
  readonly name: string;
  readonly ifindex: number;
  readonly mtu: number;
  /** Why it cannot be used. */
  readonly reason: string | undefined;
}

/** The last check of a device. */
interface DeviceCheck {
  readonly ifindex: number;
  /** In milliseconds. */
  readonly at: number;
  readonly conflict: DeviceConflict | undefined;
}

/** Caches the results of its checks, and the locations of pods. All times are milliseconds. */
export class NodeNetwork {
  readonly #loader: LoaderClient;
  readonly #nft: NftProgram;
  /** By role and ifindex. */
  readonly #deviceChecks = new Map<string, DeviceCheck>();
  /** The last location of each pod, kept while its device exists: the kernel forgets neighbors that are idle. */
  readonly #lastLocations = new Map<Address, PodLocation>();
  /** When each neighbor was last probed. */
  readonly #probedAt = new Map<string, number>();
  #nftNames: { readonly at: number; readonly names: readonly string[] } | undefined;
  #state: NetworkState = {
    links: new Map(),
    neighbors: new Map(),
    stale: new Set(),
    bridgePorts: new Map(),
    defaultRouteDevices: [],
  };

  constructor(options: { readonly loader: LoaderClient; readonly nft: string }) {
    this.#loader = options.loader;
    this.#nft = new NftProgram({ command: options.nft, timeoutMs: NFT_TIMEOUT_MS });
  }

  get state(): NetworkState {
    return this.#state;
  }

  /** Ifindexes of all devices. */
  get ifindexes(): Set<number> {
    return new Set([...this.#state.links.values()].map(({ ifindex }) => ifindex));
  }

  async refresh(): Promise<void> {
    this.#state = await readNetworkState();
    const { ifindexes } = this;
    for (const [key, { ifindex }] of this.#deviceChecks) if (!ifindexes.has(ifindex)) this.#deviceChecks.delete(key);
  }

  /** Why the fast path must stay off on this node. */
  async nodeConflict(now: number): Promise<string | undefined> {
    if (this.#nftNames === undefined || now - this.#nftNames.at >= NODE_CHECK_INTERVAL_MS) {
      this.#nftNames = { at: now, names: await readNftNames(this.#nft) };
    }
    return nodeConflict(this.#state.links.keys(), this.#nftNames.names);
  }

  /** Uplinks: the devices with these names, or those with a default route. */
  async uplinks(
    names: readonly string[],
    { now, isPodInterface }: { now: number; isPodInterface: (name: string) => boolean },
  ): Promise<Uplink[]> {
    const desired = names.length > 0 ? names : this.#state.defaultRouteDevices;
    const found: Uplink[] = [];
    for (const name of desired) {
      const link = this.#state.links.get(name);
      if (link === undefined) {
        found.push({ name, ifindex: 0, mtu: 0, reason: 'no such device' });
        continue;
      }
      const { ifindex, mtu } = link;
      let reason = link.type === 'ether' ? undefined : `link type ${link.type} is not Ethernet`;
      if (isPodInterface(name)) reason ??= 'its packets count as sent by pods';
      reason ??= (await this.#checkDevice({ role: 'uplink', ifindex }, now))?.reason;
      found.push({ name, ifindex, mtu, reason });
    }
    return found;
  }

  /**
   * Finds each pod, or why it cannot be reached. Probes missing and stale neighbors: the programs do not resolve addresses,
   * and a pod need not announce a changed MAC address.
   */
  async locatePods(addresses: readonly Address[], now: number): Promise<Map<Address, PodLocation | string>> {
    const routes = await lookUpRoutes(addresses);
    const found = new Map<Address, PodLocation | string>();
    const toProbe: { device: string; address: Address }[] = [];
    for (const address of addresses) {
      const located = this.#orLastKnown(address, locatePod(address, routes.get(address), this.#state));
      if ('reason' in located) {
        found.set(address, located.reason);
        if (located.probeDevice !== undefined) toProbe.push({ device: located.probeDevice, address });
        continue;
      }
      this.#lastLocations.set(address, located);
      const device = routes.get(address)?.device;
      if (device !== undefined && this.#isStale(device, address)) toProbe.push({ device, address });
      found.set(
        address,
        applyConflict(located, await this.#checkDevice({ role: 'pod', ifindex: located.ifindex }, now)),
      );
    }
    for (const address of this.#lastLocations.keys()) if (!found.has(address)) this.#lastLocations.delete(address);
    await this.#probe(toProbe, now);
    return found;
  }

  #isStale(device: string, address: Address): boolean {
    const { neighbors, stale } = this.#state;
    const key = `${device} ${address}`;
    return !neighbors.has(key) || stale.has(key);
  }

  #orLastKnown(address: Address, located: ReturnType<typeof locatePod>): ReturnType<typeof locatePod> {
    const known = this.#lastLocations.get(address);
    const isForgotten = 'reason' in located && located.probeDevice !== undefined;
    if (known === undefined || !isForgotten) return located;
    const link = this.#state.links.get(known.device);
    return link?.ifindex === known.ifindex && link.mtu === known.mtu ? known : located;
  }

  async #probe(targets: readonly { device: string; address: Address }[], now: number): Promise<void> {
    for (const [name, at] of this.#probedAt) if (now - at >= PROBE_INTERVAL_MS) this.#probedAt.delete(name);
    const due = targets.filter(({ device, address }) => !this.#probedAt.has(`${device} ${address}`));
    for (const { device, address } of due) this.#probedAt.set(`${device} ${address}`, now);
    await probeNeighbors(due);
  }

  async #checkDevice({ role, ifindex }: AttachPoint, now: number): Promise<DeviceConflict | undefined> {
    const key = `${role} ${ifindex}`;
    const before = this.#deviceChecks.get(key);
    if (before !== undefined && now - before.at < DEVICE_CHECK_INTERVAL_MS) return before.conflict;
    const [conflict] = await this.#loader.inspectDevice(ifindex).then(
      (lines) => deviceConflicts(role, lines),
      (error: unknown) => [{ reason: errorMessage(error), isEgress: false }],
    );
    this.#deviceChecks.set(key, { ifindex, at: now, conflict });
    return conflict;
  }
}

/**
 * An egress conflict is respected by sending packets out through the pod's device. That works only for routed pods: behind
 * a bridge the packets would have to pass the bridge first.
 */
function applyConflict(located: PodLocation, conflict: DeviceConflict | undefined): PodLocation | string {
  if (conflict === undefined) return located;
  const { reason, isEgress } = conflict;
  const isRouted = located.l3if === located.ifindex;
  return isEgress && isRouted ? { ...located, egress: reason } : `${located.device}: ${reason}`;
}
