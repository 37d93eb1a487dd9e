// Tests of src/services/model/frontends.ts.

import t from 'tap';
import type { Family } from '../../../../src/net/family.ts';
import { allFrontends, endpointUsage, frontendsOf } from '../../../../src/services/model/frontends.ts';
import { readService, type Service } from '../../../../src/services/objects/service.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

function read(spec: ApiObject, ingress: readonly string[] = []): Service {
  const status = { loadBalancer: { ingress: ingress.map((ip) => ({ ip })) } };
  const { value } = readService(service('shop/web', { spec, status }));
  if (value === undefined) throw new Error('The Service is proxied');
  return value;
}

function frontends(of: Service, family: Family = 'ip'): string[] {
  const all = of.ports.flatMap((port) => frontendsOf(of, { port, family }));
  return all.map(({ kind, address, port, policy }) => `${kind} ${address ?? '*'}:${port} ${policy}`);
}

t.test('frontendsOf() returns the addresses of the family and the node port', async (t) => {
  const spec = {
    ...clusterIps('10.96.0.1', 'fd00::1'),
    type: 'NodePort',
    ports: [{ port: 80, nodePort: 30080 }],
    externalIPs: ['198.51.100.1', 'fd00::7'],
    internalTrafficPolicy: 'Local',
    externalTrafficPolicy: 'Cluster',
  };
  const of = read(spec, ['203.0.113.1', 'fd00::8']);
  t.strictSame(frontends(of), [
    'cluster-ip 10.96.0.1:80 Local',
    'load-balancer-ip 203.0.113.1:80 Cluster',
    'external-ip 198.51.100.1:80 Cluster',
    'node-port *:30080 Cluster',
  ]);
  t.strictSame(frontends(of, 'ip6'), [
    'cluster-ip fd00::1:80 Local',
    'load-balancer-ip fd00::8:80 Cluster',
    'external-ip fd00::7:80 Cluster',
    'node-port *:30080 Cluster',
  ]);
});

t.test('frontendsOf() returns nothing in a family that the Service does not have', async (t) => {
  const of = read({ ports: [{ port: 80, nodePort: 30080 }], externalIPs: ['fd00::7'] });
  t.strictSame(frontends(of), ['cluster-ip 10.96.0.1:80 Cluster', 'node-port *:30080 Cluster']);
  t.strictSame(frontends(of, 'ip6'), []);
});

t.test('frontendsOf() returns a repeated address once', async (t) => {
  const of = read({ externalIPs: ['10.96.0.1', '203.0.113.1', '198.51.100.1'] }, ['203.0.113.1', '10.96.0.1']);
  t.strictSame(frontends(of), [
    'cluster-ip 10.96.0.1:80 Cluster',
    'load-balancer-ip 203.0.113.1:80 Cluster',
    'external-ip 198.51.100.1:80 Cluster',
  ]);
});

t.test('frontendsOf() returns the other addresses and the node port of a Service without a cluster IP', async (t) => {
  const ports = [{ port: 80, nodePort: 30080 }];
  const of = read({
    clusterIP: undefined,
    clusterIPs: undefined,
    ipFamilies: ['IPv6'],
    externalIPs: ['fd00::7'],
    ports,
  });
  t.match(
    allFrontends(of).map(({ kind, family, address, port }) => [kind, family, address, port]),
    [
      ['external-ip', 'ip6', 'fd00::7', 80],
      ['node-port', 'ip6', undefined, 30080],
    ],
  );
});

t.test('endpointUsage() depends on policies and frontends', async (t) => {
  const nodePort = { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] };
  const cases: [spec: ApiObject, cluster: boolean, local: boolean][] = [
    [{}, true, false],
    [{ internalTrafficPolicy: 'Local' }, false, true],
    [nodePort, true, false],
    [{ ...nodePort, internalTrafficPolicy: 'Local' }, true, true],
    [{ ...nodePort, externalTrafficPolicy: 'Local' }, true, true],
    [{ ...nodePort, internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local' }, true, true],
    // The policy has no external frontend to apply to.
    [{ type: 'NodePort', externalTrafficPolicy: 'Local' }, true, false],
    [{ externalIPs: ['198.51.100.1'], externalTrafficPolicy: 'Local' }, true, true],
    [{ externalIPs: ['fd00::7'], internalTrafficPolicy: 'Local' }, false, true],
  ];
  for (const [spec, cluster, local] of cases) {
    const of = read(spec);
    const all = of.ports.flatMap((port) => frontendsOf(of, { port, family: 'ip' }));
    t.strictSame(endpointUsage(all, of), { cluster, local }, JSON.stringify(spec));
  }
});

t.test('allFrontends() returns the frontends of all ports and families', async (t) => {
  const ports = [
    { name: 'a', port: 80 },
    { name: 'b', port: 81 },
  ];
  const all = allFrontends(read({ ...clusterIps('10.96.0.1', 'fd00::1'), ports }));
  t.strictSame(
    all.map(({ address, port }) => `${address} ${port}`),
    ['10.96.0.1 80', '10.96.0.1 81', 'fd00::1 80', 'fd00::1 81'],
  );
});
