// What the maps hold, and how they get from there to what is wanted: slots, bits of ports, frontends; back the other way.
import type { Prefix } from '../../net/prefix.ts';
import {
  encodeBackend,
  encodeFrontend,
  encodeFrontendKey,
  encodeSource,
  encodeU32,
  encodeUplink,
  type FrontendKey,
  type FrontendValue,
} from './entries.ts';
import { toHex, toShortHex } from './hex.ts';
import { BACKEND_REPLY_ONLY, MAX_FRONTENDS } from './layout.ts';
import type { Installed } from './map-dump.ts';
import { PortBitmap } from './port-bitmap.ts';
import { GENERATION_SLOT, type ResolvedBackend, Slots } from './slots.ts';

/** A frontend with its backends where they are. */
export interface ResolvedFrontend {
  readonly key: FrontendKey;
  readonly servicePort: string;
  /** Each as often as its weight says. */
  readonly backends: readonly ResolvedBackend[];
  /** New flows are nft's. */
  readonly suspended: boolean;
}

export interface DesiredMaps {
  readonly frontends: readonly ResolvedFrontend[];
  readonly excludedSources: readonly Prefix[];
  /** Devices that traffic from outside comes in by, with their MTU. */
  readonly uplinks: ReadonlyMap<number, number>;
  /** Numbers of the devices that there are. */
  readonly devices: ReadonlySet<number>;
}

/** Flows of each slot that has any, as they were counted from `at` on; in milliseconds. */
export interface FlowCounts {
  readonly at: number;
  readonly bySlot: ReadonlyMap<number, number>;
}

/** What there is no room for. */
export type ExceededLimit = 'slots' | 'frontends';

export interface Plan {
  /** Lines of a batch, in their order. */
  readonly lines: readonly string[];
  /** Frontends that stay with nft for want of room, by {@link frontendId}. */
  readonly overflow: ReadonlyMap<string, ExceededLimit>;
}

/** In milliseconds: how long answers of a UDP endpoint that was removed are waited for. */
const REPLY_GRACE_MS = 1000;

export function frontendId({ address, port, protocol }: FrontendKey): string {
  return `${address} ${port} ${protocol}`;
}

/** A plan counts as done as soon as it is made: after a batch that failed, a new one of these starts from what is held. */
export class MapState {
  readonly #slots: Slots;
  readonly #portBitmap: PortBitmap;
  readonly #frontends: Map<string, { readonly key: FrontendKey; readonly value: FrontendValue }>;
  readonly #excludedSources: Set<string>;
  readonly #uplinks: Map<number, number>;
  /** Numbers of Service ports by name, and the highest that was given. */
  readonly #servicePortIds = new Map<string, number>();
  #lastServicePortId: number;
  /** Service ports that have used a frontend's port, since when none does any more. */
  readonly #portUsers = new Map<number, { servicePortIds: Set<number>; idleSince: number }>();

