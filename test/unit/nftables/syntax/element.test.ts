// Tests of src/nftables/syntax/element.ts.

import fc from 'fast-check';
import t from 'tap';
import { comment, concat, verdictChain } from '../../../../src/nftables/syntax/element.ts';

t.test('comment() cannot end its quoted string, whatever the input', async (t) => {
  t.equal(comment('shop/web:http'), 'shop/web:http');
  t.equal(comment('a" : drop }\nflush ruleset;#\\$`'), 'a? : drop ??flush ruleset?????');
  const property = fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
    const printed = comment(text);
    t.match(printed, /^[A-Za-z0-9._:/? -]*$/);
    t.ok(Buffer.byteLength(printed) <= 127, 'within the limit of nft');
    t.equal(comment(printed), printed, 'idempotent');
  });
  fc.assert(property, { numRuns: 100, seed: 1 });
});

t.test('concat() joins parts in nft syntax', async (t) => {
  t.equal(concat('10.0.0.1', 'tcp', 80), '10.0.0.1 . tcp . 80');
  t.equal(concat(), '');
});

t.test('verdictChain() returns the chain of a goto', async (t) => {
  t.equal(verdictChain('goto cluster-3'), 'cluster-3');
  for (const data of ['drop', '', '10.1.0.1 . 80', 'goto', 'jump x']) t.equal(verdictChain(data), undefined, data);
});
