// Tests of src/conntrack/former-targets.ts.
import t from 'tap';
import { FormerTargets } from '../../../src/conntrack/former-targets.ts';
import type { UdpTarget } from '../../../src/conntrack/udp-targets.ts';

function target(key: string, ...endpoints: readonly string[]): UdpTarget {
  return { key, name: 'shop/web', endpoints: new Set(endpoints) };
}

t.test('FormerTargets remembers what a change takes away', async (t) => {
  const former = new FormerTargets();
  former.note([target('x', 'a', 'b'), target('y', 'c')], [target('x', 'b', 'd')], 1);
  const cases = [
    { key: 'x', endpoint: 'a', name: 'shop/web' },
    { key: 'x', endpoint: 'b', name: undefined },
    { key: 'x', endpoint: 'd', name: undefined },
    { key: 'y', endpoint: 'c', name: 'shop/web' },
    { key: 'z', endpoint: 'a', name: undefined },
  ];
  for (const { key, endpoint, name } of cases) t.equal(former.nameOf(key, endpoint), name, `${key} ${endpoint}`);
  former.note([target('x', 'b')], [], 2);
  t.equal(former.nameOf('x', 'a'), 'shop/web', 'earlier losses too');
  t.equal(former.size, 3);
});

t.test('FormerTargets knows when, and forgets the older', async (t) => {
  const former = new FormerTargets();
  former.note([target('x', 'a', 'b'), target('y', 'c')], [], 1);
  former.note([target('x', 'a')], [], 5);
  t.equal(former.lostAt('x', 'a'), 5, 'for the last time');
  t.equal(former.lostAt('x', 'b'), 1);
  t.equal(former.lostAt('x', 'c'), undefined);
  former.forget(4);
  t.equal(former.size, 1);
  t.equal(former.lostAt('x', 'a'), 5);
  t.equal(former.nameOf('y', 'c'), undefined);
  former.forget(5);
  t.equal(former.size, 0);
  t.equal(former.nameOf('x', 'a'), undefined);
});

t.test('FormerTargets does not grow without bound', async (t) => {
  const former = new FormerTargets(10);
  for (let n = 0; n < 100; n++) former.note([target(`x${n}`, 'a', 'b')], [], n);
  t.equal(former.size, 10);
  t.equal(former.nameOf('x94', 'a'), undefined, 'the oldest is forgotten');
  t.equal(former.nameOf('x95', 'a'), 'shop/web');
  former.note([target('y', ...Array.from({ length: 50 }, (_, n) => `e${n}`))], [], 100);
  t.equal(former.size, 0, 'what is too large alone is not kept either');
});
