// Formats the loader requests that write the maps.

import type { Prefix } from '../../net/prefix.ts';
import {
  type BackendValue,
  encodeBackend,
  encodeFrontend,
  encodeFrontendKey,
  encodeSource,
  encodeU32,
  encodeUplink,
  type FrontendKey,
  type FrontendValue,
} from './entries.ts';
import { toHex, toShortHex } from './hex.ts';
import { GENERATION_SLOT } from './slots.ts';

export function putFrontend(key: FrontendKey, value: FrontendValue): string {
  return `put frontends ${toHex(encodeFrontendKey(key))} ${toShortHex(encodeFrontend(value))}`;
}

export function deleteFrontend(key: FrontendKey): string {
  return `del frontends ${toHex(encodeFrontendKey(key))}`;
}

export function putBackend(slot: number, backend: BackendValue): string {
  return `put backends ${toHex(encodeU32(slot))} ${toHex(encodeBackend(backend))}`;
}

/** Marks the slot as free: generation 0. */
export function freeBackend(slot: number, backend: BackendValue): string {
  return putBackend(slot, { ...backend, gen: 0 });
}

/** Stores the highest generation in its reserved slot. */
export function putGeneration(generation: number): string {
  const empty = { address: '0.0.0.0', port: 0, protocol: 'tcp', flags: 0, ifindex: 0, l3if: 0, mtu: 0 } as const;
  const [mac, gatewayMac] = [new Uint8Array(6), new Uint8Array(6)];
  return putBackend(GENERATION_SLOT, { ...empty, mac, gatewayMac, gen: 0, svc: generation });
}

/** `MAP KEY` of an excluded source. */
export function sourceEntry({ family, text, length }: Prefix): string {
  const [address = ''] = text.split('/');
  return `sources_v${family === 'ip' ? 4 : 6} ${toHex(encodeSource(address, length))}`;
}

/** The value of every excluded source. */
export const SOURCE_VALUE = toHex(encodeU32(1));

/** `MAP KEY` of an uplink. */
export function uplinkEntry(ifindex: number): string {
  return `uplinks ${toHex(encodeU32(ifindex))}`;
}

export function uplinkValue(mtu: number): string {
  return toHex(encodeUplink(mtu));
}
