// Tests of src/engine/node-state.ts.

import t from 'tap';
import { NODE_OWNER, nodeElements } from '../../../src/engine/node-state.ts';
import { buildNodeView, type NodeOptions } from '../../../src/nftables/compile/node-view.ts';
import { SETS_AND_MAPS } from '../../../src/nftables/compile/sets-and-maps.ts';
import { readNode } from '../../../src/services/objects/node.ts';
import { node } from '../../support/builders/node.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';

function elements(options: Partial<NodeOptions> = {}) {
  const facts = { node: readNode(node()).value, hostAddresses: [], serviceCidrs: [] };
  return nodeElements(buildNodeView({ ...DEFAULT_OPTIONS, nodeName: 'n1', ...options }, facts));
}

t.test('nodeElements() returns the node port addresses of each family', async (t) => {
  const element = { key: '192.0.2.1', data: '', comment: 'address of this node', owner: NODE_OWNER };
  t.strictSame(elements(), [{ object: SETS_AND_MAPS.ip['nodeport-ips'], ...element }]);
});

t.test('nodeElements() returns nothing where all addresses accept node ports, or the family is missing', async (t) => {
  t.strictSame(elements({ nodePortAddresses: ['all'] }), []);
  t.strictSame(elements({ families: ['ip6'] }), []);
});
