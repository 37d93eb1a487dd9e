// Tests of src/conntrack/udp/removed-endpoints.ts.

import t from 'tap';
import { RemovedEndpoints } from '../../../../src/conntrack/udp/removed-endpoints.ts';
import type { UdpFrontend } from '../../../../src/conntrack/udp/udp-frontends.ts';

function frontend(key: string, ...endpoints: readonly string[]): UdpFrontend {
  return { key, servicePort: 'shop/web', endpoints: new Set(endpoints) };
}

t.test('RemovedEndpoints keeps the endpoints that a change removes', async (t) => {
  const removed = new RemovedEndpoints();
  removed.record([frontend('x', 'a', 'b'), frontend('y', 'c')], [frontend('x', 'b', 'd')], 1);
  const cases = [
    { key: 'x', endpoint: 'a', name: 'shop/web' },
    { key: 'x', endpoint: 'b', name: undefined },
    { key: 'x', endpoint: 'd', name: undefined },
    { key: 'y', endpoint: 'c', name: 'shop/web' },
    { key: 'z', endpoint: 'a', name: undefined },
  ];
  for (const { key, endpoint, name } of cases)
    t.equal(removed.servicePortOf(key, endpoint), name, `${key} ${endpoint}`);
  removed.record([frontend('x', 'b')], [], 2);
  t.equal(removed.servicePortOf('x', 'a'), 'shop/web', 'earlier removals are kept');
  t.equal(removed.size, 3);
});

t.test('RemovedEndpoints keeps the time of removal, and prunes by it', async (t) => {
  const removed = new RemovedEndpoints();
  removed.record([frontend('x', 'a', 'b'), frontend('y', 'c')], [], 1);
  removed.record([frontend('x', 'a')], [], 5);
  t.equal(removed.removedAt('x', 'a'), 5, 'the last removal');
  t.equal(removed.removedAt('x', 'b'), 1);
  t.equal(removed.removedAt('x', 'c'), undefined);
  removed.prune(4);
  t.equal(removed.size, 1);
  t.equal(removed.removedAt('x', 'a'), 5);
  t.equal(removed.servicePortOf('y', 'c'), undefined);
  removed.prune(5);
  t.equal(removed.size, 0);
  t.equal(removed.servicePortOf('x', 'a'), undefined);
});

t.test('RemovedEndpoints has a size limit', async (t) => {
  const removed = new RemovedEndpoints(10);
  for (let n = 0; n < 100; n++) removed.record([frontend(`x${n}`, 'a', 'b')], [], n);
  t.equal(removed.size, 10);
  t.equal(removed.servicePortOf('x94', 'a'), undefined, 'the oldest is dropped');
  t.equal(removed.servicePortOf('x95', 'a'), 'shop/web');
  removed.record([frontend('y', ...Array.from({ length: 50 }, (_, n) => `e${n}`))], [], 100);
  t.equal(removed.size, 0, 'a frontend that exceeds the limit alone is not kept');
});
