// The fast path at work: follows Services, pods and devices, and keeps the programs and their maps in step with them.
import { once } from 'node:events';
import type { Engine } from '../engine/engine.ts';
import type { FastPathView } from '../inspect/fast-path-view.ts';
import type { Address } from '../net/address.ts';
import { Loop } from '../sync/loop.ts';
import type { Clock } from '../sys/clock.ts';
import type { Log } from '../sys/log.ts';
import { DemandBook } from './demand-book.ts';
import type { Location } from './locate.ts';
import { place } from './place.ts';
import { type Collected, type Probe, Programs } from './programs.ts';
import type { PlacedBackend } from './slots.ts';
import { excludedSources, isPodInterface } from './sources.ts';
import { Surroundings, type Uplink } from './surroundings.ts';
import { type FlowCounts, type PlacedFrontend, type Plan, Tables } from './tables.ts';
import { readTimeouts } from './timeouts.ts';
import { emptyView, type Seen, viewOf } from './view.ts';
import { isNews, watchNetwork } from './watch-network.ts';
import { Watchdog } from './watchdog.ts';

export interface FastPathSettings {
  readonly mode: 'auto' | 'required';
  /** Names of devices; empty for those with a default route. */
  readonly uplinks: readonly string[];
  /** Where everything is pinned: a directory of a BPF file system. */
  readonly directory: string;
  /** The loader. */
  readonly program: string;
  /** Of each family, if the maps are made anew. */
  readonly maxFlows: number;
  readonly nft: string;
}

export interface FastPathParts {
  readonly settings: FastPathSettings;
  readonly engine: Pick<Engine, 'onCompiled' | 'store' | 'node' | 'model' | 'refusals' | 'options'>;
  /** The addresses of the host's interfaces, as they are now. */
  readonly hostAddresses: () => readonly Address[];
  readonly log: Log;
  readonly clock: Clock;
}

/** It is required, and this machine cannot have it. */
export class FastPathUnusable extends Error {
  override readonly name = 'FastPathUnusable';
}

const TICK_MS = 3000;
/** A pod that goes is noticed at once, a stream of news costs at most ten looks a second. */
const SPACING_MS = 100;
/** Devices and routes are read again after this at the latest, whatever was heard of them. */
const READ_MS = 10_000;
/** In milliseconds: how long a Service port whose answers did not come is left to nft. */
const PENALTY_MS = 600_000;

/** Listens to the engine and to the kernel. Never in the way of the daemon: where it fails, nft has everything. */
export class FastPath {
  readonly #parts: FastPathParts;
  readonly #programs: Programs;
  readonly #book: DemandBook;
  readonly #surroundings: Surroundings;
  readonly #loop: Loop;
  readonly #watchdog = new Watchdog();
  /** Service ports that are left to nft, and until when. */
  readonly #penalties = new Map<string, number>();
  #probe: Probe | undefined;
  #tables: Tables | undefined;
  #attached = new Set<string>();
  #counts: FlowCounts | undefined;
  #room = 0;
  #isSynced = false;
  #mustRead = true;
  #readAt = Number.NEGATIVE_INFINITY;
  #collectedAt = Number.NEGATIVE_INFINITY;
  #last: { readonly collected: Collected; readonly reasons: Readonly<Record<string, number>> } | undefined;
  #view: FastPathView;
  #told = '';

  constructor(parts: FastPathParts) {
    const { settings, engine, clock } = parts;
    this.#parts = parts;
    this.#programs = new Programs({ command: settings.program, directory: settings.directory });
    this.#book = new DemandBook(engine);
    this.#surroundings = new Surroundings({ programs: this.#programs, nft: settings.nft });
    this.#view = emptyView(settings.mode, 'it has not begun yet');
    const onFailure = (error: unknown, retryInMs: number): void => {
      this.#tables = undefined;
      this.#tell('warn', 'the fast path cannot be kept in step', { reason: reasonOf(error), retryInMs });
    };
    this.#loop = new Loop({ work: () => this.#work(), onFailure, clock, spacingMs: SPACING_MS });
  }

  /** Finds out whether this machine can have it. Throws {@link FastPathUnusable} where it is required and cannot be. */
  async open(): Promise<void> {
    const { settings, log } = this.#parts;
    const reason = await this.#whyNot().catch(reasonOf);
    if (reason === undefined) return;
    this.#programs.close();
    if (settings.mode === 'required')
      throw new FastPathUnusable(`Cannot have the fast path, which is required: ${reason}`);
    log.warn('the fast path is off', { reason });
    this.#probe = undefined;
    this.#view = emptyView(settings.mode, reason);
  }

