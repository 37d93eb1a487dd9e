// What the maps hold, and how they get from there to what is wanted: slots, bits of ports, frontends; back the other way.
import type { Prefix } from '../../net/prefix.ts';
import {
  encodeBackend,
  encodeFrontend,
  encodeFrontendKey,
  encodeNumber,
  encodeSource,
  encodeUplink,
  type Frontend,
  type FrontendKey,
} from './entries.ts';
import type { Held } from './held.ts';
import { toHex, toShortHex } from './hex.ts';
import { BACKEND_LEAVING, MAX_FRONTENDS } from './layout.ts';
import { PortBits } from './port-bits.ts';
import { MEMORY_SLOT, type PlacedBackend, Slots } from './slots.ts';

/** A frontend with its backends where they are. */
export interface PlacedFrontend {
  readonly key: FrontendKey;
  readonly servicePort: string;
  /** Each as often as its weight says. */
  readonly backends: readonly PlacedBackend[];
  /** New flows are nft's. */
  readonly pass: boolean;
}

export interface WantedTables {
  readonly frontends: readonly PlacedFrontend[];
  readonly sources: readonly Prefix[];
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
export type Overflow = 'slots' | 'frontends';

export interface Plan {
  /** Lines of a batch, in their order. */
  readonly lines: readonly string[];
  /** Frontends that stay with nft for want of room, by {@link frontendId}. */
  readonly overflow: ReadonlyMap<string, Overflow>;
}

/** In milliseconds: how long answers of a UDP endpoint that was removed are waited for. */
const ANSWERS_MS = 1000;

export function frontendId({ address, port, protocol }: FrontendKey): string {
  return `${address} ${port} ${protocol}`;
}

/** A plan counts as done as soon as it is made: after a batch that failed, a new one of these starts from what is held. */
export class Tables {
  readonly #slots: Slots;
  readonly #bits: PortBits;
  readonly #frontends: Map<string, { readonly key: FrontendKey; readonly value: Frontend }>;
  readonly #sources: Set<string>;
  readonly #uplinks: Map<number, number>;
  /** Numbers of Service ports by name, and the highest that was given. */
  readonly #numbers = new Map<string, number>();
  #lastNumber: number;
  /** Service ports that have used a frontend's port, since when none does any more. */
  readonly #usersOf = new Map<number, { numbers: Set<number>; idleSince: number }>();

