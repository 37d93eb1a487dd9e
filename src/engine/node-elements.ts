// The elements that belong to the node, and not to a Service.
import type { NodeView } from '../nftables/compile/node-view.ts';
import { SETS_AND_MAPS } from '../nftables/compile/sets-and-maps.ts';
import type { Element } from '../nftables/syntax/element.ts';

/** Their owner. No Service can have this name. */
export const NODE_OWNER = '';

/** The addresses where node ports are taken, unless that is everywhere. */
export function nodeElements(node: NodeView): Element[] {
  return node.families.flatMap((family) => {
    const addresses = node.nodePortIps[family];
    if (addresses === 'any') return [];
    const object = SETS_AND_MAPS[family]['nodeport-ips'];
    return addresses.map((key) => ({ object, key, data: '', comment: 'address of this node', owner: NODE_OWNER }));
  });
}
