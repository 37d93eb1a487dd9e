// The IP families.

/** The names that nft uses: the family of a table, and the protocol in `ip daddr`. */
export type Family = 'ip' | 'ip6';

export const FAMILIES: readonly Family[] = ['ip', 'ip6'];

/** Properties of each family. */
export const FAMILY_TRAITS: Readonly<Record<Family, { label: 'IPv4' | 'IPv6'; loopback: string; bits: number }>> = {
  ip: { label: 'IPv4', loopback: '127.0.0.0/8', bits: 32 },
  ip6: { label: 'IPv6', loopback: '::1', bits: 128 },
};
