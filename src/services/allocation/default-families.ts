// The family of Services that leave the choice to the API server, where there is none.

import { type Address, familyOf, isLinkLocal, isLoopback } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import type { Prefix } from '../../net/prefix.ts';

interface NodeAddresses {
  /** The ranges of cluster IPs; empty if they are not assigned. */
  readonly ranges: readonly Prefix[];
  /** Overrides the node's address of its family. */
  readonly bindAddress?: Address | undefined;
  /** The addresses of the host's interfaces. */
  readonly hostAddresses: readonly Address[];
}

/**
 * The family of a Service with a single one that it does not name: as in a cluster, that of the first range of cluster IPs. Without
 * ranges, IPv6 only on a host without IPv4 addresses, so that it does not depend on what else the host is connected to.
 */
export function primaryFamily({ ranges: [first], bindAddress, hostAddresses }: NodeAddresses): Family {
  if (first !== undefined) return first.family;
  if (bindAddress !== undefined) return familyOf(bindAddress);
  const families = hostAddresses.filter((address) => !isLoopback(address) && !isLinkLocal(address)).map(familyOf);
  return families.includes('ip6') && !families.includes('ip') ? 'ip6' : 'ip';
}
