// Tests of src/conntrack/removed-endpoints.ts.
import t from 'tap';
import { RemovedEndpoints } from '../../../src/conntrack/removed-endpoints.ts';
import type { UdpFrontend } from '../../../src/conntrack/udp-frontends.ts';

function target(key: string, ...endpoints: readonly string[]): UdpFrontend {
  return { key, servicePort: 'shop/web', endpoints: new Set(endpoints) };
}

t.test('FormerTargets remembers what a change takes away', async (t) => {
  const former = new RemovedEndpoints();
  former.record([target('x', 'a', 'b'), target('y', 'c')], [target('x', 'b', 'd')], 1);
  const cases = [
    { key: 'x', endpoint: 'a', name: 'shop/web' },
    { key: 'x', endpoint: 'b', name: undefined },
    { key: 'x', endpoint: 'd', name: undefined },
    { key: 'y', endpoint: 'c', name: 'shop/web' },
    { key: 'z', endpoint: 'a', name: undefined },
  ];
  for (const { key, endpoint, name } of cases) t.equal(former.servicePortOf(key, endpoint), name, `${key} ${endpoint}`);
  former.record([target('x', 'b')], [], 2);
  t.equal(former.servicePortOf('x', 'a'), 'shop/web', 'earlier losses too');
  t.equal(former.size, 3);
});

t.test('FormerTargets knows when, and forgets the older', async (t) => {
  const former = new RemovedEndpoints();
  former.record([target('x', 'a', 'b'), target('y', 'c')], [], 1);
  former.record([target('x', 'a')], [], 5);
  t.equal(former.removedAt('x', 'a'), 5, 'for the last time');
  t.equal(former.removedAt('x', 'b'), 1);
  t.equal(former.removedAt('x', 'c'), undefined);
  former.prune(4);
  t.equal(former.size, 1);
  t.equal(former.removedAt('x', 'a'), 5);
  t.equal(former.servicePortOf('y', 'c'), undefined);
  former.prune(5);
  t.equal(former.size, 0);
  t.equal(former.servicePortOf('x', 'a'), undefined);
});

t.test('FormerTargets does not grow without bound', async (t) => {
  const former = new RemovedEndpoints(10);
  for (let n = 0; n < 100; n++) former.record([target(`x${n}`, 'a', 'b')], [], n);
  t.equal(former.size, 10);
  t.equal(former.servicePortOf('x94', 'a'), undefined, 'the oldest is forgotten');
  t.equal(former.servicePortOf('x95', 'a'), 'shop/web');
  former.record([target('y', ...Array.from({ length: 50 }, (_, n) => `e${n}`))], [], 100);
  t.equal(former.size, 0, 'what is too large alone is not kept either');
});