  /** `now` in milliseconds. */
  constructor(held: Held, now: number) {
    this.#slots = new Slots(held.backends, held.isNew ? Number.NEGATIVE_INFINITY : now);
    this.#bits = new PortBits(held.ports);
    this.#frontends = new Map(held.frontends.map((entry) => [frontendId(entry.key), entry]));
    this.#sources = new Set(held.sources);
    this.#uplinks = new Map(held.uplinks);
    const numbers = [
      ...[...this.#slots.used].map(({ backend }) => backend.svc),
      ...held.frontends.map(({ value }) => value.svc),
    ];
    this.#lastNumber = numbers.reduce((a, b) => Math.max(a, b), 0);
    for (const port of this.#bits.set('frontends'))
      this.#usersOf.set(port, { numbers: new Set(numbers), idleSince: now });
  }

  get slots(): Slots {
    return this.#slots;
  }

  /** The keys of the frontends that are served now. */
  get dialled(): FrontendKey[] {
    return [...this.#frontends.values()].map(({ key }) => key);
  }

  /** What is served there now. */
  frontendOf(key: FrontendKey): Frontend | undefined {
    return this.#frontends.get(frontendId(key))?.value;
  }

  /** From what is held to what is wanted. `flows` is the latest count. */
  plan(wanted: WantedTables, { now, flows }: { now: number; flows: FlowCounts | undefined }): Plan {
    this.#recall(wanted.frontends);
    const { generation } = this.#slots;
    const overflow = new Map<string, Overflow>();
    const adds: string[] = [];
    const next = new Map<string, { key: FrontendKey; value: Frontend }>();
    for (const frontend of wanted.frontends) {
      const id = frontendId(frontend.key);
      const value = next.size < MAX_FRONTENDS ? this.#fill(frontend, { now, adds }) : 'frontends';
      if (typeof value === 'string') overflow.set(id, value);
      else next.set(id, { key: frontend.key, value });
    }
    const sources = this.#planSources(wanted.sources);
    const uplinks = this.#planUplinks(wanted.uplinks);
    // Bits only go on here: for what is added they are needed before its frontend.
    for (const { key, value } of next.values()) this.#begin(key.port, value.svc);
    for (const { backend } of this.#slots.used) this.#bits.put('backends', backend.port, true);
    const frontends = this.#planFrontends(next);
    const bitsOn = this.#bits.takeWrites();
    const frees = this.#release(wanted.devices, { now, flows });
    const bitsOff = this.#bits.takeWrites();
    // What is not to be taken any more goes first, and with it what new frontends would otherwise take too much of.
    const memory = this.#slots.generation > generation ? [putMemory(this.#slots.generation)] : [];
    const lines = [
      ...sources.adds,
      ...uplinks,
      ...memory,
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
  leave(devices: ReadonlySet<number>, now: number): string[] {
    const gone = new Set(
      [...this.#slots.used].flatMap((slot) => (devices.has(slot.backend.ifindex) ? [] : slot.index)),
    );
    const next = new Map([...this.#frontends].filter(([, { value }]) => !value.slots.some((slot) => gone.has(slot))));
    const frontends = this.#planFrontends(next);
    const frees = this.#release(devices, { now, flows: undefined });
    return [...frontends, ...frees, ...this.#bits.takeWrites()];
  }

  /** Numbers that were given before this process began, by the frontends that have them. */
  #recall(wanted: readonly PlacedFrontend[]): void {
    const taken = new Set(this.#numbers.values());
    for (const { key, servicePort } of wanted) {
      const held = this.#frontends.get(frontendId(key))?.value.svc;
      if (held === undefined || taken.has(held) || this.#numbers.has(servicePort)) continue;
      this.#numbers.set(servicePort, held);
      taken.add(held);
    }
  }

  #numberOf(servicePort: string): number {
    const known = this.#numbers.get(servicePort) ?? ++this.#lastNumber;
    this.#numbers.set(servicePort, known);
    return known;
  }

  /** The frontend's value, with a slot for each of its backends. */
  #fill(frontend: PlacedFrontend, { now, adds }: { now: number; adds: string[] }): Frontend | Overflow {
    const svc = this.#numberOf(frontend.servicePort);
    const slots: number[] = [];
    for (const backend of frontend.backends) {
      const known = this.#slots.find(svc, backend);
      const slot = known === undefined ? this.#slots.take(svc, backend, now) : this.#slots.follow(known, backend);
      const index = known ?? slot?.index;
      if (index === undefined) return 'slots';
      if (slot !== undefined) adds.push(putSlot(index, encodeBackend(slot.backend)));
      slots.push(index);
    }
    return { svc, pass: frontend.pass, slots };
  }

  #begin(port: number, svc: number): void {
    const users = this.#usersOf.get(port) ?? { numbers: new Set<number>(), idleSince: 0 };
    users.numbers.add(svc);
    this.#usersOf.set(port, users);
    this.#bits.put('frontends', port, true);
  }

  #planFrontends(next: ReadonlyMap<string, { key: FrontendKey; value: Frontend }>): string[] {
    const removed = [...this.#frontends].filter(([id]) => !next.has(id)).map(([, { key }]) => key);
    const changed = [...next].filter(([id, { value }]) => !isSame(this.#frontends.get(id)?.value, value));
    const lines = [
      ...removed.map((key) => `del fe ${toHex(encodeFrontendKey(key))}`),
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
  #release(devices: ReadonlySet<number>, { now, flows }: { now: number; flows: FlowCounts | undefined }): string[] {
    const ledTo = new Set([...this.#frontends.values()].flatMap(({ value }) => value.slots));
    const lines: string[] = [];
    for (const { index, backend } of [...this.#slots.used]) {
      this.#slots.lead(index, { isLedTo: ledTo.has(index), now });
      const idleSince = this.#slots.get(index)?.idleSince;
      if (idleSince === undefined) continue;
      const isDone = flows !== undefined && flows.at > idleSince && !flows.bySlot.has(index);
      if (backend.protocol === 'udp' && (backend.flags & BACKEND_LEAVING) === 0) {
        const leaving = this.#slots.follow(index, { ...backend, flags: backend.flags | BACKEND_LEAVING });
        if (leaving !== undefined) lines.push(putSlot(index, encodeBackend(leaving.backend)));
      }
      const hasLeft = backend.protocol === 'udp' && now - idleSince >= ANSWERS_MS;
      if (!hasLeft && devices.has(backend.ifindex) && !isDone) continue;
      this.#slots.free(index, now);
      lines.push(putSlot(index, encodeBackend({ ...backend, gen: 0 })));
    }
    this.#clearBits({ now, flows });
    return lines;
  }

  /** A frontend's port is looked at until the last flow that came by it is over. */
  #clearBits({ now, flows }: { now: number; flows: FlowCounts | undefined }): void {
    const backendPorts = new Set([...this.#slots.used].map(({ backend }) => backend.port));
    for (const port of this.#bits.set('backends')) if (!backendPorts.has(port)) this.#bits.put('backends', port, false);
    const inUse = new Set([...this.#frontends.values()].map(({ key }) => key.port));
    const withFlows = new Set<number>();
    for (const { index, backend } of this.#slots.used) if (flows?.bySlot.has(index)) withFlows.add(backend.svc);
    const withSlots = new Set([...this.#slots.used].map(({ backend }) => backend.svc));
    for (const [port, users] of [...this.#usersOf]) {
      if (inUse.has(port)) users.idleSince = 0;
      else if (users.idleSince === 0) users.idleSince = now;
      if (users.idleSince === 0) continue;
      const isCounted = flows !== undefined && flows.at > users.idleSince;
      const isBusy = [...users.numbers].some((svc) => withSlots.has(svc) && (!isCounted || withFlows.has(svc)));
      if (isBusy) continue;
      this.#usersOf.delete(port);
      this.#bits.put('frontends', port, false);
    }
  }

  #planSources(wanted: readonly Prefix[]): { adds: string[]; dels: string[] } {
    const one = toHex(encodeNumber(1));
    const keys = new Set(wanted.map(sourceKey));
    const adds = [...keys].filter((key) => !this.#sources.has(key)).map((key) => `put ${key} ${one}`);
    const dels = [...this.#sources].filter((key) => !keys.has(key)).map((key) => `del ${key}`);
    this.#sources.clear();
    for (const key of keys) this.#sources.add(key);
    return { adds, dels };
  }

  #planUplinks(wanted: ReadonlyMap<number, number>): string[] {
    const gone = [...this.#uplinks.keys()].filter((ifindex) => !wanted.has(ifindex));
    const changed = [...wanted].filter(([ifindex, mtu]) => this.#uplinks.get(ifindex) !== mtu);
    this.#uplinks.clear();
    for (const [ifindex, mtu] of wanted) this.#uplinks.set(ifindex, mtu);
    return [
      ...gone.map((ifindex) => `del uplinks ${toHex(encodeNumber(ifindex))}`),
      ...changed.map(([ifindex, mtu]) => `put uplinks ${toHex(encodeNumber(ifindex))} ${toHex(encodeUplink(mtu))}`),
    ];
  }
}

/** Map and key, as requests name them. */
export function sourceKey({ family, text, length }: Prefix): string {
  const [address = ''] = text.split('/');
  return `src${family === 'ip' ? 4 : 6} ${toHex(encodeSource(address, length))}`;
}

function putFrontend(key: FrontendKey, value: Frontend): string {
  return `put fe ${toHex(encodeFrontendKey(key))} ${toShortHex(encodeFrontend(value))}`;
}

function putSlot(index: number, value: Uint8Array): string {
  return `put be ${toHex(encodeNumber(index))} ${toHex(value)}`;
}

function putMemory(generation: number): string {
  const nothing = { address: '0.0.0.0', port: 0, protocol: 'tcp', flags: 0, ifindex: 0, l3if: 0, mtu: 0 } as const;
  const [mac, gatewayMac] = [new Uint8Array(6), new Uint8Array(6)];
  return putSlot(MEMORY_SLOT, encodeBackend({ ...nothing, mac, gatewayMac, gen: 0, svc: generation }));
}

function isSame(before: Frontend | undefined, after: Frontend): boolean {
  if (before === undefined || before.svc !== after.svc || before.pass !== after.pass) return false;
  return before.slots.length === after.slots.length && before.slots.every((slot, i) => slot === after.slots[i]);
}
