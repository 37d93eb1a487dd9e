// The fast path at work: follows Services, pods and devices, and keeps the programs and their maps in step with them.
import { existsSync } from 'node:fs';
import { Loop } from '../controller/loop.ts';
import { reasonOf } from '../lib/reason.ts';
import type { Prefix } from '../net/prefix.ts';
import { DemandBook } from './eligibility/demand-book.ts';
import { place } from './eligibility/place.ts';
import { offBecause, reach } from './eligibility/reach.ts';
import { isPodInterface, sourcesLeft } from './eligibility/sources.ts';
import { COLLECT_MS, Collector } from './flows/collector.ts';
import { EndedFlows } from './flows/ended-flows.ts';
import { readTimeouts } from './flows/timeouts.ts';
import { type Probe, Programs } from './loader/programs.ts';
import { type PlacedFrontend, type Plan, Tables } from './maps/tables.ts';
import { Attachments } from './node/attachments.ts';
import { readDevices } from './node/network.ts';
import { Surroundings, type Uplink } from './node/surroundings.ts';
import { isNews, tellsOfEnd, watchNetwork } from './node/watch-network.ts';
import type { FastPathParts } from './parts.ts';
import type { FastPathView } from './status/status.ts';
import { Trouble } from './trouble.ts';
import { emptyView, failingView, type Seen, viewOf } from './view.ts';

/** It is required, and this machine cannot have it. */
export class FastPathUnusable extends Error {
  override readonly name = 'FastPathUnusable';
}

/** A pod that goes is noticed at once, a stream of news costs at most ten looks a second. */
const SPACING_MS = 100;
/** Devices and routes are read again after this at the latest, whatever was heard of them. */
const READ_MS = 10_000;

/** Listens to the engine and to the kernel. Never in the way of the daemon: where it fails, nft has everything. */
export class FastPath {
  readonly #parts: FastPathParts;
  readonly #programs: Programs;
  readonly #book: DemandBook;
  readonly #surroundings: Surroundings;
  readonly #loop: Loop;
  readonly #attachments: Attachments;
  readonly #collector: Collector;
  readonly #ended: EndedFlows;
  readonly #trouble: Trouble;
  #probe: Probe | undefined;
  /** What is loaded can take UDP flows. */
  #takesUdp = false;
  #tables: Tables | undefined;
  /** For flows of each family. */
  #room = 0;
  #isSynced = false;
  #mustRead = true;
  /** A device was said to be gone. */
  #mayHaveEnded = false;
  #readAt = Number.NEGATIVE_INFINITY;
  /** Of the last pass of work that succeeded. */
  #view: FastPathView;
  /** What speaks against taking anything, as of the last time that it was looked. */
  #off: string | undefined;
  #told = '';

