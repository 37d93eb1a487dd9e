// Tests of src/nftables/compile/node-view.ts.

import t from 'tap';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import { buildNodeView, type NodeFacts, type ProxyOptions } from '../../../../src/nftables/compile/node-view.ts';
import { readNode } from '../../../../src/services/objects/node.ts';
import { inZone, node } from '../../../support/builders/node.ts';
import { DEFAULT_OPTIONS } from '../../../support/builders/proxy-options.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

const prefixes = (...texts: string[]) => texts.flatMap((text) => parsePrefix(text) ?? []);
const FACTS: NodeFacts = { node: undefined, hostAddresses: [], serviceCidrs: [] };

function view(options: Partial<ProxyOptions>, facts: Partial<NodeFacts> = {}) {
  return buildNodeView({ ...DEFAULT_OPTIONS, nodeName: 'n1', ...options }, { ...FACTS, ...facts });
}

const read = (overrides: ApiObject) => readNode(node('n1', overrides)).value;

t.test('buildNodeView() is complete before the Node is known', async (t) => {
  t.strictSame(view({}), {
    name: 'n1',
    families: ['ip', 'ip6'],
    zone: undefined,
    masqueradeAll: false,
    tcpBeLiberal: false,
    routeSources: [],
    masqueradeBit: 14,
    strictSourceRanges: false,
    resetsConnections: false,
    addresses: { ip: '127.0.0.1', ip6: '::1' },
    ownAddresses: [],
    detectLocal: { by: 'source', prefixes: {} },
    localhostNodePorts: false,
    nodePortIps: { ip: 'any', ip6: 'any' },
    serviceCidrs: { ip: [], ip6: [] },
  });
  t.equal(view({}, { node: read(inZone('a')) }).zone, 'a');
});

t.test('buildNodeView() detects pods by the first CIDR of each family, or by their interface', async (t) => {
  const node = read({ spec: { podCIDRs: ['10.1.1.0/24', 'fd00:1::/64'] } });
  const cases: [ProxyOptions['detectLocal'], object][] = [
    [
      { mode: 'ClusterCIDR', cidrs: prefixes('10.1.0.0/16', 'fd00::/48', '10.2.0.0/16') },
      { by: 'source', prefixes: { ip: '10.1.0.0/16', ip6: 'fd00::/48' } },
    ],
    [{ mode: 'NodeCIDR' }, { by: 'source', prefixes: { ip: '10.1.1.0/24', ip6: 'fd00:1::/64' } }],
    [
      { mode: 'BridgeInterface', name: 'cni0' },
      { by: 'interface', name: 'cni0' },
    ],
    [
      { mode: 'InterfaceNamePrefix', name: 'veth' },
      { by: 'interface', name: 'veth*' },
    ],
  ];
  for (const [detectLocal, expected] of cases) t.strictSame(view({ detectLocal }, { node }).detectLocal, expected);
  t.strictSame(view({ detectLocal: { mode: 'NodeCIDR' } }).detectLocal, { by: 'source', prefixes: {} });
});

t.test('buildNodeView() accepts node ports on the primary addresses, and on host addresses inside CIDRs', async (t) => {
  t.strictSame(view({}, { node: read({}) }).nodePortIps, { ip: ['192.0.2.1'], ip6: 'any' });
  const options = { nodePortAddresses: ['localhost', ...prefixes('198.51.100.0/24')] } as const;
  const seen = view(options, { node: read({}), hostAddresses: ['192.0.2.1', '198.51.100.1'] });
  t.match(seen, { nodePortIps: { ip: ['198.51.100.1'], ip6: [] }, localhostNodePorts: true });
});

t.test('buildNodeView() overrides the address of a family by the bind address', async (t) => {
  const given = read({});
  const seen = view({ bindAddress: '198.51.100.1' }, { node: given });
  t.strictSame(seen.addresses, { ip: '198.51.100.1', ip6: '::1' });
  t.strictSame(seen.nodePortIps, { ip: ['198.51.100.1'], ip6: 'any' });
  t.strictSame(view({ bindAddress: 'fd00::5' }, { node: given }).addresses, { ip: '192.0.2.1', ip6: 'fd00::5' });
});

t.test('buildNodeView() groups Service CIDRs by family, without overlaps', async (t) => {
  const serviceCidrs = prefixes('10.96.0.0/16', 'fd00::/108', '10.96.0.0/12');
  t.strictSame(view({}, { serviceCidrs }).serviceCidrs, { ip: ['10.96.0.0/12'], ip6: ['fd00::/108'] });
});
