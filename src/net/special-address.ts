// Addresses that no Service or endpoint can have, because the kernel or every network uses them for something else.

import { type Address, familyOf } from './address.ts';

/** What a special address is used for. */
export type SpecialUse = 'unspecified' | 'loopback' | 'link-local' | 'multicast' | 'broadcast';

/**
 * The blocks of each use: RFC 1122 (0.0.0.0/8, 127.0.0.0/8), RFC 3927 and RFC 4291 (link-local), RFC 5771 and RFC 4291
 * (multicast), RFC 919 (limited broadcast). 240.0.0.0/4 is not among them: Linux forwards it, and clusters use it for pods.
 */
export const SPECIAL_BLOCKS: readonly { readonly block: string; readonly use: SpecialUse }[] = [
  { block: '0.0.0.0/8', use: 'unspecified' },
  { block: '127.0.0.0/8', use: 'loopback' },
  { block: '169.254.0.0/16', use: 'link-local' },
  { block: '224.0.0.0/4', use: 'multicast' },
  { block: '255.255.255.255/32', use: 'broadcast' },
  { block: '::/128', use: 'unspecified' },
  { block: '::1/128', use: 'loopback' },
  { block: 'fe80::/10', use: 'link-local' },
  { block: 'ff00::/8', use: 'multicast' },
];

/** The use of an address; `undefined` for an ordinary one. Called for each endpoint, so it does no arithmetic on addresses. */
export function specialUseOf(address: Address): SpecialUse | undefined {
  return familyOf(address) === 'ip' ? specialUseOfIp4(address) : specialUseOfIp6(address);
}

function specialUseOfIp4(address: Address): SpecialUse | undefined {
  const first = Number.parseInt(address, 10);
  if (first === 0) return 'unspecified';
  if (first === 127) return 'loopback';
  if (first === 169) return address.startsWith('169.254.') ? 'link-local' : undefined;
  if (first >= 224 && first < 240) return 'multicast';
  return address === '255.255.255.255' ? 'broadcast' : undefined;
}

function specialUseOfIp6(address: Address): SpecialUse | undefined {
  if (address === '::') return 'unspecified';
  if (address === '::1') return 'loopback';
  // Canonical text starts with the first group; a shorter group than four digits begins with zeros.
  if (/^fe[89ab][0-9a-f]:/.test(address)) return 'link-local';
  return /^ff[0-9a-f]{2}:/.test(address) ? 'multicast' : undefined;
}
