// The elements that belong to the node instead of a Service.

import type { NodeView } from '../nftables/compile/node-view.ts';
import { SETS_AND_MAPS } from '../nftables/compile/sets-and-maps.ts';
import type { Element } from '../nftables/syntax/element.ts';

/** The owner of these elements. No Service has this name. */
export const NODE_OWNER = '';

/** The addresses that accept node ports, unless all addresses do. */
export function nodeElements(node: NodeView): Element[] {
  return node.families.flatMap((family) => {
    const addresses = node.nodePortIps[family];
    if (addresses === 'any') return [];
    const object = SETS_AND_MAPS[family]['nodeport-ips'];
    return addresses.map((key) => ({ object, key, data: '', comment: 'address of this node', owner: NODE_OWNER }));
  });
}
