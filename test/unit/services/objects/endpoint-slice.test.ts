// Tests of src/services/objects/endpoint-slice.ts.

import t from 'tap';
import { type EndpointSlice, readEndpointSlice } from '../../../../src/services/objects/endpoint-slice.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';
import { expectSkipped } from './expect-skipped.ts';

function read(overrides: ApiObject): { value: EndpointSlice; issues: string[] } {
  const { value, issues } = readEndpointSlice(slice('shop/web', overrides));
  if (value === undefined) throw new Error('The slice is used');
  return { value, issues: issues.map(({ field, value, effect }) => `${field} ${value}: ${effect}`) };
}

t.test('readEndpointSlice() reads a minimal slice', async (t) => {
  t.strictSame(readEndpointSlice(slice()), {
    key: 'shop/web-1',
    value: {
      key: 'shop/web-1',
      service: 'shop/web',
      family: 'ip',
      ports: [{ name: '', protocol: 'tcp', port: 8080 }],
      endpoints: [
        {
          address: '10.1.0.1',
          ready: true,
          serving: true,
          terminating: false,
          nodeName: '',
          zoneHints: [],
          nodeHints: [],
        },
      ],
      lastChangeTriggerTime: 0,
    },
    issues: [],
  });
});

const SKIPPED: readonly [about: string, overrides: ApiObject, reason: RegExp][] = [
  ['headless', { metadata: { labels: { 'service.kubernetes.io/headless': 'yes' } } }, /headless/],
  ['headless, empty', { metadata: { labels: { 'service.kubernetes.io/headless': '' } } }, /headless/],
  ['no label', { metadata: { labels: undefined } }, /does not belong to a Service/],
  ['empty label', { metadata: { labels: { 'kubernetes.io/service-name': '' } } }, /does not belong to a Service/],
  ['bad label', { metadata: { labels: { 'kubernetes.io/service-name': 'a b' } } }, /does not belong to a Service/],
  ['FQDN', { addressType: 'FQDN' }, /FQDN/],
];

t.test('readEndpointSlice() skips slices that are not proxied, without issues', async (t) => {
  for (const [about, overrides, reason] of SKIPPED) {
    expectSkipped(t, readEndpointSlice(slice('shop/web', overrides)), { key: 'shop/web-1', reason, about });
  }
});

t.test('readEndpointSlice() reports an unknown address type', async (t) => {
  for (const [addressType, value] of [
    ['IPv5', '"IPv5"'],
    [undefined, '(absent)'],
    [null, 'null'],
  ]) {
    const result = readEndpointSlice(slice('shop/web', { addressType }));
    t.equal(result.value, undefined);
    t.match(result.issues, [{ object: 'EndpointSlice shop/web-1', field: 'addressType', value }]);
  }
});

t.test('readEndpointSlice() reads ports, with TCP as the default protocol', async (t) => {
  const ports = [
    { name: 'a', port: 1, protocol: 'UDP' },
    { name: 'b', port: 65535, protocol: null },
    { port: 80 },
    { name: null, port: 81, protocol: 'SCTP' },
  ];
  t.strictSame(read({ ports }).value.ports, [
    { name: 'a', protocol: 'udp', port: 1 },
    { name: 'b', protocol: 'tcp', port: 65535 },
    { name: '', protocol: 'tcp', port: 80 },
    { name: '', protocol: 'sctp', port: 81 },
  ]);
  t.strictSame(read({ ports: null }).value.ports, []);
});

t.test('readEndpointSlice() ignores only invalid ports', async (t) => {
  const cases: [port: ApiObject, field: string, value: string][] = [
    [{ name: 'x', port: null }, 'port', 'null'],
    [{ name: 'x' }, 'port', '(absent)'],
    [{ name: 'x', port: 0 }, 'port', '0'],
    [{ name: 'x', port: 65536 }, 'port', '65536'],
    [{ name: 'x', port: '80' }, 'port', '"80"'],
    [{ name: 'x', port: 80, protocol: 'QUIC' }, 'protocol', '"QUIC"'],
  ];
  for (const [port, field, value] of cases) {
    const result = read({ ports: [port, { name: 'good', port: 1 }] });
    t.match(result.value.ports, [{ name: 'good' }]);
    t.strictSame(result.issues, [`ports[0].${field} ${value}: ignoring this port`]);
  }
});

t.test('readEndpointSlice() reads conditions, with ready and serving as the default', async (t) => {
  const cases: [conditions: unknown, ready: boolean, serving: boolean, terminating: boolean][] = [
    [undefined, true, true, false],
    [null, true, true, false],
    [{}, true, true, false],
    [{ ready: null, serving: null, terminating: null }, true, true, false],
    [{ ready: false }, false, true, false],
    [{ ready: false, serving: false }, false, false, false],
    [{ ready: true, serving: false, terminating: true }, true, false, true],
  ];
  for (const [conditions, ready, serving, terminating] of cases) {
    const { value } = read({ endpoints: [{ addresses: ['10.1.0.1'], conditions }] });
    t.match(value.endpoints, [{ ready, serving, terminating }], JSON.stringify(conditions));
  }
});

