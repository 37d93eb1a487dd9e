// Which families this machine has. kube-proxy looks at the same two files; the kernel has the last word.

import type { Log } from '../host/log.ts';
import { ipv6UnavailableReason } from '../host/network/ipv6-support.ts';
import { EnvironmentError } from '../lib/operational-error.ts';
import { familyOf } from '../net/address.ts';
import { FAMILIES, FAMILY_TRAITS, type Family } from '../net/family.ts';
import type { NftClient } from '../nftables/client/nft-client.ts';
import type { ProxyOptions } from '../nftables/compile/node-view.ts';

export interface ServedFamiliesOptions {
  readonly nftClient: Pick<NftClient, 'unsupportedFamilies' | 'removeTables'>;
  readonly proxy: ProxyOptions;
  readonly log: Log;
  /** Why there is no IPv6; tests hand in their own. */
  readonly checkIpv6?: () => Promise<string | undefined>;
}

/**
 * The families to be served, which are looked for once: one that is switched on later takes a new start. Says which one is
 * missing, and why. Throws {@link EnvironmentError} when the configuration is about the missing family only.
 */
export async function servedFamilies({
  nftClient,
  proxy,
  log,
  checkIpv6 = ipv6UnavailableReason,
}: ServedFamiliesOptions): Promise<Family[]> {
  const missing = new Map(await nftClient.unsupportedFamilies());
  const reason = await checkIpv6();
  if (reason !== undefined) missing.set('ip6', reason);
  const families = FAMILIES.filter((family) => !missing.has(family));
  for (const [family, why] of missing) {
    log.warn(`${FAMILY_TRAITS[family].label} is not served: this machine has none`, { reason: why });
  }
  const problem = familyConflict(proxy, families);
  if (problem !== undefined) throw new EnvironmentError(problem);
  // What a daemon has left there when the family was still served.
  if (missing.size > 0) await nftClient.removeTables([...missing.keys()]);
  return families;
}

/** What of the configuration asks for a family that is not there. */
function familyConflict({ bindAddress, detectLocal }: ProxyOptions, families: readonly Family[]): string | undefined {
  const [only] = families;
  if (only === undefined) return 'This machine has neither IPv4 nor IPv6: there is nothing to be served';
  const available = `this machine has ${FAMILY_TRAITS[only].label} only`;
  if (bindAddress !== undefined && !families.includes(familyOf(bindAddress))) {
    return `KubeProxyConfiguration.bindAddress: ${bindAddress} cannot be an address of this node: ${available}`;
  }
  const cidrs = detectLocal.mode === 'ClusterCIDR' ? detectLocal.cidrs : [];
  if (cidrs.length === 0 || cidrs.some(({ family }) => families.includes(family))) return undefined;
  return `KubeProxyConfiguration.clusterCIDR: ${cidrs.map(({ text }) => text).join(',')} cannot be where pods are: ${available}`;
}
