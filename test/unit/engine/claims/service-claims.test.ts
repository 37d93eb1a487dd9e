// Tests of src/engine/claims/service-claims.ts.

import t from 'tap';
import { ServiceClaims } from '../../../../src/engine/claims/service-claims.ts';
import { readService, type Service } from '../../../../src/services/objects/service.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

function given(key: string, spec: ApiObject): Service {
  const { value } = readService(
    service(key, { spec: { type: 'LoadBalancer', ...clusterIps('10.96.0.1', 'fd00::1'), ...spec } }),
  );
  if (value === undefined) throw new Error('The Service is valid');
  return value;
}

const CHECKED = given('shop/a', { externalTrafficPolicy: 'Local', healthCheckNodePort: 31_555 });
const OTHER = given('shop/c', {
  ...clusterIps('10.96.0.3'),
  externalTrafficPolicy: 'Local',
  healthCheckNodePort: 31_555,
});
const TAKER = given('shop/b', {
  ...clusterIps('10.96.0.2', 'fd00::2'),
  ports: [
    { name: 't', port: 80, protocol: 'TCP', nodePort: 31_555 },
    { name: 'u', port: 80, protocol: 'UDP', nodePort: 31_555 },
  ],
});
const NODE_PORTS = ['IPv4', 'IPv6'].map((label) => `${label} node port 31555/tcp`);

const claiming = (stored: Service) => ({ key: stored.key, stored, served: stored });

t.test('health checks own their node port in both families, whichever Service came first', async (t) => {
  for (const order of [
    [CHECKED, TAKER],
    [TAKER, CHECKED],
  ]) {
    const claims = new ServiceClaims();
    for (const stored of order) claims.claim(claiming(stored));
    for (const frontend of NODE_PORTS) t.notOk(claims.owns(frontend, 'shop/b'), frontend);
    t.ok(claims.owns('IPv4 node port 31555/udp', 'shop/b'), 'another protocol');
    t.match(claims.issues(), [
      {
        object: 'Service shop/b',
        value: '31555',
        reason: 'is the health check node port of Service shop/a',
        effect: 'ignoring this node port',
      },
    ]);
    t.equal(claims.issues().length, 1, 'once for both families');
    t.equal(claims.issues(), claims.issues(), 'the same list while nothing changes');
    t.strictSame(claims.conflicts(), [], 'no conflict of frontends');
  }
});

t.test('the Services that win or lose a node port by a health check are to be compiled', async (t) => {
  const claims = new ServiceClaims();
  claims.claim(claiming(TAKER));
  t.strictSame([...claims.claim(claiming(CHECKED))], ['shop/b']);
  t.strictSame([...claims.claim({ key: 'shop/a', stored: CHECKED, served: undefined })], [], 'refused, but checked');
  t.strictSame([...claims.claim({ key: 'shop/a', stored: undefined, served: undefined })], ['shop/b']);
  t.ok(NODE_PORTS.every((frontend) => claims.owns(frontend, 'shop/b')));
  t.strictSame(claims.issues(), []);
});

t.test('a health check node port of two Services is reported', async (t) => {
  const claims = new ServiceClaims();
  for (const stored of [OTHER, CHECKED]) claims.claim(claiming(stored));
  t.match(claims.issues(), [
    { object: 'Service shop/c', reason: 'is the health check node port of Service shop/a, too' },
  ]);
  t.strictSame(claims.conflicts(), []);
});