t.test('readEndpointSlice() uses the first address, which must be of its family', async (t) => {
  t.match(read({ endpoints: [{ addresses: ['10.1.0.1', '10.1.0.2'] }] }).value.endpoints, [{ address: '10.1.0.1' }]);
  const cases: [addressType: string, addresses: unknown, value: string][] = [
    ['IPv4', [], '(absent)'],
    ['IPv4', null, '(absent)'],
    ['IPv4', ['10.1.0.256'], '"10.1.0.256"'],
    ['IPv4', [5], '5'],
    ['IPv4', ['fd00::1'], '"fd00::1"'],
    ['IPv6', ['10.1.0.1'], '"10.1.0.1"'],
    ['IPv6', ['::ffff:10.1.0.1'], '"::ffff:10.1.0.1"'],
  ];
  for (const [addressType, addresses, shown] of cases) {
    const good = endpoint(addressType === 'IPv4' ? '10.1.0.9' : 'FD00::9');
    const { value, issues } = read({ addressType, endpoints: [{ addresses }, good] });
    t.match(value.endpoints, [{ address: addressType === 'IPv4' ? '10.1.0.9' : 'fd00::9' }]);
    t.strictSame(issues, [`endpoints[0].addresses[0] ${shown}: ignoring this endpoint`]);
  }
});

t.test('readEndpointSlice() ignores special addresses, as the API server does, and reports them', async (t) => {
  const cases: [addressType: string, address: string, reason: string][] = [
    ['IPv4', '127.0.0.1', 'is a loopback address'],
    ['IPv4', '::ffff:127.0.0.1', 'is a loopback address'],
    ['IPv4', '0.0.0.0', 'is an unspecified address'],
    ['IPv4', '169.254.169.254', 'is a link-local address'],
    ['IPv4', '224.0.0.5', 'is a multicast address'],
    ['IPv4', '255.255.255.255', 'is a broadcast address'],
    ['IPv6', '::1', 'is a loopback address'],
    ['IPv6', '::', 'is an unspecified address'],
    ['IPv6', 'fe80::1', 'is a link-local address'],
    ['IPv6', 'ff02::1', 'is a multicast address'],
    ['IPv6', 'fe80::1%eth0', 'is not an IPv6 address'],
  ];
  for (const [addressType, address, reason] of cases) {
    const good = endpoint(addressType === 'IPv4' ? '10.1.0.9' : 'fd00::9');
    const result = readEndpointSlice(slice('shop/web', { addressType, endpoints: [endpoint(address), good] }));
    t.equal(result.value?.endpoints.length, 1, address);
    const expected = { field: 'endpoints[0].addresses[0]', value: JSON.stringify(address), reason };
    t.match(result.issues, [{ ...expected, effect: 'ignoring this endpoint' }]);
  }
});

t.test('readEndpointSlice() reports addresses with several readings, and uses that of kube-proxy', async (t) => {
  const { value, issues } = read({ endpoints: [endpoint('10.1.0.01'), endpoint('::ffff:10.1.0.2')] });
  t.match(value.endpoints, [{ address: '10.1.0.1' }, { address: '10.1.0.2' }]);
  t.strictSame(issues, [
    'endpoints[0].addresses[0] "10.1.0.01": using 10.1.0.1',
    'endpoints[1].addresses[0] "::ffff:10.1.0.2": using 10.1.0.2',
  ]);
});

t.test('readEndpointSlice() reads the node and the hints', async (t) => {
  const hints = { forZones: [{ name: 'a' }, { name: '' }, {}], forNodes: [{ name: 'n1' }, { name: 'n2' }] };
  const endpoints = [
    endpoint('10.1.0.1', { nodeName: 'n1', hints }),
    endpoint('10.1.0.2', { nodeName: null, hints: null }),
  ];
  const { value } = read({ endpoints });
  t.match(value.endpoints[0], { nodeName: 'n1', zoneHints: ['a'], nodeHints: ['n1', 'n2'] });
  t.strictSame(value.endpoints[0]?.zoneHints, ['a'], 'empty names are ignored');
  t.strictSame(value.endpoints[1]?.zoneHints, []);
  t.equal(value.endpoints[1]?.nodeName, '');
  t.strictSame(
    read({ endpoints: [endpoint('10.1.0.1', { hints: { forZones: [] } })] }).value.endpoints[0]?.zoneHints,
    [],
  );
});

t.test('readEndpointSlice() reads the last change trigger time', async (t) => {
  const at = (time: unknown) =>
    read({ metadata: { annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': time } } }).value
      .lastChangeTriggerTime;
  t.equal(at('2025-01-01T00:00:00Z'), Date.UTC(2025, 0, 1));
  t.equal(at('2025-01-01T00:00:00.123456789Z'), Date.UTC(2025, 0, 1, 0, 0, 0, 123));
  for (const time of ['yesterday', '', null, 5]) t.equal(at(time), 0);
});

t.test('readEndpointSlice() reports objects without a valid name', async (t) => {
  for (const [object, field] of [
    [{}, 'metadata.name'],
    [{ metadata: { name: 'a"b' } }, 'metadata.name'],
    [{ metadata: { name: 'a', namespace: '{}' } }, 'metadata.namespace'],
  ] as const) {
    const { key, value, issues } = readEndpointSlice(object);
    t.equal(key, '');
    t.equal(value, undefined);
    t.match(issues, [{ object: 'EndpointSlice (without a name)', field }]);
  }
});
