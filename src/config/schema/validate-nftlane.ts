// Validates NftlaneConfiguration beyond the types of its fields.

import { FAMILY_TRAITS } from '../../net/family.ts';
import { overlaps, type Prefix, parsePrefix } from '../../net/prefix.ts';
import { SPECIAL_BLOCKS } from '../../net/special-address.ts';
import type { ConfigurationProblem } from './configuration-error.ts';
import { formatValue } from './decode.ts';
import type { KubeProxyConfiguration } from './kube-proxy-schema.ts';
import { NFTLANE_KIND, type NftlaneConfiguration } from './nftlane-schema.ts';

interface Documents {
  readonly kubeProxy: KubeProxyConfiguration;
  readonly nftlane: NftlaneConfiguration;
}

/** All problems, with paths that start with the kind. */
export function validateNftlane({ kubeProxy, nftlane }: Documents): ConfigurationProblem[] {
  const pods = kubeProxy.clusterCIDR.split(',').flatMap((text) => parsePrefix(text) ?? []);
  const earlier: Prefix[] = [];
  return nftlane.serviceClusterIPRange.flatMap((text, index) => {
    const block = parsePrefix(text);
    const reason = block === undefined ? 'is not a CIDR block' : reasonAgainst(block, { pods, earlier });
    if (block !== undefined) earlier.push(block);
    if (reason === undefined) return [];
    return [{ path: `${NFTLANE_KIND}.serviceClusterIPRange[${index}]`, reason: `${formatValue(text)} ${reason}` }];
  });
}

interface OtherBlocks {
  readonly pods: readonly Prefix[];
  readonly earlier: readonly Prefix[];
}

function reasonAgainst(block: Prefix, { pods, earlier }: OtherBlocks): string | undefined {
  const { bits, label } = FAMILY_TRAITS[block.family];
  if (earlier.some(({ family }) => family === block.family)) return `is a second ${label} block`;
  if (bits - block.length < 2) return `is longer than /${bits - 2}`;
  const special = SPECIAL_BLOCKS.find(({ block: text }) => isOverlapping(block, text));
  if (special !== undefined) return `overlaps the ${special.use} addresses ${special.block}`;
  const pod = pods.find((cidr) => overlaps(block, cidr));
  return pod === undefined ? undefined : `overlaps the pod CIDR ${pod.text}`;
}

function isOverlapping(block: Prefix, text: string): boolean {
  const other = parsePrefix(text);
  return other !== undefined && overlaps(block, other);
}
