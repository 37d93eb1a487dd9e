// Tests of src/services/objects/service-ports.ts, by way of readService().

import t from 'tap';
import type { ApiObject } from '../../../support/deployment/merge.ts';
import { read } from './read-service.ts';

t.test('readService() reads ports', async (t) => {
  const { value, issues } = read({
    ports: [
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'dns', port: 53, protocol: 'TCP', nodePort: 30053 },
      { name: 'sctp', port: 65535, protocol: 'SCTP', nodePort: 0 },
      { name: 'default', port: 1 },
    ],
  });
  t.strictSame(value.ports, [
    { name: 'dns', protocol: 'udp', port: 53, nodePort: 0 },
    { name: 'dns', protocol: 'tcp', port: 53, nodePort: 30053 },
    { name: 'sctp', protocol: 'sctp', port: 65535, nodePort: 0 },
    { name: 'default', protocol: 'tcp', port: 1, nodePort: 0 },
  ]);
  t.strictSame(issues, []);
  for (const ports of [undefined, null, [], {}]) t.strictSame(read({ ports }).value.ports, []);
});

const BAD_PORTS: readonly [port: ApiObject, field: string, value: string][] = [
  [{ port: 0 }, '.port', '0'],
  [{ port: 65536 }, '.port', '65536'],
  [{ port: -1 }, '.port', '-1'],
  [{ port: 80.5 }, '.port', '80.5'],
  [{ port: '80' }, '.port', '"80"'],
  [{ port: null }, '.port', 'null'],
  [{}, '.port', '(absent)'],
  [{ port: 80, protocol: 'ICMP' }, '.protocol', '"ICMP"'],
  [{ port: 80, protocol: 'tcp' }, '.protocol', '"tcp"'],
  [{ port: 80, name: 'a"b' }, '.name', '"a\\"b"'],
  [{ port: 80, name: 'Http' }, '.name', '"Http"'],
  [{ port: 443, name: 'first' }, '', '{"port":443,"name":"first"}'],
  [{ port: 444, name: 'first' }, '', '{"port":444,"name":"first"}'],
  [{ port: 443, name: 'other' }, '', '{"port":443,"name":"other"}'],
];

t.test('readService() ignores only invalid ports', async (t) => {
  for (const [port, field, value] of BAD_PORTS) {
    const result = read({ ports: [{ name: 'first', port: 443 }, port, { name: 'last', port: 8443 }] });
    t.strictSame(
      result.value.ports.map(({ name }) => name),
      ['first', 'last'],
    );
    t.strictSame(result.issues, [`spec.ports[1]${field} ${value}: ignoring this port`]);
  }
});

t.test('readService() keeps a port with an invalid node port', async (t) => {
  const again = { name: 'b', port: 81, nodePort: 30000 };
  for (const nodePort of [65536, -1, '30000', 1.5]) {
    const { value, issues } = read({ ports: [{ port: 80, nodePort }] });
    t.strictSame(value.ports, [{ name: '', protocol: 'tcp', port: 80, nodePort: 0 }]);
    t.strictSame(issues, [`spec.ports[0].nodePort ${JSON.stringify(nodePort)}: ignoring this node port`]);
  }
  const { value, issues } = read({ ports: [{ name: 'a', port: 80, nodePort: 30000 }, again] });
  t.match(value.ports, [{ nodePort: 30000 }, { name: 'b', nodePort: 0 }]);
  t.strictSame(issues, ['spec.ports[1].nodePort 30000: ignoring this node port']);
  const otherProtocol = read({
    ports: [
      { name: 'a', port: 80, nodePort: 30000 },
      { ...again, protocol: 'UDP' },
    ],
  });
  t.match(otherProtocol.value.ports, [{ nodePort: 30000 }, { nodePort: 30000 }]);
  t.strictSame(otherProtocol.issues, []);
});

t.test('readService() reports ports of type NodePort without a node port', async (t) => {
  const ports = [
    { name: 'a', port: 80 },
    { name: 'b', port: 81, nodePort: 30081 },
    { name: 'c', port: 82, nodePort: 0 },
  ];
  const { value, issues } = read({ type: 'NodePort', ports });
  t.strictSame(
    value.ports.map(({ nodePort }) => nodePort),
    [0, 30081, 0],
  );
  t.strictSame(issues, [
    'spec.ports[0].nodePort (absent): port 80/tcp has no node port',
    'spec.ports[2].nodePort 0: port 82/tcp has no node port',
  ]);
  t.strictSame(read({ type: 'LoadBalancer', ports }).issues, []);
  t.strictSame(read({ ports }).issues, []);
});
