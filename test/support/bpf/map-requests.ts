// Loader requests that fill the maps, for tests without a daemon.

import { encodeConfig, encodeU32 } from '../../../src/fastpath/maps/entries.ts';
import { toHex } from '../../../src/fastpath/maps/hex.ts';
import { PortBitmap } from '../../../src/fastpath/maps/port-bitmap.ts';
import { uplinkEntry, uplinkValue } from '../../../src/fastpath/maps/requests.ts';

export const TIMEOUT_SECONDS = {
  tcpSyn: 10,
  tcpAnswered: 30,
  tcpEstablished: 432_000,
  tcpClosed: 5,
  udpNew: 30,
  udpAnswered: 120,
  fragments: 30,
};

export interface ConfigOverrides {
  readonly create?: boolean;
  readonly seconds?: Partial<typeof TIMEOUT_SECONDS>;
}

export function putConfig({ create = true, seconds = {} }: ConfigOverrides = {}): string {
  return put('config', encodeU32(0), encodeConfig({ create, timeouts: { ...TIMEOUT_SECONDS, ...seconds } }));
}

export function putUplink({ ifindex, mtu }: { ifindex: number; mtu: number }): string {
  return `put ${uplinkEntry(ifindex)} ${uplinkValue(mtu)}`;
}

/** Writes the words of an empty bitmap with the bits of these ports set. */
export function putPorts(ports: { frontends: readonly number[]; backends: readonly number[] }): string[] {
  const bitmap = new PortBitmap(new Map());
  for (const side of ['frontends', 'backends'] as const) for (const port of ports[side]) bitmap.set(side, port);
  return bitmap.takeWrites();
}

export function put(map: string, key: Uint8Array, value: Uint8Array): string {
  return `put ${map} ${toHex(key)} ${toHex(value)}`;
}

/** One request for all. */
export function batch(requests: readonly string[]): string {
  return ['batch', ...requests, 'end'].join('\n');
}
