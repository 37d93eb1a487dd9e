// Tests of src/admin/state/state-text.ts.

import fc from 'fast-check';
import t from 'tap';
import { stateText } from '../../../../src/admin/state/state-text.ts';

t.test('stateText() gives the same text as JSON.stringify()', async (t) => {
  const value = fc.anything({ maxDepth: 5, withNullPrototype: true });
  fc.assert(
    fc.property(fc.dictionary(fc.string(), value), (state) => {
      const plain: object = JSON.parse(JSON.stringify(state));
      t.equal([...stateText(plain)].join(''), JSON.stringify(plain));
    }),
    { numRuns: 200 },
  );
  t.equal([...stateText({ a: undefined, b: [], c: {}, d: [[1]] })].join(''), '{"b":[],"c":{},"d":[[1]]}');
});

t.test('stateText() cuts the text into pieces', async (t) => {
  const state = {
    objects: { Service: Array.from({ length: 10_000 }, (_, index) => ({ key: `shop/service-${index}` })) },
  };
  const pieces = [...stateText(state)];
  t.ok(pieces.length > 3);
  for (const piece of pieces) t.ok(piece.length < 70_000, `${piece.length}`);
});
