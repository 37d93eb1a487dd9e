// Tests of src/services/objects/kinds.ts.

import t from 'tap';
import { KINDS, kindOf } from '../../../../src/services/objects/kinds.ts';
import { node } from '../../../support/builders/node.ts';
import { service } from '../../../support/builders/service.ts';
import { serviceCidr } from '../../../support/builders/service-cidr.ts';
import { slice } from '../../../support/builders/slice.ts';

t.test('KINDS has each kind under its name', async (t) => {
  const objects = [service(), slice(), node(), serviceCidr()];
  t.same(objects.map((object) => object['kind']).toSorted(), Object.keys(KINDS).toSorted());
  for (const object of objects) {
    const kind = kindOf(object['apiVersion'], object['kind']);
    t.equal(kind, object['kind']);
    if (kind !== undefined) t.not(KINDS[kind].read(object).value, undefined);
  }
});

t.test('kindOf() returns undefined for other kinds and versions', async (t) => {
  const cases = [
    ['v1', 'Pod'],
    ['v1', 'EndpointSlice'],
    ['networking.k8s.io/v1beta1', 'ServiceCIDR'],
    ['v1', undefined],
  ];
  for (const [apiVersion, kind] of cases) t.equal(kindOf(apiVersion, kind), undefined);
  t.equal(
    kindOf('discovery.k8s.io/v1beta1', 'EndpointSlice'),
    'EndpointSlice',
    'which is reported if a Service misses it',
  );
  t.equal(kindOf('v1', 'Endpoints'), 'EndpointSlice');
});
