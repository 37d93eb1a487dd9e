// Tests of src/admin/state/daemon-state.ts.

import t from 'tap';
import {
  type DaemonState,
  engineFromState,
  engineState,
  selectState,
} from '../../../../src/admin/state/daemon-state.ts';
import { daemonStatus } from '../../../support/builders/daemon-status.ts';
import { elementsOf, engineOf } from '../../../support/builders/engine.ts';
import { node } from '../../../support/builders/node.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import { serviceCidr } from '../../../support/builders/service-cidr.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';

const OBJECTS = [
  service(),
  slice('shop/web', { endpoints: [endpoint('10.1.0.1'), endpoint('10.1.0.2')] }),
  node('n1'),
  node('n2'),
  serviceCidr(),
  service('shop/data', { spec: { clusterIP: 'None' } }),
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
    t.strictSame(restored.store.skippedServices, engine.store.skippedServices);
    t.equal(restored.store.skippedServices.size, 1);
    t.ok(elementsOf(restored).length > 3);
  }
});

t.test('selectState() has the objects that matter for a destination, unless a limit applies', async (t) => {
  const other = [service('shop/other', { spec: clusterIps('10.96.0.9') }), slice('shop/other')];
  const engine = engineOf([...OBJECTS, ...other]);
  engine.refuse({ service: 'shop/other', reason: 'no' });
  const state: DaemonState = {
    ...{ version: '1', pid: 1, source: 'test', status: daemonStatus() },
    ...engineState(engine),
  };
  const selected = (whole: DaemonState, address: string) => {
    const { objects, refusals } = selectState(whole, { address, port: 80 });
    return [...objects.Service, ...objects.EndpointSlice, ...refusals.map(({ service: key }) => ({ key }))].map(
      ({ key }) => key,
    );
  };
  t.strictSame(selected(state, '10.96.0.9'), ['shop/other', 'shop/other-1', 'shop/other']);
  t.strictSame(selected(state, '192.0.2.1'), []);
  t.equal(selected({ ...state, limited: 1 }, '192.0.2.1').length, 5);
  t.equal(selectState(state, undefined), state);
});
