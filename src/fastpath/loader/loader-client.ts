// What the daemon does with the programs and their maps, in the loader's language.

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
  /** What the kernel lacks, and why. */
  readonly missing: readonly string[];
}

/** A program on a device. */
export interface AttachPoint {
  readonly role: ProgramRole;
  readonly ifindex: number;
}

export interface Attachment extends AttachPoint {
  /** Its device was deleted. */
  readonly isGone: boolean;
}

/** A collection: entries, of which each flow has two, and the flows that are left. */
export interface CollectResult {
  readonly scanned: number;
  readonly deleted: number;
  readonly remaining: Readonly<Record<Family, number>>;
  /** Flows of each slot that has any. */
  readonly bySlot: ReadonlyMap<number, number>;
}

/** Flows that began, and those that were answered, since the maps were made. */
export interface SlotCount {
  readonly created: number;
  readonly answered: number;
}

/** Packets that had the same fate for the same reason. */
export interface PacketCount {
  readonly reason: string;
  /** By the fast path; handed on as they came; or counted besides, for what happened with them. */
  readonly outcome: 'forwarded' | 'passed' | 'event';
  readonly count: number;
  /** The reason for people. */
  readonly description: string;
}

/** One for each direction. */
const ENTRIES_PER_FLOW = 2;
/** Devices in one request for flows. */
const MAX_DEVICES_PER_REQUEST = 6;

export class LoaderClient {
  readonly #loader: LoaderProcess;

  constructor(of: { readonly command: string; readonly directory: string }) {
    this.#loader = new LoaderProcess(of);
  }

  /** Since the last call of {@link load} nothing has ended the loader. */
  get isRunning(): boolean {
    return this.#loader.isRunning;
  }

  /** How often the loader was started again after it had ended. */
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
   * Loads the programs over maps that are there, or makes them with room for so many flows of each family, and puts the
   * programs in the place of those that are attached. `maxFlowsInUse` is for how many flows the maps have it.
   */
  async load(maxFlows: number): Promise<{ isNew: boolean; udp: boolean; maxFlowsInUse: number }> {
    const { fields } = await this.#loader.request(`load ${maxFlows * ENTRIES_PER_FLOW}`);
    await this.#loader.request('replace');
    const udp = fields['udp'] === 'yes';
    return { isNew: fields['maps'] === 'new', udp, maxFlowsInUse: Number(fields['entries']) / ENTRIES_PER_FLOW };
  }

  /** Loads the programs, and leaves those that are attached where they are. */
  async prepare(maxFlows: number): Promise<{ udp: boolean }> {
    const { fields } = await this.#loader.request(`load ${maxFlows * ENTRIES_PER_FLOW}`);
    return { udp: fields['udp'] === 'yes' };
  }

  /** What the maps hold. */
  async readInstalled(isNew: boolean): Promise<Installed> {
    const dumps = await Promise.all(DUMPED_MAPS.map(async (map) => [map, await this.#dump(map)] as const));
    return parseMapDump(Object.fromEntries(dumps) as Record<(typeof DUMPED_MAPS)[number], string[]>, isNew);
  }

  async configure(config: Config): Promise<void> {
    await this.#loader.request(`put config ${toHex(encodeU32(0))} ${toHex(encodeConfig(config))}`);
  }

  /** Makes all changes in their order; where one fails, those before it are made. */
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

  /** Queues and programs of a device, as lines. */
  async inspectDevice(ifindex: number): Promise<readonly string[]> {
    return (await this.#loader.request(`inspect ${ifindex}`)).lines;
  }

  /** Deletes flows that are over, and counts the others. */
  async collect(): Promise<CollectResult> {
    const { lines, fields } = await this.#loader.request('gc');
    const bySlot = new Map(
      lines.map((line) => line.split(' ')).map(([, slot, count]) => [Number(slot), Number(count)]),
    );
    const number = (word: string) => Number(fields[word]);
    return {
      ...{ scanned: number('scanned'), deleted: number('deleted'), bySlot },
      remaining: { ip: number('remaining4'), ip6: number('remaining6') },
    };
  }

  /** Packets by what became of them, since the maps were made. */
  async stats(): Promise<PacketCount[]> {
    const { lines } = await this.#loader.request('stats');
    return lines.map((line) => {
      const [, reason = '', count, outcome, ...description] = line.split(' ');
      if (outcome !== 'forwarded' && outcome !== 'event' && outcome !== 'passed')
        throw new Error(`Cannot read "${line}"`);
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

  /** Both directions of every flow. */
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

  /** The client's direction of every flow through these devices that is not over. */
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

  /** Detaches everything, and removes every pin. */
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
