// Tests of src/engine/store.ts.

import t from 'tap';
import { Store } from '../../../src/engine/store.ts';
import { node } from '../../support/builders/node.ts';
import { put, remove } from '../../support/builders/put-objects.ts';
import { service } from '../../support/builders/service.ts';
import { serviceCidr } from '../../support/builders/service-cidr.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';

const slices = (store: Store, of: string) => [...store.slicesOf(of)].map(({ key }) => key);
const relabeled = { metadata: { labels: { 'kubernetes.io/service-name': 'other' } } };

t.test('Store is ready when Services and EndpointSlices are listed', async (t) => {
  const store = new Store();
  store.replace('Node', []);
  store.replace('Service', []);
  t.notOk(store.isReady);
  store.replace('EndpointSlice', []);
  t.ok(store.isReady);
});

t.test('Store collects the affected Services until they are taken', async (t) => {
  const store = new Store();
  put(store, service('a/x'), slice('a/y'));
  t.strictSame(store.takeTouched(), new Set(['a/x', 'a/y']));
  t.strictSame(store.takeTouched(), new Set());
  remove(store, slice('a/y'), service('a/z'));
  t.strictSame(store.takeTouched(), new Set(['a/y']), 'an unknown object affects no Service');
});

t.test('Store moves a slice whose Service label changed', async (t) => {
  const store = new Store();
  put(store, slice('a/x'));
  store.takeTouched();
  put(store, slice('a/x', relabeled));
  t.strictSame(store.takeTouched(), new Set(['a/x', 'a/other']));
  t.strictSame([slices(store, 'a/x'), slices(store, 'a/other')], [[], ['a/x-1']]);
  remove(store, slice('a/x', relabeled));
  t.strictSame(slices(store, 'a/other'), []);
});

t.test('Store drops a slice that is no longer usable', async (t) => {
  const overrides = [
    { metadata: { labels: { 'service.kubernetes.io/headless': '' } } },
    { metadata: { labels: undefined } },
    { addressType: 'FQDN' },
    { addressType: 'IPv5' },
  ];
  for (const each of overrides) {
    const store = new Store();
    put(store, slice('a/x'));
    store.takeTouched();
    put(store, slice('a/x', each));
    t.strictSame([slices(store, 'a/x'), store.takeTouched()], [[], new Set(['a/x'])]);
  }
});

t.test('Store drops a Service that is no longer proxied, and accepts it again', async (t) => {
  const store = new Store();
  const other = { metadata: { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } } };
  put(store, service('a/x'));
  put(store, service('a/x', other));
  t.equal(store.services.size, 0);
  t.match(store.skippedServices.get('a/x'), /selects another proxy/);
  put(store, service('a/x'));
  t.equal(store.services.size, 1);
  t.equal(store.skippedServices.size, 0);
});

t.test('Store drops objects that are missing in a list', async (t) => {
  const store = new Store();
  put(store, service('a/x'), slice('a/x'), node(), serviceCidr(), service('a/y', { spec: { clusterIP: 'None' } }));
  t.strictSame([...store.skippedServices.keys()], ['a/y']);
  store.takeTouched();
  for (const kind of ['Service', 'EndpointSlice', 'Node', 'ServiceCIDR'] as const) store.replace(kind, []);
  t.strictSame([store.services.size, store.nodes.size, store.serviceCidrs.size, slices(store, 'a/x')], [0, 0, 0, []]);
  t.equal(store.skippedServices.size, 0);
  t.strictSame(store.takeTouched(), new Set(['a/x']));
});

t.test('Store reports changes of Nodes and ServiceCIDRs, and its first state', async (t) => {
  const store = new Store();
  t.ok(store.takeNodeTouched());
  t.notOk(store.takeNodeTouched());
  for (const object of [node(), serviceCidr()]) {
    put(store, object);
    t.ok(store.takeNodeTouched());
    remove(store, object);
    t.ok(store.takeNodeTouched());
    remove(store, object);
    t.notOk(store.takeNodeTouched());
  }
  store.touchNode();
  t.ok(store.takeNodeTouched());
});

t.test('Store keeps issues as long as the object has them', async (t) => {
  const bad = slice('a/x', { endpoints: [endpoint('x')] });
  const unusable = slice('a/x', { addressType: 'IPv5' });
  for (const object of [bad, unusable]) {
    const store = new Store();
    put(store, object);
    t.equal(store.issues().length, 1);
    put(store, slice('a/x'));
    t.strictSame(store.issues(), [], 'fixed');
    put(store, object);
    remove(store, object);
    t.strictSame(store.issues(), [], 'deleted');
    put(store, object);
    store.replace('Service', []);
    t.equal(store.issues().length, 1, 'a list of another kind');
    store.replace('EndpointSlice', []);
    t.strictSame(store.issues(), [], 'not in the list');
  }
});
