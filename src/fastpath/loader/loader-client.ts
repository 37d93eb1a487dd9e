// Client of the loader: loads and attaches programs, reads and writes their maps.

import type { Family } from '../../net/family.ts';
import { type Config, decodeFlow, encodeConfig, encodeU32, type FlowEntry } from '../maps/entries.ts';
import { fromHex, toHex } from '../maps/hex.ts';
import { readNumber, SLOT_COUNT } from '../maps/layout.ts';
import { DUMPED_MAPS, decodeU32, type Installed, parseMapDump } from '../maps/map-dump.ts';
import { LoaderProcess } from './loader-process.ts';

export type ProgramRole = 'uplink' | 'pod';

export interface ProbeResult {
  readonly usable: boolean;
  readonly udp: boolean;
  readonly attach: string;
  /** Missing kernel features, each with a reason. */
  readonly missing: readonly string[];
}

/** A program on a device. */
export interface AttachPoint {
  readonly role: ProgramRole;
  readonly ifindex: number;
}

export interface Attachment extends AttachPoint {
  /** The device was deleted. */
  readonly isGone: boolean;
}

/** Result of a collection. All counts but `bySlot` are entries, of which each flow has two. */
export interface CollectResult {
  readonly scanned: number;
  readonly deleted: number;
  readonly remaining: Readonly<Record<Family, number>>;
  /** Live flows by slot; slots without flows are missing. */
  readonly bySlot: ReadonlyMap<number, number>;
}

/** Flows of a slot that were created, and those that got a reply, since the maps were created. */
export interface SlotCount {
  readonly created: number;
  readonly answered: number;
}

/** Packets counted for one reason. */
export interface PacketCount {
  readonly reason: string;
  /** Forwarded by the programs, passed unmodified to the network stack, or counted as an event in addition. */
  readonly outcome: 'forwarded' | 'passed' | 'event';
  readonly count: number;
  /** The reason, for display. */
  readonly description: string;
}

/** One entry for each direction. */
const ENTRIES_PER_FLOW = 2;
/** Limit of the request `flows`. */
const MAX_DEVICES_PER_REQUEST = 6;

export class LoaderClient {
  readonly #loader: LoaderProcess;

  constructor(options: { readonly command: string; readonly directory: string }) {
    this.#loader = new LoaderProcess(options);
  }

  /** The loader process has not exited. */
  get isRunning(): boolean {
    return this.#loader.isRunning;
  }

  /** Restarts of the loader after it had exited. */
  get restarts(): number {
    return this.#loader.restarts;
  }

  async probe(): Promise<ProbeResult> {
    const { lines, fields } = await this.#loader.request('probe');
    const missing = lines.filter((line) => / no /.test(line)).map((line) => line.replace(/^feature (\S+) no /, '$1: '));
    const { usable, udp, attach = '' } = fields;
    return { usable: usable === 'yes', udp: udp === 'yes', attach, missing };
  }

  /**
   * Loads the programs and replaces the attached ones. Reuses existing maps, or creates maps for `maxFlows` flows per
   * family. `maxFlowsInUse` is the actual size.
   */
  async load(maxFlows: number): Promise<{ isNew: boolean; udp: boolean; maxFlowsInUse: number }> {
    const { fields } = await this.#loader.request(`load ${maxFlows * ENTRIES_PER_FLOW}`);
    await this.#loader.request('replace');
    const udp = fields['udp'] === 'yes';
    return { isNew: fields['maps'] === 'new', udp, maxFlowsInUse: Number(fields['entries']) / ENTRIES_PER_FLOW };
  }

  /** Loads and pins the programs, without replacing the attached ones. */
  async prepare(maxFlows: number): Promise<{ udp: boolean }> {
    const { fields } = await this.#loader.request(`load ${maxFlows * ENTRIES_PER_FLOW}`);
    return { udp: fields['udp'] === 'yes' };
  }

