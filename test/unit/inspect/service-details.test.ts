// Tests of src/inspect/service-details.ts.

import t from 'tap';
import { detailsOf, printDetails } from '../../../src/inspect/service-details.ts';
import { parsePrefix } from '../../../src/net/prefix.ts';
import type { ProxyOptions } from '../../../src/nftables/compile/node-view.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';

function detailed(spec: ApiObject, options: Partial<ProxyOptions> = {}) {
  const engine = engineOf([service('shop/web', { spec: { ...clusterIps('10.96.0.1', 'fd00::1'), ...spec } })], options);
  engine.setHostAddresses(['127.0.0.1', '192.0.2.1', '192.0.2.2', '2001:db8::1']);
  engine.compile();
  const web = engine.store.services.get('shop/web');
  if (web === undefined) throw new Error('The Service is valid');
  return detailsOf(web, engine);
}

const NODE_PORT = { ports: [{ port: 80, protocol: 'TCP', nodePort: 30_080 }] };

t.test('detailsOf() has only what the Service uses', async (t) => {
  const plain = detailed({});
  t.strictSame(plain, { internalTrafficPolicy: 'Cluster', externalTrafficPolicy: 'Cluster' });
  t.strictSame(printDetails(plain), []);
});

t.test('detailsOf() has policies, session affinity, source ranges and the health check node port', async (t) => {
  const details = detailed({
    ...{ type: 'LoadBalancer', externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' },
    ...{ healthCheckNodePort: 31_777, loadBalancerSourceRanges: ['203.0.113.0/24', '198.51.100.0/24'] },
    ...{ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } } },
  });
  t.strictSame(details, {
    ...{ internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local', sessionAffinitySeconds: 600 },
    sourceRanges: { IPv4: ['203.0.113.0/24', '198.51.100.0/24'], IPv6: 'open' },
    healthCheckNodePort: 31_777,
  });
  t.strictSame(printDetails(details), [
    'session affinity: ClientIP, for 600 s',
    'source ranges: IPv4 203.0.113.0/24, 198.51.100.0/24; IPv6 all clients',
    'health check node port: 31777',
  ]);
  const strict = detailed(
    { type: 'LoadBalancer', loadBalancerSourceRanges: ['203.0.113.0/24'] },
    { strictSourceRanges: true },
  );
  t.strictSame(printDetails(strict), ['source ranges: IPv4 203.0.113.0/24; IPv6 no client']);
});

t.test('detailsOf() resolves nodePortAddresses to the addresses of this node, in both families', async (t) => {
  const spec = { type: 'NodePort', ...NODE_PORT };
  const EVERY = ['IPv4', 'IPv6'].map((label) => `every ${label} address except loopback`);
  const blocks = ['192.0.2.2/32', '2001:db8::/64'].flatMap((text) => parsePrefix(text) ?? []);
  const cases: [ProxyOptions['nodePortAddresses'], string][] = [
    [['all'], `${EVERY.join(', ')}`],
    [['all', 'localhost'], `${EVERY.join(', ')}, 127.0.0.1`],
    [blocks, '192.0.2.2, 2001:db8::1'],
    [['localhost'], '127.0.0.1'],
    [['198.51.100.0/24', 'fd77::/64'].flatMap((text) => parsePrefix(text) ?? []), 'no address of this node'],
  ];
  for (const [entries, expected] of cases)
    t.strictSame(printDetails(detailed(spec, { nodePortAddresses: entries })), [`node ports at: ${expected}`]);
});
