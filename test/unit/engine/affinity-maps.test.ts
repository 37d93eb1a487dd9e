// Tests of src/engine/affinity-maps.ts.

import t from 'tap';
import { affinityMapsOf } from '../../../src/engine/affinity-maps.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { commitAll, engineOf } from '../../support/builders/engine.ts';
import { put } from '../../support/builders/put-objects.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
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

const AFFINITY = { spec: { sessionAffinity: 'ClientIP' } };

/** The Services whose maps are to be searched after all changes have been committed. */
function searched(engine: Engine): string[] {
  commitAll(engine);
  const names = engine.takeAffinityMaps().map(({ object }) => object.name);
  engine.changes.take();
  return names.filter((name) => name.startsWith('affinity/'));
}

t.test('affinity maps are searched when endpoints of their Service change, not when it is new', async (t) => {
  const engine = engineOf([
    service('shop/web', AFFINITY),
    slice('shop/web'),
    service('shop/other', { spec: clusterIps('10.96.0.2') }),
  ]);
  t.strictSame(searched(engine), []);
  put(engine, slice('shop/web', { endpoints: [endpoint('10.1.0.2')] }), slice('shop/other'));
  t.strictSame(searched(engine), ['affinity/shop/web/tcp/']);
  put(
    engine,
    slice('shop/web', { endpoints: [endpoint('10.1.0.2')], ports: [{ name: '', protocol: 'TCP', port: 9 }] }),
  );
  t.strictSame(searched(engine), ['affinity/shop/web/tcp/'], 'the same address with another port');
  t.strictSame(searched(engine), []);
});

t.test('after a listing the affinity maps of all Services are searched, a few at a time', async (t) => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const objects = names.flatMap((name, index) => [
    service(`shop/${name}`, { spec: { ...AFFINITY.spec, ...clusterIps(`10.96.0.${index + 1}`) } }),
    slice(`shop/${name}`),
  ]);
  const engine = engineOf(objects);
  searched(engine);
  engine.invalidate();
  engine.adopt({
    elements: new Map([['ip cluster-ips', new Map([['10.96.0.77', { data: '', comment: '' }]])]]),
    chains: [],
  });
  const found = [searched(engine)];
  while (engine.hasMore) found.push(searched(engine));
  t.strictSame(
    found.map((maps) => maps.length),
    [2, 2, 1],
  );
  t.strictSame(
    found.flat().sort(),
    names.map((name) => `affinity/shop/${name}/tcp/`),
  );
});