  /** The kernel holds what was compiled. */
  synced(): void {
    this.#isSynced = true;
    this.#loop.request();
  }

  /** Works until the signal aborts. What is attached then stays so. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#probe === undefined) {
      if (!signal.aborted) await once(signal, 'abort');
      return;
    }
    const timer = setInterval(() => this.#loop.request(), TICK_MS).unref();
    const onChange = (line?: string): void => {
      if (line !== undefined && !isNews(line, this.#surroundings.network)) return;
      this.#mustRead = true;
      this.#loop.request();
    };
    try {
      const watching = watchNetwork({ onChange, log: this.#parts.log, signal });
      await Promise.all([this.#loop.run(signal), watching]);
    } finally {
      clearInterval(timer);
      this.#programs.close();
    }
  }

  /** What is on, and why not; counts are those of the last collection. */
  view(): FastPathView {
    return this.#view;
  }

  async #whyNot(): Promise<string | undefined> {
    this.#probe = await this.#programs.probe();
    if (!this.#probe.usable) return this.#probe.lacks.join('; ') || 'the kernel lacks what it needs';
    await this.#surroundings.read();
    return await this.#surroundings.objection(this.#parts.clock.now());
  }

  async #work(): Promise<void> {
    const { clock, settings, engine, hostAddresses } = this.#parts;
    if (!this.#isSynced) return;
    const now = clock.now();
    const tables = await this.#ready(now);
    if (this.#mustRead || now - this.#readAt >= READ_MS) {
      this.#mustRead = false;
      this.#readAt = now;
      await this.#surroundings.read();
    }
    const objection = await this.#surroundings.objection(now);
    const own = hostAddresses();
    const wanted = this.#book.wanted(own);
    const isPod = (name: string): boolean => isPodInterface(engine.node, name);
    const uplinks = await this.#surroundings.uplinks(settings.uplinks, { now, isPodInterface: isPod });
    const usable = uplinks.filter(({ reason }) => reason === undefined);
    const addresses = [...new Set(wanted.frontends.flatMap(({ endpoints }) => endpoints.map((one) => one.address)))];
    const found = await this.#surroundings.find(addresses, now);
    const off = objection ?? (usable.length === 0 ? 'there is no uplink' : undefined);
    const { frontends, unplaced } = place(wanted.frontends, ({ address, port, protocol }) => {
      const where = off ?? found.get(address) ?? 'it is not known';
      if (typeof where === 'string') return where;
      if (protocol === 'udp' && !this.#probe?.udp) return 'UDP needs a kernel that can be asked for conntrack entries';
      return toBackend(where, { address, port, protocol });
    });
    const placed = frontends.map((one) => ({ ...one, pass: (this.#penalties.get(one.servicePort) ?? 0) > now }));
    await this.#attach(usable, placed);
    const plan = await this.#apply(tables, { placed, usable, own, now });
    await this.#detach(tables, usable);
    await this.#collect(tables, placed, now);
    const seen: Seen = { mode: settings.mode, off, probe: this.#probe, uplinks, wanted, unplaced, plan, tables };
    const network = this.#surroundings.network;
    this.#show({ ...seen, network, counts: this.#counts, room: this.#room, attached: this.#attached });
  }

  /** The maps as this process knows them; read anew at the start, and after anything that failed. */
  async #ready(now: number): Promise<Tables> {
    if (this.#tables !== undefined && this.#programs.isRunning) return this.#tables;
    const { maxFlows } = this.#parts.settings;
    const { isNew, room } = await this.#programs.load(maxFlows);
    if (room !== maxFlows)
      this.#tell('warn', 'the fast path keeps its size until it is switched off', { room, maxFlows });
    this.#room = room;
    const held = await this.#programs.held(isNew);
    await this.#programs.configure({ create: true, timeouts: await readTimeouts() });
    this.#attached = new Set();
    for (const { role, ifindex, isGone } of await this.#programs.places()) {
      if (isGone) await this.#programs.detach(role, ifindex);
      else this.#attached.add(`${role} ${ifindex}`);
    }
    this.#tables = new Tables(held, now);
    this.#counts = undefined;
    return this.#tables;
  }

  /** First where answers come from: a flow whose answers were missed would be lost. */
  async #attach(uplinks: readonly Uplink[], frontends: readonly PlacedFrontend[]): Promise<void> {
    const pods = new Set(frontends.flatMap(({ backends }) => backends.map(({ ifindex }) => ifindex)));
    for (const ifindex of pods) await this.#attachOne('pod', ifindex);
    for (const { ifindex } of uplinks) await this.#attachOne('uplink', ifindex);
  }

  async #attachOne(role: 'uplink' | 'pod', ifindex: number): Promise<void> {
    if (this.#attached.has(`${role} ${ifindex}`)) return;
    await this.#programs.attach(role, ifindex);
    this.#attached.add(`${role} ${ifindex}`);
  }

  async #apply(
    tables: Tables,
    of: { placed: readonly PlacedFrontend[]; usable: readonly Uplink[]; own: readonly Address[]; now: number },
  ): Promise<Plan> {
    const { engine } = this.#parts;
    const podCidrs = Object.values(engine.store.nodes.get(engine.options.nodeName)?.podCidrs ?? {});
    const plan = tables.plan(
      {
        frontends: of.placed,
        sources: excludedSources(engine.node, { hostAddresses: of.own, podCidrs }),
        uplinks: new Map(of.usable.map(({ ifindex, mtu }) => [ifindex, mtu])),
        devices: this.#surroundings.devices,
      },
      { now: of.now, flows: this.#counts },
    );
    await this.#programs.apply(plan.lines);
    // A slot that was freed a moment ago may be what is missing.
    if (plan.overflow.size > 0) this.#parts.clock.sleep(1000).then(() => this.#loop.request());
    return plan;
  }

  /** Programs stay on a pod's device as long as a slot is used, and on an uplink as long as any is. */
  async #detach(tables: Tables, uplinks: readonly Uplink[]): Promise<void> {
    const slots = [...tables.slots.used];
    const pods = new Set(slots.map(({ backend }) => `pod ${backend.ifindex}`));
    const kept = new Set(uplinks.map(({ ifindex }) => `uplink ${ifindex}`));
    for (const key of this.#attached) {
      const [role, number] = key.split(' ');
      const isUsed = role === 'pod' ? pods.has(key) : kept.has(key) || slots.length > 0;
      if (isUsed && this.#surroundings.devices.has(Number(number))) continue;
      await this.#programs.detach(role === 'pod' ? 'pod' : 'uplink', Number(number));
      this.#attached.delete(key);
    }
  }

  async #collect(tables: Tables, placed: readonly PlacedFrontend[], now: number): Promise<void> {
    if (now - this.#collectedAt < TICK_MS - 100) return;
    this.#collectedAt = now;
    const collected = await this.#programs.collect();
    this.#counts = { at: now, bySlot: collected.bySlot };
    await this.#watch(tables, placed, now);
    this.#last = { collected, reasons: await this.#programs.stats() };
  }

  /** A Service port whose connections are never answered by way of the programs goes to nft for a while. */
  async #watch(tables: Tables, placed: readonly PlacedFrontend[], now: number): Promise<void> {
    const tcp = [...tables.slots.used].filter(({ backend }) => backend.protocol === 'tcp');
    const slots = new Map(tcp.map(({ index, backend }) => [index, backend.gen]));
    const suspects = this.#watchdog.suspects(slots, { counts: await this.#programs.slotCounts(), now });
    const numbers = new Set(suspects.map((slot) => tables.slots.get(slot)?.backend.svc));
    for (const { key, servicePort } of placed) {
      const frontend = tables.frontendOf(key);
      if (frontend === undefined || frontend.pass || !numbers.has(frontend.svc)) continue;
      this.#penalties.set(servicePort, now + PENALTY_MS);
      this.#parts.log.warn('connections by the fast path are not answered: nft takes over', { servicePort });
      this.#loop.request();
    }
  }

  #show(seen: Parameters<typeof viewOf>[0]): void {
    const before = this.#view;
    this.#view = viewOf(seen, this.#last);
    const { state, reason, uplinks, attach } = this.#view;
    if (before.state === state && before.reason === reason) return;
    if (state === 'off') this.#tell('warn', 'the fast path is off', { reason });
    else this.#tell('info', 'the fast path is on', { by: attach, uplinks: uplinks.map(({ name }) => name) });
  }

  /** The same is not said twice in a row. */
  #tell(level: 'info' | 'warn', message: string, details: Readonly<Record<string, unknown>>): void {
    const text = `${message} ${details['reason']}`;
    if (text !== this.#told) this.#parts.log[level](message, details);
    this.#told = text;
  }
}

function toBackend(
  { ifindex, l3if, mtu, mac, gatewayMac }: Location,
  backend: Pick<PlacedBackend, 'address' | 'port' | 'protocol'>,
): PlacedBackend {
  return { ...backend, flags: 0, ifindex, l3if, mtu, mac, gatewayMac };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
