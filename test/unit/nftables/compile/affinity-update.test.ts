// Tests which endpoints of a frontend are stored in which affinity maps.

import t from 'tap';
import { affinityMapsOf } from '../../../../src/engine/affinity-maps.ts';
import { affinityUpdateLocalName, endpointChain } from '../../../../src/nftables/compile/endpoint-chains.ts';
import { elementsOf, engineOf } from '../../../support/builders/engine.ts';
import { service } from '../../../support/builders/service.ts';
import { DRAINING, endpoint, slice } from '../../../support/builders/slice.ts';

t.test('endpoints that only the Local policy uses are stored in its map alone', async (t) => {
  const engine = engineOf([
    service('shop/web', {
      spec: {
        type: 'NodePort',
        externalIPs: ['192.0.2.7'],
        externalTrafficPolicy: 'Local',
        sessionAffinity: 'ClientIP',
      },
    }),
    slice('shop/web', {
      endpoints: [endpoint('10.1.0.1', { nodeName: 'n1', ...DRAINING }), endpoint('10.1.0.2', { nodeName: 'n2' })],
    }),
  ]);
  const id = 'shop/web/tcp/';
  t.strictSame(
    elementsOf(engine).filter((element) => element.startsWith('ip affinity-ips')),
    [
      `ip affinity-ips: 10.96.0.1 . tcp . 80 . 10.1.0.2 : goto affinity-update-10800/${id}`,
      `ip affinity-ips: 192.0.2.7 . tcp . 80 . 10.1.0.1 : goto affinity-update-local-10800/${id}`,
      `ip affinity-ips: 192.0.2.7 . tcp . 80 . 10.1.0.2 : goto affinity-update-10800/${id}`,
    ],
  );
  const { chains } = endpointChain(affinityUpdateLocalName(10800, id), 'ip', engine.node);
  t.strictSame(chains[0]?.rules, [[{ kind: 'update-affinity', map: `local-affinity/${id}`, seconds: 10800 }]]);
  const [all, local] = affinityMapsOf('shop/web', engine.model('shop/web'));
  t.strictSame([...(all?.endpoints ?? [])], ['10.1.0.2 . 8080'], 'the map of all endpoints drops it');
  t.strictSame([...(local?.endpoints ?? [])], ['10.1.0.1 . 8080']);
});
