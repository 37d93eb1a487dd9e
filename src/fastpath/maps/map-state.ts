// What the maps hold, and the requests that bring them to the desired state.
import type { Prefix } from '../../net/prefix.ts';
import type { FrontendKey, FrontendValue } from './entries.ts';
import { EntrySet } from './entry-set.ts';
import { type FrontendEntry, FrontendTable, frontendId } from './frontend-table.ts';
import { BACKEND_REPLY_ONLY, MAX_FRONTENDS } from './layout.ts';
import type { Installed } from './map-dump.ts';
import { PortUsage } from './port-usage.ts';
import {
  freeBackend,
  putBackend,
  putGeneration,
  SOURCE_VALUE,
  sourceEntry,
  uplinkEntry,
  uplinkValue,
} from './requests.ts';
import { ServicePortIds } from './service-port-ids.ts';
import { type ResolvedBackend, type Slot, Slots } from './slots.ts';

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

export interface MapPlan {
  /** Lines of a batch, in their order. */
  readonly lines: readonly string[];
  /** Frontends that stay with nft for want of room, by {@link frontendId}. */
  readonly overflow: ReadonlyMap<string, ExceededLimit>;
}

/** In milliseconds, and the latest count of flows. */
interface PlanTime {
  readonly now: number;
  readonly flows: FlowCounts | undefined;
}

/** In milliseconds: how long answers of a UDP endpoint that was removed are waited for. */
const REPLY_GRACE_MS = 1000;

/** A plan counts as done as soon as it is made: after a batch that failed, a new one of these starts from what is held. */
export class MapState {
  readonly #slots: Slots;
  readonly #frontends: FrontendTable;
  readonly #ports: PortUsage;
  readonly #servicePortIds: ServicePortIds;
  readonly #excludedSources: EntrySet;
  readonly #uplinks: EntrySet;

