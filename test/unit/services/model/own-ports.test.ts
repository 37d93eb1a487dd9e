// Tests of src/services/model/own-ports.ts.

import t from 'tap';
import { type OwnPort, withoutOwnPorts } from '../../../../src/services/model/own-ports.ts';
import { readService } from '../../../../src/services/objects/service.ts';
import { service } from '../../../support/builders/service.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

const HEALTH: OwnPort = { address: '0.0.0.0', port: 10256, name: 'the health port' };
const METRICS: OwnPort = { address: '127.0.0.1', port: 10249, name: 'the metrics port' };

function filter(spec: ApiObject, { localhostNodePorts = false, health = HEALTH } = {}) {
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { ip: '198.51.100.9' }] } };
  const object = readService(service('shop/b', { spec: { type: 'LoadBalancer', ...spec }, status }));
  const servers = { ownPorts: [health, METRICS], localhostNodePorts, hostAddresses: ['192.0.2.1', '127.0.0.1'] };
  const { value, issues } = withoutOwnPorts(object, servers);
  return {
    unchanged: value === object.value,
    nodePorts: value?.ports.map(({ nodePort }) => nodePort),
    loadBalancerIps: value?.loadBalancerIps,
    externalIps: value?.externalIps,
    issues: issues.map(({ field, value, reason }) => `${field} ${value} ${reason}`),
  };
}

const port = (nodePort: number, overrides: ApiObject = {}) => ({
  name: `p${nodePort}`,
  port: 80,
  protocol: 'TCP',
  nodePort,
  ...overrides,
});

t.test('withoutOwnPorts() ignores node ports of the daemon, and keeps the others', async (t) => {
  const { nodePorts, issues } = filter({ ports: [port(10256), port(10249, { port: 81 }), port(30080, { port: 82 })] });
  t.strictSame(nodePorts, [0, 10249, 30080], 'nothing reaches node ports at 127.0.0.1');
  t.strictSame(issues, ['spec.ports[].nodePort 10256 is the health port']);
  const local = filter({ ports: [port(10249)] }, { localhostNodePorts: true });
  t.strictSame(local.nodePorts, [0]);
  t.equal(filter({ ports: [port(10256, { protocol: 'UDP' })] }).unchanged, true, 'UDP');
});

t.test('withoutOwnPorts() ignores addresses of this node where the daemon listens', async (t) => {
  const ports = [port(0, { port: 10256 })];
  const anywhere = filter({ ports, externalIPs: ['192.0.2.1', '203.0.113.1'] });
  t.strictSame([anywhere.externalIps, anywhere.loadBalancerIps], [['203.0.113.1'], ['198.51.100.9']]);
  t.equal(anywhere.issues.length, 2);
  const elsewhere = filter({ ports }, { health: { ...HEALTH, address: '192.0.2.77' } });
  t.strictSame(elsewhere.loadBalancerIps, ['192.0.2.1', '198.51.100.9']);
  t.equal(filter({ ports: [port(0)] }).unchanged, true, 'another port');
});
