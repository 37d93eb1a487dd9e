// Tests of src/sources/api-server/stream/list-splitter.ts.

import fc from 'fast-check';
import t from 'tap';
import { ListSplitter } from '../../../../../src/sources/api-server/stream/list-splitter.ts';

function split(bytes: Buffer, size: number) {
  const items: unknown[] = [];
  const splitter = new ListSplitter((json) => items.push(JSON.parse(json)));
  for (let from = 0; from < bytes.length; from += size) splitter.push(bytes.subarray(from, from + size));
  return { ...JSON.parse(splitter.takeEnvelope()), items };
}

t.test('ListSplitter returns the items and the envelope for chunks of any size', async (t) => {
  const item = fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true });
  const list = fc.record({ kind: fc.string(), metadata: item, items: fc.array(item) }, { noNullPrototype: true });
  const property = fc.property(list, fc.integer({ min: 1, max: 50 }), fc.boolean(), (list, size, isSpaced) => {
    const bytes = Buffer.from(JSON.stringify(list, undefined, isSpaced ? 2 : 0));
    t.strictSame(split(bytes, size), JSON.parse(bytes.toString()));
  });
  fc.assert(property, { numRuns: 200, seed: 7 });
});

t.test('ListSplitter accepts a list without items and keeps other objects whole', async (t) => {
  t.strictSame(split(Buffer.from('{"metadata":{"a":[{}]},"items":null}'), 3), { metadata: { a: [{}] }, items: [] });
  const status = { kind: 'Status', details: { causes: [{ reason: 'x' }] } };
  t.strictSame(split(Buffer.from(JSON.stringify(status)), 5), { ...status, items: [] });
});
