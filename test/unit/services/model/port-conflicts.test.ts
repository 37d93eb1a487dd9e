// Tests of src/services/model/port-conflicts.ts.

import t from 'tap';
import type { NodePortScope } from '../../../../src/services/model/node-port-addresses.ts';
import { findPortConflicts, type Listener } from '../../../../src/services/model/port-conflicts.ts';
import { readService, type Service } from '../../../../src/services/objects/service.ts';
import { service } from '../../../support/builders/service.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

const SCOPE: NodePortScope = { nodePortIps: { ip: ['192.0.2.1'], ip6: 'any' }, localhostNodePorts: false };

function given(key: string, spec: ApiObject): Service {
  const { value } = readService(service(key, { spec: { type: 'LoadBalancer', ...spec } }));
  if (value === undefined) throw new Error('The Service is valid');
  return value;
}

const nodePort = (number: number, protocol = 'TCP') => ({ ports: [{ port: 80, protocol, nodePort: number }] });
const checked = (port: number) => ({ externalTrafficPolicy: 'Local', healthCheckNodePort: port });

function conflicts(services: readonly Service[], listeners: readonly Listener[] = [], scope = SCOPE): string[] {
  const issues = findPortConflicts(services, { listeners, scope });
  return issues.map(({ object, value, reason }) => `${object} ${value} ${reason}`);
}

t.test('findPortConflicts() leaves out the health check node ports, at which the daemon listens', async (t) => {
  const services = [
    given('shop/a', checked(31555)),
    given('shop/b', nodePort(31555)),
    given('shop/c', nodePort(31555, 'UDP')),
  ];
  const at = { address: '192.0.2.1', port: 31555 };
  t.strictSame(conflicts(services, [{ protocol: 'tcp', ...at }]), []);
  t.strictSame(conflicts(services, [{ protocol: 'udp', ...at }]), [
    'Service shop/c 31555 a program of this node listens on port 31555/udp',
  ]);
});

t.test('findPortConflicts() finds processes that listen where node ports are accepted', async (t) => {
  const ssh = given('shop/ssh', nodePort(22));
  const found = ['Service shop/ssh 22 a program of this node listens on port 22/tcp'];
  const cases: [address: string, expected: string[]][] = [
    ['0.0.0.0', found],
    ['::', found],
    ['192.0.2.1', found],
    ['192.0.2.2', []],
    ['fd00::1', found],
    ['127.0.0.1', []],
  ];
  for (const [address, expected] of cases) {
    t.strictSame(conflicts([ssh], [{ protocol: 'tcp', address, port: 22 }]), expected, address);
  }
  t.strictSame(conflicts([ssh], [{ protocol: 'udp', address: '0.0.0.0', port: 22 }]), []);
  const localhost: NodePortScope = { nodePortIps: { ip: [], ip6: [] }, localhostNodePorts: true };
  t.strictSame(conflicts([ssh], [{ protocol: 'tcp', address: '127.0.0.1', port: 22 }], localhost), found);
  t.strictSame(
    conflicts([ssh], [{ protocol: 'tcp', address: '0.0.0.0', port: 22 }], { ...localhost, localhostNodePorts: false }),
    [],
  );
});
