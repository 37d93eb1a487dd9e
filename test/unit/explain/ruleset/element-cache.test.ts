// Tests of src/explain/ruleset/element-cache.ts.

import t from 'tap';
import { ElementCache } from '../../../../src/explain/ruleset/element-cache.ts';

const element = (key: string, data = '') => ({ key, data, comment: '' });

function missed(cache: ElementCache): Record<string, string[]> {
  return Object.fromEntries([...cache.takeMissed()].map(([object, keys]) => [object, [...keys]]));
}

t.test('ElementCache asks for what it needs, once', async (t) => {
  const cache = new ElementCache();
  t.equal(cache.find('m', 'a'), undefined);
  t.equal(cache.find('m', 'b'), undefined);
  const keys = cache.takeMissed();
  t.strictSame([...(keys.get('m') ?? [])], ['a', '*', 'b']);
  cache.add(keys, new Map([['m', [element('a', 'drop')]]]));
  t.equal(cache.find('m', 'a')?.data, 'drop');
  t.equal(cache.find('m', 'b'), undefined);
  t.strictSame(missed(cache), {});
});

t.test('ElementCache finds intervals and the element for all other keys', async (t) => {
  const cache = new ElementCache();
  cache.find('ranges', '10.0.0.1 . 10.9.9.9');
  cache.find('m', 'a');
  const found = new Map([
    [
      'ranges',
      [element('10.0.0.1 . 10.0.0.0/8'), element('10.0.0.2 . 10.0.0.1-10.0.0.9'), element('0.0.0.0/0 . 1.1.1.1')],
    ],
    ['m', [element('*', 'drop')]],
  ]);
  cache.add(cache.takeMissed(), found);
  t.ok(cache.find('ranges', '10.0.0.1 . 10.9.9.9'));
  t.ok(cache.find('ranges', '5.5.5.5 . 1.1.1.1'));
  t.ok(cache.find('ranges', '10.0.0.2 . 10.0.0.9'));
  t.notOk(cache.find('ranges', '10.0.0.2 . 10.0.0.10'));
  t.equal(cache.find('m', 'a')?.data, 'drop');
});
