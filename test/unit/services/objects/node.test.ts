// Tests of src/services/objects/node.ts.

import t from 'tap';
import { readNode } from '../../../../src/services/objects/node.ts';
import { inZone, node } from '../../../support/builders/node.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

t.test('readNode() reads a minimal Node', async (t) => {
  t.strictSame(readNode(node()), {
    key: 'n1',
    value: { key: 'n1', addresses: { ip: '192.0.2.1' }, podCidrs: {}, zone: undefined, toBeDeleted: false },
    issues: [],
  });
  t.match(readNode({ metadata: { name: 'bare' } }), { value: { addresses: {}, podCidrs: {} }, issues: [] });
});

t.test('readNode() uses the first InternalIP of each family, or else the first ExternalIP', async (t) => {
  const cases: [addresses: [string, string][], expected: object][] = [
    [
      [
        ['Hostname', '192.0.2.9'],
        ['ExternalIP', '198.51.100.1'],
        ['InternalIP', '192.0.2.01'],
        ['InternalIP', '192.0.2.2'],
        ['InternalIP', 'FD00::1'],
      ],
      { ip: '192.0.2.1', ip6: 'fd00::1' },
    ],
    [
      [
        ['ExternalIP', '198.51.100.1'],
        ['ExternalIP', 'fd00::2'],
        ['InternalIP', 'fd00::1'],
      ],
      { ip: '198.51.100.1', ip6: 'fd00::1' },
    ],
    [
      [
        ['InternalIP', 'n1'],
        ['InternalDNS', '192.0.2.3'],
      ],
      {},
    ],
  ];
  for (const [addresses, expected] of cases) {
    const status = { addresses: addresses.map(([type, address]) => ({ type, address })) };
    t.strictSame(readNode(node('n1', { status })).value?.addresses, expected);
  }
});

t.test('readNode() uses the first pod CIDR of each family', async (t) => {
  const podCIDRs = ['10.1.1.0/24', 'x', 'fd00:1::/64', '10.1.2.0/24'];
  const { value, issues } = readNode(node('n1', { spec: { podCIDR: '10.9.0.0/24', podCIDRs } }));
  t.match(value?.podCidrs, { ip: { text: '10.1.1.0/24' }, ip6: { text: 'fd00:1::/64' } });
  t.match(issues, [{ object: 'Node n1', field: 'spec.podCIDRs[1]', value: '"x"' }]);
});

t.test('readNode() distinguishes an empty zone from a missing one', async (t) => {
  t.equal(readNode(node('n1', inZone('a'))).value?.zone, 'a');
  t.equal(readNode(node('n1', inZone(''))).value?.zone, '');
  t.equal(readNode(node('n1')).value?.zone, undefined);
});

const LEAVING: readonly [overrides: ApiObject, toBeDeleted: boolean][] = [
  [{ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }, true],
  [{ metadata: { deletionTimestamp: null } }, false],
  [{ spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', value: '1', effect: 'NoSchedule' }] } }, true],
  [{ spec: { taints: [{ key: 'other' }, { key: 'ToBeDeletedByClusterAutoscaler' }] } }, true],
  [{ spec: { taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] } }, false],
  [{ spec: { unschedulable: true, taints: null } }, false],
];

t.test('readNode() marks a Node that is about to be deleted', async (t) => {
  for (const [overrides, leaving] of LEAVING) {
    t.equal(readNode(node('n1', overrides)).value?.toBeDeleted, leaving, JSON.stringify(overrides));
  }
});

t.test('readNode() reports objects without a valid name', async (t) => {
  t.match(readNode({ metadata: { name: '' } }), { key: '', issues: [{ object: 'Node (without a name)' }] });
});
