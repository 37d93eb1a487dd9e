// Tests of src/net/prefix.ts.

import fc from 'fast-check';
import t from 'tap';
import { addressFromBits, familyOf } from '../../../src/net/address.ts';
import { FAMILY_TRAITS, type Family } from '../../../src/net/family.ts';
import {
  contains,
  overlaps,
  type Prefix,
  parsePrefix,
  parsePrefixOrAddress,
  prefixMatcher,
  withoutOverlaps,
} from '../../../src/net/prefix.ts';

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`"${text}" is a prefix`);
  return parsed;
}

const CANONICAL: readonly [given: string, canonical: string][] = [
  ['10.96.0.0/12', '10.96.0.0/12'],
  ['10.96.1.2/12', '10.96.0.0/12'],
  ['10.0.0.129/025', '10.0.0.128/25'],
  ['010.0.0.0/08', '10.0.0.0/8'],
  ['1.2.3.4/32', '1.2.3.4/32'],
  ['1.2.3.4/0', '0.0.0.0/0'],
  ['FD00:0:0:1::5/64', 'fd00:0:0:1::/64'],
  ['::1/128', '::1/128'],
  ['fd00::1/0', '::/0'],
  ['fdff::/7', 'fc00::/7'],
];

t.test('parsePrefix() clears host bits and returns the canonical form', async (t) => {
  for (const [given, canonical] of CANONICAL) {
    const [address = '', length] = canonical.split('/');
    const family = familyOf(address);
    t.strictSame(parsePrefix(given), { family, text: canonical, length: Number(length) }, given);
  }
});

t.test('parsePrefix() rejects other text', async (t) => {
  const bad = ['', '10.0.0.0', '10.0.0.0/', '/8', '10.0.0.0/33', '::/129', '10.0.0.0/8/8', '10.0.0.0/-1', '10.0.0/8'];
  for (const given of [...bad, '10.0.0.0/255.0.0.0', '10.0.0.0/8 ', '10.0.0.0/+8', 'x/8', '::ffff:1.2.3.4/120']) {
    t.equal(parsePrefix(given), undefined, JSON.stringify(given));
  }
});

t.test('parsePrefixOrAddress() reads an address as the prefix of this address', async (t) => {
  t.equal(parsePrefixOrAddress('10.0.0.1/8')?.text, '10.0.0.0/8');
  t.equal(parsePrefixOrAddress('10.0.0.1')?.text, '10.0.0.1/32');
  t.equal(parsePrefixOrAddress('FD00::1')?.text, 'fd00::1/128');
  for (const text of ['', 'web', '10.0.0.1/33', '10.0.0.256', 'fd00::x'])
    t.equal(parsePrefixOrAddress(text), undefined);
});

t.test('contains() includes the first and the last address, and none of the other family', async (t) => {
  const cases: [string, string, boolean][] = [
    ['10.0.0.128/25', '10.0.0.127', false],
    ['10.0.0.128/25', '10.0.0.128', true],
    ['10.0.0.128/25', '10.0.0.255', true],
    ['10.0.0.128/25', '10.0.1.0', false],
    ['0.0.0.0/0', '255.255.255.255', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '1.2.3.4', false],
    ['fd00::/64', 'fd00::ffff:ffff:ffff:ffff', true],
    ['fd00::/64', 'fd00:0:0:1::', false],
  ];
  for (const [block, address, expected] of cases) {
    t.equal(contains(prefix(block), address), expected, `${address} in ${block}`);
    t.equal(prefixMatcher(prefix(block))(address), expected, `${address} in ${block}, by the matcher`);
  }
});

t.test('prefixMatcher() agrees with contains()', async (t) => {
  const family = fc.constantFrom<Family>('ip', 'ip6');
  // Addresses that differ from the first one of the block in a few bits, so that both answers occur.
  const cases = family.chain((family) => {
    const { bits } = FAMILY_TRAITS[family];
    const value = fc.bigInt(0n, (1n << BigInt(bits)) - 1n);
    const length = fc.integer({ min: 0, max: bits });
    const flipped = fc.integer({ min: 0, max: bits - 1 });
    return fc.record({ family: fc.constant(family), value, length, flipped });
  });
  const property = fc.property(cases, ({ family, value, length, flipped }) => {
    const block = prefix(`${addressFromBits(value, family)}/${length}`);
    const address = addressFromBits(value ^ (1n << BigInt(flipped)), family);
    t.equal(prefixMatcher(block)(address), contains(block, address), `${address} in ${block.text}`);
  });
  fc.assert(property, { numRuns: 200, seed: 1 });
});

t.test('overlaps() finds common addresses', async (t) => {
  const cases: [string, string, boolean][] = [
    ['10.0.0.0/8', '10.1.0.0/16', true],
    ['10.0.0.0/8', '11.0.0.0/8', false],
    ['10.0.0.0/9', '10.128.0.0/9', false],
    ['0.0.0.0/0', '255.255.255.255/32', true],
    ['0.0.0.0/0', '::/0', false],
    ['fd00::/16', 'fd00:1::/32', true],
    ['10.0.0.1/32', '10.0.0.1/32', true],
  ];
  for (const [a, b, expected] of cases) {
    t.equal(overlaps(prefix(a), prefix(b)), expected, `${a} and ${b}`);
    t.equal(overlaps(prefix(b), prefix(a)), expected, `${b} and ${a}`);
  }
});

t.test('withoutOverlaps() removes blocks inside other blocks', async (t) => {
  const texts = (given: string[]) => withoutOverlaps(given.map(prefix)).map(({ text }) => text);
  t.strictSame(texts([]), []);
  t.strictSame(texts(['10.1.0.0/16', '10.0.0.0/8']), ['10.0.0.0/8']);
  t.strictSame(texts(['10.0.0.0/9', '10.0.0.0/8', '10.0.0.0/8']), ['10.0.0.0/8']);
  t.strictSame(texts(['10.1.0.0/16', '10.0.0.0/16']), ['10.0.0.0/16', '10.1.0.0/16'], 'adjacent blocks are kept');
  t.strictSame(texts(['::/0', '0.0.0.0/0', 'fd00::/8']).toSorted(), ['0.0.0.0/0', '::/0'], 'families do not overlap');
});

t.test('withoutOverlaps() covers the same addresses with disjoint blocks, whatever the order', async (t) => {
  const block = fc
    .tuple(fc.bigInt(0n, 15n), fc.integer({ min: 28, max: 32 }))
    .map(([host, length]) => prefix(`${addressFromBits(host, 'ip')}/${length}`));
  const property = fc.property(fc.array(block, { maxLength: 8 }), (blocks) => {
    const kept = withoutOverlaps(blocks);
    for (let host = 0n; host < 16n; host++) {
      const address = addressFromBits(host, 'ip');
      const covered = blocks.some((block) => contains(block, address));
      t.equal(kept.filter((block) => contains(block, address)).length, covered ? 1 : 0);
    }
    t.strictSame(withoutOverlaps(blocks.toReversed()), kept);
  });
  fc.assert(property, { numRuns: 50, seed: 1 });
});
