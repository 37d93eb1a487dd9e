// Tests of src/sources/guard/node-keeper.ts.

import t from 'tap';
import { readNode } from '../../../../src/services/objects/node.ts';
import { NodeKeeper } from '../../../../src/sources/guard/node-keeper.ts';
import { recordSink } from '../../../support/fakes/recording-sink.ts';

interface NodeFields {
  readonly name?: string;
  readonly addresses?: readonly string[];
  readonly podCIDRs?: readonly string[];
  readonly zone?: string | undefined;
  readonly taints?: readonly unknown[];
}

function node({
  name = 'n1',
  addresses = ['192.0.2.1', '2001:db8::1'],
  podCIDRs = ['10.1.0.0/24'],
  zone = 'a',
  taints = [],
}: NodeFields = {}) {
  const labels = zone === '' ? {} : { 'topology.kubernetes.io/zone': zone };
  const status = { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) };
  return readNode({ metadata: { name, labels }, spec: { podCIDRs, taints }, status });
}

function keeper() {
  const sink = recordSink();
  const changes: (readonly string[])[] = [];
  const onChange = (missing: readonly string[]) => void changes.push(missing);
  const stored = () => sink.objects.get('Node n1')?.value;
  return { sink, changes, stored, keeper: new NodeKeeper({ sink, nodeName: 'n1', onChange }) };
}

const COMPLETE = node().value;

t.test('NodeKeeper keeps a Node that disappears, by a deletion, a list or an unusable object', async (t) => {
  for (const lose of [
    (sink: NodeKeeper) => sink.remove('Node', 'n1'),
    (sink: NodeKeeper) => sink.replace('Node', []),
    (sink: NodeKeeper) => sink.replace('Node', [node({ name: 'n2' })]),
    (sink: NodeKeeper) => sink.put('Node', { key: 'n1', issues: [] }),
  ]) {
    const { keeper: sink, stored, changes } = keeper();
    sink.replace('Node', [node()]);
    lose(sink);
    lose(sink);
    t.strictSame(stored(), COMPLETE);
    t.strictSame(changes, [['the Node object']], 'reported once');
    sink.put('Node', node({ zone: 'b' }));
    t.match(stored(), { zone: 'b' });
    t.strictSame(changes, [['the Node object'], []]);
  }
});

t.test(
  'NodeKeeper keeps addresses, podCIDRs and the zone that disappear, and follows the ones that change',
  async (t) => {
    const { keeper: sink, stored, changes } = keeper();
    sink.put('Node', node());
    sink.put('Node', node({ addresses: [], podCIDRs: [], zone: '' }));
    t.strictSame(stored(), COMPLETE);
    t.strictSame(changes, [['the IPv4 address', 'the IPv6 address', 'the IPv4 podCIDR', 'the zone label']]);
    sink.put('Node', node({ addresses: ['192.0.2.9'], zone: '', podCIDRs: ['10.2.0.0/24'] }));
    t.match(stored(), {
      addresses: { ip: '192.0.2.9', ip6: '2001:db8::1' },
      zone: 'a',
      podCidrs: { ip: { text: '10.2.0.0/24' } },
    });
    t.strictSame(changes[1], ['the IPv6 address', 'the zone label']);
    sink.put('Node', node({ addresses: ['192.0.2.9', '2001:db8::9'], zone: 'b' }));
    t.match(stored(), { addresses: { ip: '192.0.2.9', ip6: '2001:db8::9' }, zone: 'b' });
    t.strictSame(changes[2], []);
  },
);

t.test('NodeKeeper follows everything else of an incomplete Node', async (t) => {
  const { keeper: sink, stored } = keeper();
  sink.put('Node', node());
  sink.put('Node', node({ addresses: [], taints: [{ key: 'ToBeDeletedByClusterAutoscaler' }] }));
  t.match(stored(), { toBeDeleted: true, addresses: { ip: '192.0.2.1' } });
});

t.test('NodeKeeper invents nothing: a Node that was never known stays unknown', async (t) => {
  const { keeper: sink, sink: target, stored, changes } = keeper();
  sink.replace('Node', []);
  sink.remove('Node', 'n1');
  t.equal(stored(), undefined);
  sink.put('Node', node({ addresses: [], zone: '' }));
  t.match(stored(), { addresses: {}, zone: undefined });
  t.strictSame(changes, []);
  t.strictSame(target.take(), ['replace Node ', 'remove Node n1', 'put Node n1']);
});

t.test('NodeKeeper passes on other Nodes and kinds unchanged', async (t) => {
  const { keeper: sink, sink: target } = keeper();
  const other = node({ name: 'n2', addresses: [] });
  sink.put('Node', other);
  sink.remove('Node', 'n2');
  sink.replace('Service', []);
  sink.remove('Service', 'a/b');
  t.strictSame(target.take(), ['put Node n2', 'remove Node n2', 'replace Service ', 'remove Service a/b']);
});
