// The address families that this machine supports. kube-proxy checks the same two files; the kernel decides.

import type { Log } from '../host/log.ts';
import { ipv6UnavailableReason } from '../host/network/ipv6-support.ts';
import { EnvironmentError } from '../lib/operational-error.ts';
import { familyOf } from '../net/address.ts';
import { FAMILIES, FAMILY_TRAITS, type Family } from '../net/family.ts';
import type { NftClient } from '../nftables/client/nft-client.ts';
import { emptyIfListingFailed } from '../nftables/client/nft-error.ts';
import type { ProxyOptions } from '../nftables/compile/node-view.ts';

interface ServedFamiliesOptions {
  readonly nftClient: Pick<NftClient, 'unsupportedFamilies' | 'removeTables'>;
  readonly proxy: ProxyOptions;
  readonly log: Log;
  /** Why IPv6 is unavailable; `undefined` if it is available. */
  readonly checkIpv6?: () => Promise<string | undefined>;
}

/**
 * The families to serve, detected once: a family that becomes available later needs a restart. Logs a missing family.
 * Rejects with an {@link EnvironmentError} if the configuration requires a missing family.
 */
export async function servedFamilies({
  nftClient,
  proxy,
  log,
  checkIpv6 = ipv6UnavailableReason,
}: ServedFamiliesOptions): Promise<Family[]> {
  const missing = new Map(await nftClient.unsupportedFamilies());
  const ipv6Reason = await checkIpv6();
  if (ipv6Reason !== undefined) missing.set('ip6', ipv6Reason);
  const families = FAMILIES.filter((family) => !missing.has(family));
  for (const [family, reason] of missing) {
    log.warn('address family is not available', { family: FAMILY_TRAITS[family].label, reason });
  }
  const problem = familyConflict(proxy, families);
  if (problem !== undefined) throw new EnvironmentError(problem);
  // A previous daemon may have left tables of a family that was available then. An nft that cannot list is reported later.
  if (missing.size > 0) await nftClient.removeTables([...missing.keys()]).catch(emptyIfListingFailed);
  return families;
}

/** Describes a setting that requires an unavailable family. */
function familyConflict({ bindAddress, detectLocal }: ProxyOptions, families: readonly Family[]): string | undefined {
  const [only] = families;
  if (only === undefined) return 'Cannot run: this machine has neither IPv4 nor IPv6';
  const available = `this machine has only ${FAMILY_TRAITS[only].label}`;
  if (bindAddress !== undefined && !families.includes(familyOf(bindAddress))) {
    return `Cannot use KubeProxyConfiguration.bindAddress "${bindAddress}": ${available}`;
  }
  const cidrs = detectLocal.mode === 'ClusterCIDR' ? detectLocal.cidrs : [];
  if (cidrs.length === 0 || cidrs.some(({ family }) => families.includes(family))) return undefined;
  const text = cidrs.map((prefix) => prefix.text).join(',');
  return `Cannot use KubeProxyConfiguration.clusterCIDR "${text}": ${available}`;
}
