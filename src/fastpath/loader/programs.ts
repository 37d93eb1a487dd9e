// What the daemon does with the programs and their maps, in the loader's language.

import type { Family } from '../../net/family.ts';
import { type Config, decodeFlow, encodeConfig, encodeNumber, type FlowEntry } from '../maps/entries.ts';
import { HELD_MAPS, type Held, readHeld, toNumber } from '../maps/held.ts';
import { fromHex, toHex } from '../maps/hex.ts';
import { readNumber, SLOT_COUNT } from '../maps/layout.ts';
import type { PacketCount } from '../status/status.ts';
import { LoaderProcess } from './loader-process.ts';

export type Role = 'uplink' | 'pod';

export interface Probe {
  readonly usable: boolean;
  readonly udp: boolean;
  readonly attach: string;
  /** What the kernel lacks, and why. */
  readonly lacks: readonly string[];
}

export interface Place {
  readonly role: Role;
  readonly ifindex: number;
  /** Its device was deleted. */
  readonly isGone: boolean;
}

/** A collection: entries, of which each flow has two, and the flows that are left. */
export interface Collected {
  readonly scanned: number;
  readonly deleted: number;
  readonly left: Readonly<Record<Family, number>>;
  /** Flows of each slot that has any. */
  readonly bySlot: ReadonlyMap<number, number>;
}

/** Flows that began, and those that were answered, since the maps were made. */
export interface SlotCount {
  readonly created: number;
  readonly answered: number;
}

/** One for each direction. */
const ENTRIES_OF_FLOW = 2;
/** Devices in one request for flows. */
const MOST_DEVICES = 6;

export class Programs {
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

  async probe(): Promise<Probe> {
    const { lines, words } = await this.#loader.ask('probe');
    const lacks = lines.filter((line) => / no /.test(line)).map((line) => line.replace(/^feature (\S+) no /, '$1: '));
    const { usable, udp, attach = '' } = words;
    return { usable: usable === 'yes', udp: udp === 'yes', attach, lacks };
  }

  /**
   * Loads the programs over maps that are there, or makes them with room for so many flows of each family, and puts the
   * programs in the place of those that are attached. `room` is for how many flows the maps have it.
   */
  async load(maxFlows: number): Promise<{ isNew: boolean; udp: boolean; room: number }> {
    const { words } = await this.#loader.ask(`load ${maxFlows * ENTRIES_OF_FLOW}`);
    await this.#loader.ask('replace');
    const udp = words['udp'] === 'yes';
    return { isNew: words['maps'] === 'new', udp, room: Number(words['entries']) / ENTRIES_OF_FLOW };
  }

  /** Loads the programs, and leaves those that are attached where they are. */
  async prepare(maxFlows: number): Promise<{ udp: boolean }> {
    const { words } = await this.#loader.ask(`load ${maxFlows * ENTRIES_OF_FLOW}`);
    return { udp: words['udp'] === 'yes' };
  }

  /** What the maps hold. */
  async held(isNew: boolean): Promise<Held> {
    const dumps = await Promise.all(HELD_MAPS.map(async (map) => [map, await this.#dump(map)] as const));
    return readHeld(Object.fromEntries(dumps) as Record<(typeof HELD_MAPS)[number], string[]>, isNew);
  }

  async configure(config: Config): Promise<void> {
    await this.#loader.ask(`put cfg ${toHex(encodeNumber(0))} ${toHex(encodeConfig(config))}`);
  }

  /** Makes all changes in their order; where one fails, those before it are made. */
  async apply(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await this.#loader.ask('batch', ...lines, 'end');
  }

  async places(): Promise<Place[]> {
    const { lines } = await this.#loader.ask('list');
    return lines.map((line) => {
      const [, role, ifindex] = line.split(' ');
      return { role: role === 'uplink' ? 'uplink' : 'pod', ifindex: Number(ifindex), isGone: line.endsWith(' gone') };
    });
  }

  async attach(role: Role, ifindex: number): Promise<void> {
    await this.#loader.ask(`attach ${role} ${ifindex}`);
  }

  async detach(role: Role, ifindex: number): Promise<void> {
    await this.#loader.ask(`detach ${role} ${ifindex}`);
  }

  /** Queues and programs of a device, as lines. */
  async look(ifindex: number): Promise<readonly string[]> {
    return (await this.#loader.ask(`look ${ifindex}`)).lines;
  }

  /** Deletes flows that are over, and counts the others. */
  async collect(): Promise<Collected> {
    const { lines, words } = await this.#loader.ask('gc');
    const bySlot = new Map(
      lines.map((line) => line.split(' ')).map(([, slot, count]) => [Number(slot), Number(count)]),
    );
    const number = (word: string) => Number(words[word]);
    return {
      ...{ scanned: number('scanned'), deleted: number('deleted'), bySlot },
      left: { ip: number('left4'), ip6: number('left6') },
    };
  }

  /** Packets by what became of them, since the maps were made. */
  async stats(): Promise<PacketCount[]> {
    const { lines } = await this.#loader.ask('stats');
    return lines.map((line) => {
      const [, reason = '', count, fate, ...words] = line.split(' ');
      if (fate !== 'taken' && fate !== 'noted' && fate !== 'passed') throw new Error(`Cannot read "${line}"`);
      return { reason, fate, count: Number(count), words: words.join(' ') };
    });
  }

  async slotCounts(): Promise<Map<number, SlotCount>> {
    const lines = await this.#dump('slots');
    return new Map(
      lines.map((line) => {
        const [, key = '', value = ''] = line.split(' ');
        const bytes = fromHex(value);
        const [created, answered] = ['created', 'answered'].map((name) => readNumber(SLOT_COUNT, bytes, name));
        return [toNumber(key), { created: created ?? 0, answered: answered ?? 0 }];
      }),
    );
  }

  /** Both directions of every flow. */
  async flows(): Promise<FlowEntry[]> {
    const dumps = [
      { family: 'ip', lines: await this.#dump('f4') },
      { family: 'ip6', lines: await this.#dump('f6') },
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
    for (let from = 0; from < devices.length; from += MOST_DEVICES) {
      const { lines } = await this.#loader.ask(`flows ${devices.slice(from, from + MOST_DEVICES).join(' ')}`);
      for (const line of lines) {
        const [, map, key = '', value = ''] = line.split(' ');
        flows.push(decodeFlow(map === 'f4' ? 'ip' : 'ip6', fromHex(key), fromHex(value)));
      }
    }
    return flows;
  }

  /** Detaches everything, and removes every pin. */
  async remove(): Promise<void> {
    await this.#loader.ask('remove');
  }

  close(): void {
    this.#loader.close();
  }

  async #dump(map: string): Promise<readonly string[]> {
    return (await this.#loader.ask(`dump ${map}`)).lines;
  }
}