  /** `now` in milliseconds. */
  constructor(installed: Installed, now: number) {
    const { backends, frontends, ports, sources, uplinks, isNew } = installed;
    this.#slots = new Slots(backends, isNew ? Number.NEGATIVE_INFINITY : now);
    this.#frontends = new FrontendTable(frontends);
    const servicePortIds = [
      ...[...this.#slots.used].map(({ backend }) => backend.svc),
      ...frontends.map(({ value }) => value.svc),
    ];
    this.#ports = new PortUsage(ports, { servicePortIds, now });
    this.#servicePortIds = new ServicePortIds(servicePortIds);
    this.#excludedSources = new EntrySet(new Map(sources.map((entry) => [entry, SOURCE_VALUE])));
    this.#uplinks = new EntrySet(uplinkEntries(uplinks));
  }

  get slots(): Slots {
    return this.#slots;
  }

  /** The keys of the frontends that are served now. */
  get frontendKeys(): FrontendKey[] {
    return [...this.#frontends.entries].map(({ key }) => key);
  }

  /** What is served there now. */
  frontendOf(key: FrontendKey): FrontendValue | undefined {
    return this.#frontends.get(key);
  }

  /** From what is held to what is wanted. */
  plan(desired: DesiredMaps, { now, flows }: PlanTime): MapPlan {
    const { generation } = this.#slots;
    const sources = this.#excludedSources.replace(
      new Map(desired.excludedSources.map((prefix) => [sourceEntry(prefix), SOURCE_VALUE])),
    );
    const uplinks = this.#uplinks.replace(uplinkEntries(desired.uplinks));
    const { entries, adds, overflow } = this.#allocateFrontends(desired.frontends, now);
    // Bits only go on here: for what is added they are needed before its frontend.
    this.#setPortBits(entries);
    const bitsOn = this.#ports.takeWrites();
    const frontends = this.#frontends.replace(entries);
    const frees = this.#freeUnused(desired.devices, { now, flows });
    const bitsOff = this.#ports.takeWrites();
    const lines = [
      // What is not to be taken any more goes first, and with it what new frontends would otherwise take too much of.
      ...[...sources.puts, ...uplinks.deletes, ...uplinks.puts],
      ...(this.#slots.generation > generation ? [putGeneration(this.#slots.generation)] : []),
      ...[...adds, ...bitsOn, ...frontends, ...frees, ...bitsOff],
      ...sources.deletes,
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
    const kept = [...this.#frontends.entries].filter(({ value }) => !value.slots.some((slot) => gone.has(slot)));
    const frontends = this.#frontends.replace(kept);
    const frees = this.#freeUnused(devices, { now, flows: undefined });
    return [...frontends, ...frees, ...this.#ports.takeWrites()];
  }

  /** The frontends' entries, each with a slot for each of its backends, and the requests for new and changed slots. */
  #allocateFrontends(desired: readonly ResolvedFrontend[], now: number) {
    this.#adoptServicePortIds(desired);
    const overflow = new Map<string, ExceededLimit>();
    const adds: string[] = [];
    const entries = new Map<string, FrontendEntry>();
    for (const frontend of desired) {
      const { key } = frontend;
      const value = entries.size < MAX_FRONTENDS ? this.#allocateSlots(frontend, { now, adds }) : 'frontends';
      if (typeof value === 'string') overflow.set(frontendId(key), value);
      else entries.set(frontendId(key), { key, value });
    }
    return { entries: [...entries.values()], adds, overflow };
  }

  /** Numbers that were given before this process began, by the frontends that have them. */
  #adoptServicePortIds(desired: readonly ResolvedFrontend[]): void {
    this.#servicePortIds.adopt(
      desired.flatMap(({ key, servicePort }) => {
        const installed = this.#frontends.get(key);
        return installed === undefined ? [] : { servicePort, id: installed.svc };
      }),
    );
  }

  /** The frontend's value, with a slot for each of its backends. */
  #allocateSlots(
    { servicePort, backends, suspended }: ResolvedFrontend,
    { now, adds }: { now: number; adds: string[] },
  ): FrontendValue | ExceededLimit {
    const svc = this.#servicePortIds.idOf(servicePort);
    const slots: number[] = [];
    for (const backend of backends) {
      const known = this.#slots.find(svc, backend);
      const slot =
        known === undefined ? this.#slots.allocate(backend, { svc, now }) : this.#slots.updatePath(known, backend);
      const index = known ?? slot?.index;
      if (index === undefined) return 'slots';
      if (slot !== undefined) adds.push(putBackend(index, slot.backend));
      slots.push(index);
    }
    return { svc, suspended, slots };
  }

  #setPortBits(entries: readonly FrontendEntry[]): void {
    for (const { key, value } of entries) this.#ports.addFrontend(key.port, value.svc);
    for (const { backend } of this.#slots.used) this.#ports.addBackend(backend.port);
  }

  /** Frees slots that no frontend leads to: at once where the pod's device has gone, otherwise when their flows are over. */
  #freeUnused(devices: ReadonlySet<number>, at: PlanTime): string[] {
    const referenced = this.#frontends.slots;
    const lines: string[] = [];
    for (const { index } of [...this.#slots.used]) {
      this.#slots.setReferenced(index, { isReferenced: referenced.has(index), now: at.now });
      const slot = this.#slots.get(index);
      if (slot?.idleSince !== undefined) lines.push(...this.#drain(slot, slot.idleSince, { ...at, devices }));
    }
    this.#clearPortBits(at);
    return lines;
  }

  /** One slot that no frontend leads to. UDP leaves first: its flows go elsewhere, and answers on their way still come through. */
  #drain(
    { index, backend }: Slot,
    idleSince: number,
    { now, flows, devices }: PlanTime & { readonly devices: ReadonlySet<number> },
  ): string[] {
    const lines: string[] = [];
    const isUdp = backend.protocol === 'udp';
    if (isUdp && (backend.flags & BACKEND_REPLY_ONLY) === 0) {
      const replyOnly = this.#slots.updatePath(index, { ...backend, flags: backend.flags | BACKEND_REPLY_ONLY });
      if (replyOnly !== undefined) lines.push(putBackend(index, replyOnly.backend));
    }
    const isDone = flows !== undefined && flows.at > idleSince && !flows.bySlot.has(index);
    const isGraceOver = isUdp && now - idleSince >= REPLY_GRACE_MS;
    if (!isGraceOver && devices.has(backend.ifindex) && !isDone) return lines;
    this.#slots.free(index, now);
    return [...lines, freeBackend(index, backend)];
  }

  #clearPortBits({ now, flows }: PlanTime): void {
    const used = [...this.#slots.used];
    const busy = flows && used.filter(({ index }) => flows.bySlot.has(index)).map(({ backend }) => backend.svc);
    this.#ports.clearUnused({
      now,
      frontendPorts: new Set([...this.#frontends.entries].map(({ key }) => key.port)),
      backends: used.map(({ backend }) => backend),
      flows: flows && { at: flows.at, servicePortIds: new Set(busy) },
    });
  }
}

function uplinkEntries(mtuByIfindex: ReadonlyMap<number, number>): Map<string, string> {
  return new Map([...mtuByIfindex].map(([ifindex, mtu]) => [uplinkEntry(ifindex), uplinkValue(mtu)]));
}
