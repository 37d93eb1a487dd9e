// What the fast path has found out about this node: devices, who speaks against them, and where pods are.

import { reasonOf } from '../../lib/reason.ts';
import type { Address } from '../../net/address.ts';
import type { Programs, Role } from '../loader/programs.ts';
import { type Location, locate } from './locate.ts';
import { askForNeighbours, type Network, readNetwork, rulesetNames, waysTo } from './network.ts';
import { type DeviceObjection, deviceObjections, nodeObjection } from './objections.ts';

/** In milliseconds: how long nobody is expected to have put another program on a device. */
const LOOK_MS = 30_000;
const SIGNS_MS = 60_000;
/** In milliseconds: a neighbour that has not answered is asked again after this. */
const ASK_MS = 10_000;

export interface Uplink {
  readonly name: string;
  readonly ifindex: number;
  readonly mtu: number;
  /** Why it is not used. */
  readonly reason: string | undefined;
}

export class Surroundings {
  readonly #programs: Programs;
  readonly #nft: string;
  readonly #looks = new Map<string, { readonly at: number; readonly objection: DeviceObjection | undefined }>();
  /** Pods that were found, as long as their device is there: what is idle is forgotten by the kernel, and still there. */
  readonly #known = new Map<Address, Location>();
  /** Neighbours that were asked for, and when. */
  readonly #asked = new Map<string, number>();
  #signs: { readonly at: number; readonly names: readonly string[] } | undefined;
  #network: Network = { links: new Map(), neighbours: new Map(), unsure: new Set(), ports: new Map(), defaults: [] };

  constructor(of: { readonly programs: Programs; readonly nft: string }) {
    this.#programs = of.programs;
    this.#nft = of.nft;
  }

  get network(): Network {
    return this.#network;
  }

  /** Numbers of the devices that there are. */
  get devices(): Set<number> {
    return new Set([...this.#network.links.values()].map(({ ifindex }) => ifindex));
  }

  async read(): Promise<void> {
    this.#network = await readNetwork();
    const { devices } = this;
    for (const key of this.#looks.keys()) if (!devices.has(Number(key.split(' ')[1]))) this.#looks.delete(key);
  }

  /** What speaks against the fast path on this node at all. */
  async objection(now: number): Promise<string | undefined> {
    if (this.#signs === undefined || now - this.#signs.at >= SIGNS_MS) {
      this.#signs = { at: now, names: await rulesetNames(this.#nft) };
    }
    return nodeObjection(this.#network.links.keys(), this.#signs.names);
  }

  /** The devices that traffic from outside comes in by: those of these names, or those with a default route. */
  async uplinks(
    names: readonly string[],
    { now, isPodInterface }: { now: number; isPodInterface: (name: string) => boolean },
  ): Promise<Uplink[]> {
    const wanted = names.length > 0 ? names : this.#network.defaults;
    const found: Uplink[] = [];
    for (const name of wanted) {
      const link = this.#network.links.get(name);
      if (link === undefined) {
        found.push({ name, ifindex: 0, mtu: 0, reason: 'there is no such device' });
        continue;
      }
      const { ifindex, mtu } = link;
      let reason = link.type === 'ether' ? undefined : `it is of type ${link.type}, not Ethernet`;
      if (isPodInterface(name)) reason ??= 'what comes in by it counts as sent by pods';
      reason ??= (await this.#look('uplink', ifindex, now))?.reason;
      found.push({ name, ifindex, mtu, reason });
    }
    return found;
  }

  /**
   * Where each pod is, or why it cannot be reached. Asks for MAC addresses that are missing or old: the programs do not ask
   * who has an address, and a pod that has another one by now may never say so.
   */
  async find(addresses: readonly Address[], now: number): Promise<Map<Address, Location | string>> {
    const ways = await waysTo(addresses);
    const found = new Map<Address, Location | string>();
    const ask: { device: string; address: Address }[] = [];
    for (const address of addresses) {
      const located = this.#recall(address, locate(address, ways.get(address), this.#network));
      if ('reason' in located) {
        found.set(address, located.reason);
        if (located.ask !== undefined) ask.push({ device: located.ask, address });
        continue;
      }
      this.#known.set(address, located);
      const device = ways.get(address)?.device;
      if (device !== undefined && this.#isUnsure(device, address)) ask.push({ device, address });
      found.set(address, withObjection(located, await this.#look('pod', located.ifindex, now)));
    }
    for (const address of this.#known.keys()) if (!found.has(address)) this.#known.delete(address);
    await this.#ask(ask, now);
    return found;
  }

  #isUnsure(device: string, address: Address): boolean {
    const { neighbours, unsure } = this.#network;
    const key = `${device} ${address}`;
    return !neighbours.has(key) || unsure.has(key);
  }

  #recall(address: Address, located: ReturnType<typeof locate>): ReturnType<typeof locate> {
    const known = this.#known.get(address);
    const isForgotten = 'reason' in located && located.ask !== undefined;
    if (known === undefined || !isForgotten) return located;
    const link = this.#network.links.get(known.device);
    return link?.ifindex === known.ifindex && link.mtu === known.mtu ? known : located;
  }

  async #ask(sought: readonly { device: string; address: Address }[], now: number): Promise<void> {
    for (const [name, at] of this.#asked) if (now - at >= ASK_MS) this.#asked.delete(name);
    const due = sought.filter(({ device, address }) => !this.#asked.has(`${device} ${address}`));
    for (const { device, address } of due) this.#asked.set(`${device} ${address}`, now);
    await askForNeighbours(due);
  }

  async #look(role: Role, ifindex: number, now: number): Promise<DeviceObjection | undefined> {
    const key = `${role} ${ifindex}`;
    const before = this.#looks.get(key);
    if (before !== undefined && now - before.at < LOOK_MS) return before.objection;
    const [objection] = await this.#programs.look(ifindex).then(
      (lines) => deviceObjections(role, lines),
      (error: unknown) => [{ reason: reasonOf(error), isEgress: false }],
    );
    this.#looks.set(key, { at: now, objection });
    return objection;
  }
}

/**
 * Behind a bridge a packet that goes out by the pod's device comes from the bridge, which looks at it in its own way;
 * such pods are not reached at all.
 */
function withObjection(located: Location, objection: DeviceObjection | undefined): Location | string {
  if (objection === undefined) return located;
  const { reason, isEgress } = objection;
  const isRouted = located.l3if === located.ifindex;
  return isEgress && isRouted ? { ...located, egress: reason } : `${located.device}: ${reason}`;
}
