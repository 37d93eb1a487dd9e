// Tests of src/services/allocation/default-families.ts.

import t from 'tap';
import { primaryFamily, withDefaultFamily } from '../../../../src/services/allocation/default-families.ts';
import { readService } from '../../../../src/services/objects/service.ts';
import { service } from '../../../support/builders/service.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

const NO_IP = { clusterIP: undefined, clusterIPs: undefined, ipFamilies: undefined };

function complete(spec: ApiObject, primary: 'ip' | 'ip6' = 'ip') {
  const { value, issues } = withDefaultFamily(
    readService(service('shop/web', { spec: { ...NO_IP, ...spec } })),
    primary,
  );
  return { families: value?.families, issues: issues.map(({ field, effect }) => `${field}: ${effect}`) };
}

t.test('primaryFamily() is IPv4, except on a host without IPv4 addresses, or with a bind address', async (t) => {
  const cases = [
    [{ hostAddresses: [] }, 'ip'],
    [{ hostAddresses: ['127.0.0.1', '::1', 'fe80::1'] }, 'ip'],
    [{ hostAddresses: ['127.0.0.1', '192.0.2.1', '2001:db8::1'] }, 'ip'],
    [{ hostAddresses: ['127.0.0.1', '2001:db8::1'] }, 'ip6'],
    [{ hostAddresses: ['192.0.2.1'], bindAddress: '2001:db8::1' }, 'ip6'],
    [{ hostAddresses: ['2001:db8::1'], bindAddress: '192.0.2.1' }, 'ip'],
  ] as const;
  for (const [node, expected] of cases) t.equal(primaryFamily(node), expected, JSON.stringify(node));
});

t.test('withDefaultFamily() completes only a Service that names no family', async (t) => {
  const ports = [{ port: 80, nodePort: 30080 }];
  t.strictSame(complete({ ports }), { families: ['ip'], issues: [] });
  t.strictSame(complete({ ports }, 'ip6'), { families: ['ip6'], issues: [] });
  t.strictSame(complete({ ports, ipFamilies: ['IPv6'] }), { families: ['ip6'], issues: [] });
  t.strictSame(complete({ clusterIP: 'None' }), { families: undefined, issues: [] });
});

t.test('withDefaultFamily() reports a Service of which nothing is served', async (t) => {
  const nothing = ['spec.clusterIP: nothing of this Service is served'];
  t.strictSame(complete({}).issues, nothing);
  t.strictSame(complete({ clusterIP: '' }).issues, nothing);
  t.strictSame(complete({ type: 'LoadBalancer' }).issues, nothing);
  t.strictSame(complete({ clusterIP: '10.0.0.256' }).issues, ['spec.clusterIP: ignoring this cluster IP']);
  for (const spec of [{ clusterIP: '10.0.0.1' }, { externalIPs: ['192.0.2.7'] }, { ports: [{ port: 1, nodePort: 2 }] }])
    t.strictSame(complete(spec).issues, [], JSON.stringify(spec));
});
