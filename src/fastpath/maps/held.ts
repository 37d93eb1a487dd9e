// What the kernel's maps hold, as nftlane-bpf lists them.
import {
  type Backend,
  decodeBackend,
  decodeFrontend,
  decodeFrontendKey,
  type Frontend,
  type FrontendKey,
} from './entries.ts';
import { fromHex } from './hex.ts';
import { readNumber, UPLINK } from './layout.ts';

export interface Held {
  /** The maps were made just now: no slot was ever used. */
  readonly isNew: boolean;
  /** By slot; those that were freed have generation 0. */
  readonly backends: ReadonlyMap<number, Backend>;
  readonly frontends: readonly { readonly key: FrontendKey; readonly value: Frontend }[];
  /** Words of the ports' bits that are not 0. */
  readonly ports: ReadonlyMap<number, bigint>;
  /** Map and key, as requests name them. */
  readonly sources: readonly string[];
  /** MTU by device. */
  readonly uplinks: ReadonlyMap<number, number>;
}

/** The maps that {@link readHeld} needs the entries of. */
export const HELD_MAPS = ['be', 'fe', 'ports', 'src4', 'src6', 'uplinks'] as const;

/** Reads the lines `entry KEY VALUE` of each map. */
export function readHeld(lines: Readonly<Record<(typeof HELD_MAPS)[number], readonly string[]>>, isNew: boolean): Held {
  const entries = (map: keyof typeof lines) =>
    lines[map].map((line) => line.split(' ')).map(([, key = '', value = '']) => ({ key, value }));
  return {
    isNew,
    backends: new Map(entries('be').map(({ key, value }) => [toNumber(key), decodeBackend(fromHex(value))])),
    frontends: entries('fe').map(({ key, value }) => ({
      key: decodeFrontendKey(fromHex(key)),
      value: decodeFrontend(fromHex(value)),
    })),
    ports: new Map(entries('ports').map(({ key, value }) => [toNumber(key), toWord(value)])),
    sources: (['src4', 'src6'] as const).flatMap((map) => entries(map).map(({ key }) => `${map} ${key}`)),
    uplinks: new Map(
      entries('uplinks').map(({ key, value }) => [toNumber(key), readNumber(UPLINK, fromHex(value), 'mtu')]),
    ),
  };
}

/** A number of 32 bits, as `encodeNumber` of entries.ts writes it. */
export function toNumber(hex: string): number {
  return new Uint32Array(fromHex(hex).buffer)[0] ?? 0;
}

function toWord(hex: string): bigint {
  return new BigUint64Array(fromHex(hex).buffer)[0] ?? 0n;
}
