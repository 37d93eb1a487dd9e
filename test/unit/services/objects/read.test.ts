// Tests of src/services/objects/read.ts.

import t from 'tap';
import {
  asArray,
  asObject,
  asString,
  IssueCollector,
  isObjectName,
  isShortName,
  readKey,
} from '../../../../src/services/objects/read.ts';

t.test('asObject(), asArray() and asString() return an empty value for other types', async (t) => {
  for (const value of [undefined, null, 5, 'x', [1]]) t.strictSame(asObject(value), {});
  for (const value of [undefined, null, 5, 'x', { length: 1 }]) t.strictSame(asArray(value), []);
  for (const value of [undefined, null, 5, {}, ['x']]) t.equal(asString(value), '');
  t.strictSame([asObject({ a: 1 }), asArray([1]), asString('x')], [{ a: 1 }, [1], 'x']);
});

t.test('isObjectName() accepts the names that Kubernetes accepts', async (t) => {
  for (const name of ['a', '0', 'a-b', 'a.b', 'a--b', 'x'.repeat(253)]) t.ok(isObjectName(name), name);
  const bad = ['', '-a', 'a-', '.a', 'A', 'a_b', 'a b', 'a"', 'a\n', 'a/b', 'a;b', 'ä', 'x'.repeat(254)];
  for (const name of bad) t.notOk(isObjectName(name), JSON.stringify(name));
});

t.test('isShortName() accepts names up to the length of a label', async (t) => {
  t.ok(isShortName('x'.repeat(63)));
  for (const name of ['x'.repeat(64), '', 'a_b']) t.notOk(isShortName(name), name);
});

t.test('readKey() rejects long namespaces, and long names if they must be short', async (t) => {
  const [fits, long] = ['x'.repeat(63), 'x'.repeat(64)];
  t.equal(readKey({ name: long, namespace: fits }, { namespaced: true }), `${fits}/${long}`);
  t.equal(readKey({ name: fits, namespace: fits }, { namespaced: true, short: true }), `${fits}/${fits}`);
  t.equal(readKey({ name: long, namespace: fits }, { namespaced: true, short: true }), '');
  t.equal(readKey({ name: 'a', namespace: long }, { namespaced: true }), '');
});

t.test('readKey() joins namespace and name', async (t) => {
  t.equal(readKey({ name: 'web', namespace: 'shop' }, { namespaced: true }), 'shop/web');
  t.equal(readKey({ name: 'web' }, { namespaced: true }), 'default/web');
  t.equal(readKey({ name: 'n1', namespace: 'x' }, { namespaced: false }), 'n1');
  for (const metadata of [{}, { name: 5 }, { name: 'a/b' }, { name: 'a', namespace: 'b/c' }]) {
    t.equal(readKey(metadata, { namespaced: true }), '');
  }
});

t.test('IssueCollector shortens long values', async (t) => {
  const issues = new IssueCollector('Service', 'a/b');
  issues.add({ field: 'spec', value: 'x'.repeat(200), reason: 'is long', effect: 'ignoring it' });
  t.strictSame(issues.all, [
    {
      object: 'Service a/b',
      field: 'spec',
      value: `"${'x'.repeat(76)}...`,
      reason: 'is long',
      effect: 'ignoring it',
    },
  ]);
});

t.test('IssueCollector counts the issues after the first twenty', async (t) => {
  const issues = new IssueCollector('Service', 'shop/web');
  for (let index = 0; index < 10_000; index++) {
    issues.add({
      field: `spec.externalIPs[${index}]`,
      value: 'x',
      reason: 'is not an IP address',
      effect: 'ignoring it',
    });
  }
  t.equal(issues.all.length, 21);
  t.match(issues.all.at(-1), { object: 'Service shop/web', field: 'other fields', value: '9980' });
});
