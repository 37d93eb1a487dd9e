// The state of the maps, and the requests that change it into the desired state.

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

/** A frontend with the paths to its backends. */
export interface ResolvedFrontend {
  readonly key: FrontendKey;
  readonly servicePort: string;
  /** Repeated by weight. */
  readonly backends: readonly ResolvedBackend[];
  /** nftables serves new flows. */
  readonly suspended: boolean;
}

export interface DesiredMaps {
  readonly frontends: readonly ResolvedFrontend[];
  readonly excludedSources: readonly Prefix[];
  /** MTU of the uplinks by ifindex. */
  readonly uplinks: ReadonlyMap<number, number>;
  /** Ifindexes of all existing devices. */
  readonly devices: ReadonlySet<number>;
}

/** Live flows by slot. The count started at `at`, in milliseconds. */
export interface FlowCounts {
  readonly at: number;
  readonly bySlot: ReadonlyMap<number, number>;
}

/** The limit that a frontend exceeds. */
type ExceededLimit = 'slots' | 'frontends';

export interface MapPlan {
  /** Requests, in order. */
  readonly lines: readonly string[];
  /** Frontends that do not fit into the maps, by {@link frontendId}. */
  readonly overflow: ReadonlyMap<string, ExceededLimit>;
}

interface PlanTime {
  /** In milliseconds. */
  readonly now: number;
  /** The latest count; `undefined` before the first. */
  readonly flows: FlowCounts | undefined;
}

/** How long replies of a removed UDP endpoint are still forwarded. */
const REPLY_GRACE_MS = 1000;

/** Planning changes the state as if the requests had succeeded. After a failure, read the maps into a new instance. */
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

  /** Keys of the installed frontends. */
  get frontendKeys(): FrontendKey[] {
    return [...this.#frontends.entries].map(({ key }) => key);
  }

  frontendOf(key: FrontendKey): FrontendValue | undefined {
    return this.#frontends.get(key);
  }

  /** Plans the change from the current to the desired state. */
  plan(desired: DesiredMaps, { now, flows }: PlanTime): MapPlan {
    const { generation } = this.#slots;
    const sources = this.#excludedSources.replace(
      new Map(desired.excludedSources.map((prefix) => [sourceEntry(prefix), SOURCE_VALUE])),
    );
    const uplinks = this.#uplinks.replace(uplinkEntries(desired.uplinks));
    const { entries, adds, overflow } = this.#allocateFrontends(desired.frontends, now);
    // The bits of new ports must be set before their frontends are added.
    this.#setPortBits(entries);
    const bitsOn = this.#ports.takeWrites();
    const frontends = this.#frontends.replace(entries);
    const frees = this.#freeUnused(desired.devices, { now, flows });
    const bitsOff = this.#ports.takeWrites();
    const lines = [
      // Exclusions first, so that new frontends do not take excluded flows.
      ...[...sources.puts, ...uplinks.deletes, ...uplinks.puts],
      ...(this.#slots.generation > generation ? [putGeneration(this.#slots.generation)] : []),
      ...[...adds, ...bitsOn, ...frontends, ...frees, ...bitsOff],
      ...sources.deletes,
    ];
    return { lines, overflow };
  }

  /**
   * Removes the frontends whose pods are behind deleted devices, and frees their slots, without a full plan.
   * `devices` are the ifindexes of all existing devices.
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

  /** Returns the entries of the frontends, with a slot for each backend, and the requests for new and changed slots. */
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

  /** Keeps the numbers that a previous process assigned, recognized by the frontends. */
  #adoptServicePortIds(desired: readonly ResolvedFrontend[]): void {
    this.#servicePortIds.adopt(
      desired.flatMap(({ key, servicePort }) => {
        const installed = this.#frontends.get(key);
        return installed === undefined ? [] : { servicePort, id: installed.svc };
      }),
    );
  }

  /** Returns the value of a frontend, with a slot for each backend. */
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

  /** Frees slots without a frontend: immediately if the pod's device was deleted, otherwise after their last flow. */
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

  /** Drains a slot without a frontend. UDP clients move to another backend first; replies in flight are still forwarded. */
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
