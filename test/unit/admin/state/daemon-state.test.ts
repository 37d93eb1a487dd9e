// Tests of src/admin/state/daemon-state.ts.

import t from 'tap';
import { engineFromState, engineState } from '../../../../src/admin/state/daemon-state.ts';
import { elementsOf, engineOf } from '../../../support/builders/engine.ts';
import { node } from '../../../support/builders/node.ts';
import { service } from '../../../support/builders/service.ts';
import { serviceCidr } from '../../../support/builders/service-cidr.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';

const OBJECTS = [
  service(),
  slice('shop/web', { endpoints: [endpoint('10.1.0.1'), endpoint('10.1.0.2')] }),
  node('n1'),
  node('n2'),
  serviceCidr(),
];

t.test('engineState() has all Nodes, whose addresses no ServiceCIDR may contain', async (t) => {
  const { objects, ready } = engineState(engineOf(OBJECTS));
  t.equal(ready, true);
  t.strictSame(
    objects.Node.map(({ key }) => key),
    ['n1', 'n2'],
  );
  t.equal(objects.Service.length, 1);
  t.equal(objects.EndpointSlice.length, 1);
});

t.test('engineFromState() compiles to the same elements, also after JSON', async (t) => {
  const engine = engineOf(OBJECTS);
  const state = engineState(engine);
  for (const copy of [state, JSON.parse(JSON.stringify(state)) as typeof state]) {
    const restored = engineFromState(copy);
    restored.adopt({ elements: new Map(), chains: [] });
    restored.compile();
    t.strictSame(elementsOf(restored), elementsOf(engine));
    t.ok(elementsOf(restored).length > 3);
  }
});
