// What masquerading puts into a packet: an address of the host and a port, which are known only as ranges.

import { type Address, familyOf } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import type { Host } from '../../net/host.ts';
import { contains, parsePrefixOrAddress } from '../../net/prefix.ts';
import { specialUseOf } from '../../net/special-address.ts';
import type { Field, Statement } from '../../nftables/syntax/statement.ts';

/** The part of a packet that masquerading chose: `destination` in replies, until they are translated back. */
export type MasqueradedPart = 'none' | 'source' | 'destination';

/** The addresses that the kernel can choose: those of the interfaces, without loopback and link-local ones. */
export function masqueradeAddresses({ addresses }: Host, family: Family): Address[] {
  return addresses.filter((address) => familyOf(address) === family && specialUseOf(address) === undefined);
}

/** First and last. */
type PortRange = readonly [number, number];

/** The ports that the kernel can choose: of the same class as the original one (nf_nat_l4proto_unique_tuple). */
export function masqueradePorts(sourcePort: number): PortRange {
  if (sourcePort < 512) return [1, 511];
  return sourcePort < 1024 ? [600, 1023] : [1024, 65_535];
}

/**
 * Whether a statement of our rules depends on the masqueraded part, so that it may match or not. `addresses` are those that
 * the part can have.
 */
export function dependsOnMasquerade(
  statement: Statement,
  part: MasqueradedPart,
  addresses: readonly Address[],
): boolean {
  const fields = part === 'source' ? ['saddr', 'sport'] : part === 'destination' ? ['daddr', 'dport'] : [];
  switch (statement.kind) {
    case 'in-set':
    case 'vmap':
    case 'dnat':
      return statement.fields.some(({ field }: Field) => fields.includes(field));
    case 'in-prefix': {
      const prefix = parsePrefixOrAddress(statement.prefix);
      if (!fields.includes(statement.field) || prefix === undefined) return false;
      return new Set(addresses.map((address) => contains(prefix, address))).size > 1;
    }
    default:
      return false;
  }
}