  constructor(parts: FastPathParts) {
    const { settings, engine, clock } = parts;
    this.#parts = parts;
    this.#programs = new Programs({ command: settings.program, directory: settings.directory });
    this.#book = new DemandBook(engine);
    this.#surroundings = new Surroundings({ programs: this.#programs, nft: settings.nft });
    this.#attachments = new Attachments(this.#programs);
    this.#collector = new Collector({ programs: this.#programs, log: parts.log });
    this.#ended = new EndedFlows({ programs: this.#programs, nft: settings.nft, log: parts.log });
    this.#trouble = new Trouble({ log: parts.log, clock });
    this.#view = emptyView(settings.mode, 'it has not begun yet; what another daemon has attached goes on');
    this.#loop = new Loop({
      work: async () => {
        await this.#work();
        this.#trouble.succeeded();
      },
      onFailure: (error, retryInMs) => {
        this.#tables = undefined;
        this.#trouble.failed(reasonOf(error), retryInMs);
      },
      clock,
      spacingMs: SPACING_MS,
    });
  }

  /** Finds out whether this machine can have it. Throws {@link FastPathUnusable} where it is required and cannot be. */
  async open(): Promise<void> {
    const { settings } = this.#parts;
    const reason = await this.#whyNot().catch(reasonOf);
    if (reason === undefined) {
      const { udp, lacks } = this.#probe ?? { udp: true, lacks: [] };
      if (!udp) this.#parts.log.warn('the fast path leaves UDP to nft', { reason: lacks.join('; ') });
      return;
    }
    if (settings.mode === 'required') {
      this.#programs.close();
      throw new FastPathUnusable(`Cannot have the fast path, which is required: ${reason}`);
    }
    this.#tell('warn', 'the fast path is off', { reason });
    this.#view = emptyView(settings.mode, reason);
    // What a process before this one has attached is not left to itself.
    if (this.#probe?.usable && existsSync(settings.directory)) return;
    this.#programs.close();
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
      if (line !== undefined && !isNews(line, this.#surroundings.network)) return;
      this.#mustRead = true;
      if (line !== undefined && tellsOfEnd(line)) this.#mayHaveEnded = true;
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
    const { failing, failures } = this.#trouble;
    const totals = { ...this.#collector.totals, failures, loaderRestarts: this.#programs.restarts };
    if (failing === undefined) return { ...this.#view, totals };
    const isOn = this.#off === undefined && this.#attachments.hasUplink;
    return failingView({ ...this.#view, totals }, failing, isOn ? undefined : (this.#off ?? 'it cannot be set up'));
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
    if (this.#mayHaveEnded) {
      this.#mayHaveEnded = false;
      await this.#leave(tables, await readDevices(), now);
    }
    await this.#attachments.review(now);
    if (this.#mustRead || now - this.#readAt >= READ_MS) {
      this.#mustRead = false;
      this.#readAt = now;
      await this.#surroundings.read();
      await this.#leave(tables, this.#surroundings.devices, now);
    }
    const objection = await this.#surroundings.objection(now);
    const own = hostAddresses();
    const wanted = this.#book.wanted(own);
    const isPod = (name: string): boolean => isPodInterface(engine.node, name);
    const uplinks = await this.#surroundings.uplinks(settings.uplinks, { now, isPodInterface: isPod });
    const usable = uplinks.filter(({ reason }) => reason === undefined);
    const addresses = [...new Set(wanted.frontends.flatMap(({ endpoints }) => endpoints.map((one) => one.address)))];
    const found = await this.#surroundings.find(addresses, now);
    const why = offBecause(objection, usable);
    this.#off = why?.reason;
    const { frontends, unplaced } = place(wanted.frontends, (backend) => {
      return why ?? reach(backend, found.get(backend.address), { udp: this.#takesUdp, uplinks: usable });
    });
    const placed = frontends.map((one) => ({ ...one, pass: this.#collector.isLeft(one.servicePort, now) }));
    const entrances = new Set(why === undefined ? usable.map(({ ifindex }) => ifindex) : []);
    const pods = new Set(placed.flatMap(({ backends }) => backends.map(({ ifindex }) => ifindex)));
    await this.#attachments.attach({ pods, uplinks: entrances });
    const sources = sourcesLeft(engine, own);
    const plan = await this.#apply(tables, { placed, usable, sources, now });
    const { devices, network } = this.#surroundings;
    const used = new Set([...tables.slots.used].map(({ backend }) => backend.ifindex));
    await this.#attachments.detach({ pods: used, uplinks: entrances, devices });
    if (await this.#collector.collect(tables, placed, now)) this.#loop.request();
    this.#show({
      mode: settings.mode,
      off: why?.reason,
      probe: this.#probe && { ...this.#probe, udp: this.#takesUdp },
      uplinks,
      wanted,
      unplaced,
      plan,
      tables,
      network,
      sources: sources.map(({ text }) => text),
      flows: this.#collector.flows,
      room: this.#room,
      attached: this.#attachments.places,
    });
  }

  /** The maps as this process knows them; read anew at the start, and after anything that failed. */
  async #ready(now: number): Promise<Tables> {
    if (this.#tables !== undefined && this.#programs.isRunning) return this.#tables;
    const { maxFlows } = this.#parts.settings;
    const { isNew, udp, room } = await this.#programs.load(maxFlows);
    if (room !== maxFlows)
      this.#tell('warn', 'the fast path keeps its size until it is switched off', { room, maxFlows });
    this.#room = room;
    this.#takesUdp = udp;
    const held = await this.#programs.held(isNew);
    await this.#programs.configure({ create: true, timeouts: await readTimeouts() });
    await this.#attachments.adopt(now);
    this.#tables = new Tables(held, now);
    // What has gone since these slots were given is to be noticed before anything else.
    this.#mustRead = true;
    this.#collector.forget();
    return this.#tables;
  }

  /**
   * Pods whose devices have gone. Their connections are nft's to reset before it gets them, and no plan is waited for:
   * until their slots are free nobody else answers.
   */
  async #leave(tables: Tables, devices: ReadonlySet<number>, now: number): Promise<void> {
    const used = new Set([...tables.slots.used].map(({ backend }) => backend.ifindex));
    const gone = [...used].filter((ifindex) => !devices.has(ifindex));
    if (gone.length === 0) return;
    await this.#ended.end(gone);
    await this.#programs.apply(tables.leave(devices, now));
  }

  async #apply(
    tables: Tables,
    of: { placed: readonly PlacedFrontend[]; usable: readonly Uplink[]; sources: readonly Prefix[]; now: number },
  ): Promise<Plan> {
    const uplinks = new Map(of.usable.map(({ ifindex, mtu }) => [ifindex, mtu]));
    const plan = tables.plan(
      { frontends: of.placed, sources: of.sources, uplinks, devices: this.#surroundings.devices },
      { now: of.now, flows: this.#collector.flows },
    );
    await this.#programs.apply(plan.lines);
    // A slot that was freed a moment ago may be what is missing.
    if (plan.overflow.size > 0) this.#parts.clock.sleep(1000).then(() => this.#loop.request());
    return plan;
  }

  #show(seen: Seen): void {
    const before = this.#view;
    this.#view = viewOf(seen, this.#collector.last);
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