  /** `now` in milliseconds. */
  constructor(installed: Installed, now: number) {
    this.#slots = new Slots(installed.backends, installed.isNew ? Number.NEGATIVE_INFINITY : now);
    this.#portBitmap = new PortBitmap(installed.ports);
    this.#frontends = new Map(installed.frontends.map((entry) => [frontendId(entry.key), entry]));
    this.#excludedSources = new Set(installed.sources);
    this.#uplinks = new Map(installed.uplinks);
    const servicePortIds = [
      ...[...this.#slots.used].map(({ backend }) => backend.svc),
      ...installed.frontends.map(({ value }) => value.svc),
    ];
    this.#lastServicePortId = servicePortIds.reduce((a, b) => Math.max(a, b), 0);
    for (const port of this.#portBitmap.ports('frontends'))
      this.#portUsers.set(port, { servicePortIds: new Set(servicePortIds), idleSince: now });
  }

  get slots(): Slots {
    return this.#slots;
  }

  /** The keys of the frontends that are served now. */
  get frontendKeys(): FrontendKey[] {
    return [...this.#frontends.values()].map(({ key }) => key);
  }

  /** What is served there now. */
  frontendOf(key: FrontendKey): FrontendValue | undefined {
    return this.#frontends.get(frontendId(key))?.value;
  }

  /** From what is held to what is wanted. `flows` is the latest count. */
  plan(desired: DesiredMaps, { now, flows }: { now: number; flows: FlowCounts | undefined }): Plan {
    this.#adoptServicePortIds(desired.frontends);
    const { generation } = this.#slots;
    const overflow = new Map<string, ExceededLimit>();
    const adds: string[] = [];
    const next = new Map<string, { key: FrontendKey; value: FrontendValue }>();
    for (const frontend of desired.frontends) {
      const id = frontendId(frontend.key);
      const value = next.size < MAX_FRONTENDS ? this.#allocateSlots(frontend, { now, adds }) : 'frontends';
      if (typeof value === 'string') overflow.set(id, value);
      else next.set(id, { key: frontend.key, value });
    }
    const sources = this.#planExcludedSources(desired.excludedSources);
    const uplinks = this.#planUplinks(desired.uplinks);
    // Bits only go on here: for what is added they are needed before its frontend.
    for (const { key, value } of next.values()) this.#markPortUsed(key.port, value.svc);
    for (const { backend } of this.#slots.used) this.#portBitmap.assign('backends', backend.port, true);
    const frontends = this.#planFrontends(next);
    const bitsOn = this.#portBitmap.takeWrites();
    const frees = this.#freeUnused(desired.devices, { now, flows });
    const bitsOff = this.#portBitmap.takeWrites();
    // What is not to be taken any more goes first, and with it what new frontends would otherwise take too much of.
    const generationLines = this.#slots.generation > generation ? [putGeneration(this.#slots.generation)] : [];
    const lines = [
      ...sources.adds,
      ...uplinks,
      ...generationLines,
      ...adds,
      ...bitsOn,
      ...frontends,
      ...frees,
      ...bitsOff,
      ...sources.dels,
    ];
    return { lines, overflow };
  }

  /**
   * What does not wait for a plan when devices have gone: frontends that lead there become nft's, and slots are freed.
   * `devices` are the numbers of those that there are.
   */
  removeDevices(devices: ReadonlySet<number>, now: number): string[] {
    const gone = new Set(
      [...this.#slots.used].flatMap((slot) => (devices.has(slot.backend.ifindex) ? [] : slot.index)),
    );
    const next = new Map([...this.#frontends].filter(([, { value }]) => !value.slots.some((slot) => gone.has(slot))));
    const frontends = this.#planFrontends(next);
    const frees = this.#freeUnused(devices, { now, flows: undefined });
    return [...frontends, ...frees, ...this.#portBitmap.takeWrites()];
  }

  /** Numbers that were given before this process began, by the frontends that have them. */
  #adoptServicePortIds(desired: readonly ResolvedFrontend[]): void {
    const taken = new Set(this.#servicePortIds.values());
    for (const { key, servicePort } of desired) {
      const installed = this.#frontends.get(frontendId(key))?.value.svc;
      if (installed === undefined || taken.has(installed) || this.#servicePortIds.has(servicePort)) continue;
      this.#servicePortIds.set(servicePort, installed);
      taken.add(installed);
    }
  }

  #servicePortId(servicePort: string): number {
    const known = this.#servicePortIds.get(servicePort) ?? ++this.#lastServicePortId;
    this.#servicePortIds.set(servicePort, known);
    return known;
  }

  /** The frontend's value, with a slot for each of its backends. */
  #allocateSlots(
    frontend: ResolvedFrontend,
    { now, adds }: { now: number; adds: string[] },
  ): FrontendValue | ExceededLimit {
    const svc = this.#servicePortId(frontend.servicePort);
    const slots: number[] = [];
    for (const backend of frontend.backends) {
      const known = this.#slots.find(svc, backend);
      const slot =
        known === undefined ? this.#slots.allocate(svc, backend, now) : this.#slots.updatePath(known, backend);
      const index = known ?? slot?.index;
      if (index === undefined) return 'slots';
      if (slot !== undefined) adds.push(putSlot(index, encodeBackend(slot.backend)));
      slots.push(index);
    }
    return { svc, suspended: frontend.suspended, slots };
  }

  #markPortUsed(port: number, svc: number): void {
    const users = this.#portUsers.get(port) ?? { servicePortIds: new Set<number>(), idleSince: 0 };
    users.servicePortIds.add(svc);
    this.#portUsers.set(port, users);
    this.#portBitmap.assign('frontends', port, true);
  }

  #planFrontends(next: ReadonlyMap<string, { key: FrontendKey; value: FrontendValue }>): string[] {
    const removed = [...this.#frontends].filter(([id]) => !next.has(id)).map(([, { key }]) => key);
    const changed = [...next].filter(([id, { value }]) => !isSame(this.#frontends.get(id)?.value, value));
    const lines = [
      ...removed.map((key) => `del frontends ${toHex(encodeFrontendKey(key))}`),
      ...changed.map(([, { key, value }]) => putFrontend(key, value)),
    ];
    this.#frontends.clear();
    for (const [id, entry] of next) this.#frontends.set(id, entry);
    return lines;
  }

  /**
   * Frees slots that no frontend leads to: at once where the pod's device has gone, otherwise when their flows are over.
   * Those of UDP leave first: their flows go elsewhere, while answers on their way still come through.
   */
  #freeUnused(devices: ReadonlySet<number>, { now, flows }: { now: number; flows: FlowCounts | undefined }): string[] {
    const referenced = new Set([...this.#frontends.values()].flatMap(({ value }) => value.slots));
    const lines: string[] = [];
    for (const { index, backend } of [...this.#slots.used]) {
      this.#slots.setReferenced(index, { isReferenced: referenced.has(index), now });
      const idleSince = this.#slots.get(index)?.idleSince;
      if (idleSince === undefined) continue;
      const isDone = flows !== undefined && flows.at > idleSince && !flows.bySlot.has(index);
      if (backend.protocol === 'udp' && (backend.flags & BACKEND_REPLY_ONLY) === 0) {
        const replyOnly = this.#slots.updatePath(index, { ...backend, flags: backend.flags | BACKEND_REPLY_ONLY });
        if (replyOnly !== undefined) lines.push(putSlot(index, encodeBackend(replyOnly.backend)));
      }
      const isGraceOver = backend.protocol === 'udp' && now - idleSince >= REPLY_GRACE_MS;
      if (!isGraceOver && devices.has(backend.ifindex) && !isDone) continue;
      this.#slots.free(index, now);
      lines.push(putSlot(index, encodeBackend({ ...backend, gen: 0 })));
    }
    this.#clearBits({ now, flows });
    return lines;
  }

  /** A frontend's port is looked at until the last flow that came by it is over. */
  #clearBits({ now, flows }: { now: number; flows: FlowCounts | undefined }): void {
    const backendPorts = new Set([...this.#slots.used].map(({ backend }) => backend.port));
    for (const port of this.#portBitmap.ports('backends'))
      if (!backendPorts.has(port)) this.#portBitmap.assign('backends', port, false);
    const inUse = new Set([...this.#frontends.values()].map(({ key }) => key.port));
    const withFlows = new Set<number>();
    for (const { index, backend } of this.#slots.used) if (flows?.bySlot.has(index)) withFlows.add(backend.svc);
    const withSlots = new Set([...this.#slots.used].map(({ backend }) => backend.svc));
    for (const [port, users] of [...this.#portUsers]) {
      if (inUse.has(port)) users.idleSince = 0;
      else if (users.idleSince === 0) users.idleSince = now;
      if (users.idleSince === 0) continue;
      const isCounted = flows !== undefined && flows.at > users.idleSince;
      const isBusy = [...users.servicePortIds].some((svc) => withSlots.has(svc) && (!isCounted || withFlows.has(svc)));
      if (isBusy) continue;
      this.#portUsers.delete(port);
      this.#portBitmap.assign('frontends', port, false);
    }
  }

  #planExcludedSources(desired: readonly Prefix[]): { adds: string[]; dels: string[] } {
    const one = toHex(encodeU32(1));
    const keys = new Set(desired.map(sourceKey));
    const adds = [...keys].filter((key) => !this.#excludedSources.has(key)).map((key) => `put ${key} ${one}`);
    const dels = [...this.#excludedSources].filter((key) => !keys.has(key)).map((key) => `del ${key}`);
    this.#excludedSources.clear();
    for (const key of keys) this.#excludedSources.add(key);
    return { adds, dels };
  }

  #planUplinks(desired: ReadonlyMap<number, number>): string[] {
    const gone = [...this.#uplinks.keys()].filter((ifindex) => !desired.has(ifindex));
    const changed = [...desired].filter(([ifindex, mtu]) => this.#uplinks.get(ifindex) !== mtu);
    this.#uplinks.clear();
    for (const [ifindex, mtu] of desired) this.#uplinks.set(ifindex, mtu);
    return [
      ...gone.map((ifindex) => `del uplinks ${toHex(encodeU32(ifindex))}`),
      ...changed.map(([ifindex, mtu]) => `put uplinks ${toHex(encodeU32(ifindex))} ${toHex(encodeUplink(mtu))}`),
    ];
  }
}

/** Map and key, as requests name them. */
export function sourceKey({ family, text, length }: Prefix): string {
  const [address = ''] = text.split('/');
  return `sources_v${family === 'ip' ? 4 : 6} ${toHex(encodeSource(address, length))}`;
}

function putFrontend(key: FrontendKey, value: FrontendValue): string {
  return `put frontends ${toHex(encodeFrontendKey(key))} ${toShortHex(encodeFrontend(value))}`;
}

function putSlot(index: number, value: Uint8Array): string {
  return `put backends ${toHex(encodeU32(index))} ${toHex(value)}`;
}

function putGeneration(generation: number): string {
  const empty = { address: '0.0.0.0', port: 0, protocol: 'tcp', flags: 0, ifindex: 0, l3if: 0, mtu: 0 } as const;
  const [mac, gatewayMac] = [new Uint8Array(6), new Uint8Array(6)];
  return putSlot(GENERATION_SLOT, encodeBackend({ ...empty, mac, gatewayMac, gen: 0, svc: generation }));
}

function isSame(before: FrontendValue | undefined, after: FrontendValue): boolean {
  if (before === undefined || before.svc !== after.svc || before.suspended !== after.suspended) return false;
  return before.slots.length === after.slots.length && before.slots.every((slot, i) => slot === after.slots[i]);
}
