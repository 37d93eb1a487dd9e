// Parses the contents of the maps, as nftlane-bpf dumps them.

import {
  type BackendValue,
  decodeBackend,
  decodeFrontend,
  decodeFrontendKey,
  type FrontendKey,
  type FrontendValue,
} from './entries.ts';
import { fromHex } from './hex.ts';
import { readNumber, UPLINK } from './layout.ts';

export interface Installed {
  /** The maps were just created: no slot was ever used. */
  readonly isNew: boolean;
  /** By slot. Free slots have generation 0. */
  readonly backends: ReadonlyMap<number, BackendValue>;
  readonly frontends: readonly { readonly key: FrontendKey; readonly value: FrontendValue }[];
  /** Nonzero words of the port bitmap, by index. */
  readonly ports: ReadonlyMap<number, bigint>;
  /** Excluded sources, as `MAP KEY` of requests. */
  readonly sources: readonly string[];
  /** MTU by ifindex. */
  readonly uplinks: ReadonlyMap<number, number>;
}

/** The maps that {@link parseMapDump} reads. */
export const DUMPED_MAPS = ['backends', 'frontends', 'ports', 'sources_v4', 'sources_v6', 'uplinks'] as const;

/** Takes the lines `entry KEY VALUE` of each map. */
export function parseMapDump(
  lines: Readonly<Record<(typeof DUMPED_MAPS)[number], readonly string[]>>,
  { isNew }: { readonly isNew: boolean },
): Installed {
  const entries = (map: keyof typeof lines) =>
    lines[map].map((line) => line.split(' ')).map(([, key = '', value = '']) => ({ key, value }));
  return {
    isNew,
    backends: new Map(entries('backends').map(({ key, value }) => [decodeU32(key), decodeBackend(fromHex(value))])),
    frontends: entries('frontends').map(({ key, value }) => ({
      key: decodeFrontendKey(fromHex(key)),
      value: decodeFrontend(fromHex(value)),
    })),
    ports: new Map(entries('ports').map(({ key, value }) => [decodeU32(key), decodeU64(value)])),
    sources: (['sources_v4', 'sources_v6'] as const).flatMap((map) => entries(map).map(({ key }) => `${map} ${key}`)),
    uplinks: new Map(
      entries('uplinks').map(({ key, value }) => [decodeU32(key), readNumber(UPLINK, fromHex(value), 'mtu')]),
    ),
  };
}

/** The inverse of `encodeU32`. */
export function decodeU32(hex: string): number {
  return new Uint32Array(fromHex(hex).buffer)[0] ?? 0;
}

function decodeU64(hex: string): bigint {
  return new BigUint64Array(fromHex(hex).buffer)[0] ?? 0n;
}
