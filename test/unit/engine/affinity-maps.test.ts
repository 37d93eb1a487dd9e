// Tests of src/engine/affinity-maps.ts.

import t from 'tap';
import { affinityMapsOf } from '../../../src/engine/affinity-maps.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { service } from '../../support/builders/service.ts';
import { DRAINING, endpoint, slice } from '../../support/builders/slice.ts';

t.test('affinityMapsOf() returns both maps of each Service port with their valid endpoints', async (t) => {
  const spec = { type: 'NodePort', externalTrafficPolicy: 'Local', ports: [{ port: 80, nodePort: 30080 }] };
  const endpoints = [endpoint('10.1.0.1', { nodeName: 'n1', ...DRAINING }), endpoint('10.1.0.2', { nodeName: 'n2' })];
  const engine = engineOf([service('shop/web', { spec }), slice('shop/web', { endpoints })]);
  const maps = affinityMapsOf('shop/web', engine.model('shop/web'));
  t.strictSame(
    maps.map(({ object, endpoints }) => [object.family, object.name, [...endpoints]]),
    [
      ['ip', 'affinity/shop/web/tcp/', ['10.1.0.2 . 8080']],
      ['ip', 'local-affinity/shop/web/tcp/', ['10.1.0.1 . 8080']],
    ],
  );
  t.strictSame(affinityMapsOf('shop/web', []), []);
});
