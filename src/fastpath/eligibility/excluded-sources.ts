// Clients that the programs pass to nftables: pods and the node itself may use every endpoint, regardless of the policy.

import type { Engine } from '../../engine/engine.ts';
import type { Address } from '../../net/address.ts';
import { FAMILIES } from '../../net/family.ts';
import { type Prefix, parsePrefixOrAddress } from '../../net/prefix.ts';
import type { NodeView } from '../../nftables/compile/node-view.ts';

/** {@link excludedSources} for the current objects. */
export function currentExcludedSources(
  { node, store, options }: Pick<Engine, 'node' | 'store' | 'options'>,
  hostAddresses: readonly Address[],
): Prefix[] {
  const podCidrs = Object.values(store.nodes.get(options.nodeName)?.podCidrs ?? {});
  return excludedSources(node, { hostAddresses, podCidrs });
}

/** Prefixes of excluded clients. `podCidrs` are those of the Node object. */
export function excludedSources(
  node: Pick<NodeView, 'detectLocal' | 'serviceCidrs'>,
  { hostAddresses, podCidrs }: { readonly hostAddresses: readonly Address[]; readonly podCidrs: readonly Prefix[] },
): Prefix[] {
  const { detectLocal, serviceCidrs } = node;
  const pods = detectLocal.by === 'source' ? Object.values(detectLocal.prefixes) : [];
  const texts = [...pods, ...FAMILIES.flatMap((family) => serviceCidrs[family]), ...hostAddresses];
  const blocks = [...texts.flatMap((text) => parsePrefixOrAddress(text) ?? []), ...podCidrs];
  return [...new Map(blocks.map((block) => [block.text, block])).values()];
}

/** Whether packets from this interface count as sent by pods. */
export function isPodInterface({ detectLocal }: Pick<NodeView, 'detectLocal'>, name: string): boolean {
  if (detectLocal.by === 'source') return false;
  const { name: pattern } = detectLocal;
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