  /** Reads the maps. `isNew`: the result of {@link load}. */
  async readInstalled({ isNew }: { readonly isNew: boolean }): Promise<Installed> {
    const dumps = await Promise.all(DUMPED_MAPS.map(async (map) => [map, await this.#dump(map)] as const));
    return parseMapDump(Object.fromEntries(dumps) as Record<(typeof DUMPED_MAPS)[number], string[]>, { isNew });
  }

  async configure(config: Config): Promise<void> {
    await this.#loader.request(`put config ${toHex(encodeU32(0))} ${toHex(encodeConfig(config))}`);
  }

  /** Applies requests in order, and stops at the first that fails. */
  async apply(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await this.#loader.request('batch', ...lines, 'end');
  }

  async listAttachments(): Promise<Attachment[]> {
    const { lines } = await this.#loader.request('list');
    return lines.map((line) => {
      const [, role, ifindex] = line.split(' ');
      return { role: role === 'uplink' ? 'uplink' : 'pod', ifindex: Number(ifindex), isGone: line.endsWith(' gone') };
    });
  }

  async attach(role: ProgramRole, ifindex: number): Promise<void> {
    await this.#loader.request(`attach ${role} ${ifindex}`);
  }

  async detach(role: ProgramRole, ifindex: number): Promise<void> {
    await this.#loader.request(`detach ${role} ${ifindex}`);
  }

  /** Lists the qdiscs and programs of a device, as lines. */
  async inspectDevice(ifindex: number): Promise<readonly string[]> {
    return (await this.#loader.request(`inspect ${ifindex}`)).lines;
  }

  /** Deletes expired flows and counts the others. */
  async collect(): Promise<CollectResult> {
    const { lines, fields } = await this.#loader.request('gc');
    const bySlot = new Map(
      lines.map((line) => line.split(' ')).map(([, slot, count]) => [Number(slot), Number(count)]),
    );
    const number = (field: string) => Number(fields[field]);
    return {
      ...{ scanned: number('scanned'), deleted: number('deleted'), bySlot },
      remaining: { ip: number('remaining4'), ip6: number('remaining6') },
    };
  }

  /** Packets by reason, since the maps were created. */
  async stats(): Promise<PacketCount[]> {
    const { lines } = await this.#loader.request('stats');
    return lines.map((line) => {
      const [, reason = '', count, outcome, ...description] = line.split(' ');
      if (outcome !== 'forwarded' && outcome !== 'event' && outcome !== 'passed')
        throw new Error(`Cannot read loader response "${line}": unknown outcome`);
      return { reason, outcome, count: Number(count), description: description.join(' ') };
    });
  }

  async slotCounts(): Promise<Map<number, SlotCount>> {
    const lines = await this.#dump('slot_counts');
    return new Map(
      lines.map((line) => {
        const [, key = '', value = ''] = line.split(' ');
        const bytes = fromHex(value);
        const [created, answered] = ['created', 'answered'].map((name) => readNumber(SLOT_COUNT, bytes, name));
        return [decodeU32(key), { created: created ?? 0, answered: answered ?? 0 }];
      }),
    );
  }

  /** All entries: two for each flow. */
  async flows(): Promise<FlowEntry[]> {
    const dumps = [
      { family: 'ip', lines: await this.#dump('flows_v4') },
      { family: 'ip6', lines: await this.#dump('flows_v6') },
    ] as const;
    return dumps.flatMap(({ family, lines }) =>
      lines.map((line) => {
        const [, key = '', value = ''] = line.split(' ');
        return decodeFlow(family, fromHex(key), fromHex(value));
      }),
    );
  }

  /** Entries in original direction of the live flows through these devices. */
  async flowsThrough(devices: readonly number[]): Promise<FlowEntry[]> {
    const flows: FlowEntry[] = [];
    for (let from = 0; from < devices.length; from += MAX_DEVICES_PER_REQUEST) {
      const { lines } = await this.#loader.request(
        `flows ${devices.slice(from, from + MAX_DEVICES_PER_REQUEST).join(' ')}`,
      );
      for (const line of lines) {
        const [, map, key = '', value = ''] = line.split(' ');
        flows.push(decodeFlow(map === 'flows_v4' ? 'ip' : 'ip6', fromHex(key), fromHex(value)));
      }
    }
    return flows;
  }

  /** Detaches all programs and removes all pins. */
  async remove(): Promise<void> {
    await this.#loader.request('remove');
  }

  close(): void {
    this.#loader.close();
  }

  async #dump(map: string): Promise<readonly string[]> {
    return (await this.#loader.request(`dump ${map}`)).lines;
  }
}
