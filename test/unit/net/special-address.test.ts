// Tests of src/net/special-address.ts.

import fc from 'fast-check';
import t from 'tap';
import { addressFromBits } from '../../../src/net/address.ts';
import type { Family } from '../../../src/net/family.ts';
import { contains, parsePrefix } from '../../../src/net/prefix.ts';
import { SPECIAL_BLOCKS, type SpecialUse, specialUseOf } from '../../../src/net/special-address.ts';

const CASES: readonly [address: string, use: SpecialUse | undefined][] = [
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'unspecified'],
  ['1.0.0.0', undefined],
  ['126.255.255.255', undefined],
  ['127.0.0.1', 'loopback'],
  ['127.255.255.255', 'loopback'],
  ['128.0.0.0', undefined],
  ['169.253.0.1', undefined],
  ['169.254.169.254', 'link-local'],
  ['169.255.0.0', undefined],
  ['223.255.255.255', undefined],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.255', 'multicast'],
  ['240.0.0.1', undefined],
  ['255.255.255.254', undefined],
  ['255.255.255.255', 'broadcast'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['::2', undefined],
  ['1::', undefined],
  ['fe7f::1', undefined],
  ['fe80::1', 'link-local'],
  ['febf::1', 'link-local'],
  ['fec0::1', undefined],
  ['fd00::1', undefined],
  ['ff02::1', 'multicast'],
  ['ff::1', undefined],
  ['fe8::1', undefined],
];

t.test('specialUseOf() names the use of an address', async (t) => {
  for (const [address, use] of CASES) t.equal(specialUseOf(address), use, address);
});

t.test('specialUseOf() agrees with the blocks', async (t) => {
  const blocks = SPECIAL_BLOCKS.map(({ block, use }) => ({ prefix: parsePrefix(block), use }));
  const byBlocks = (address: string) =>
    blocks.find(({ prefix }) => prefix !== undefined && contains(prefix, address))?.use;
  const addresses = (family: Family, bits: bigint) =>
    fc.bigInt(0n, (1n << bits) - 1n).map((value) => addressFromBits(value, family));
  const nearEdges = fc.constantFrom(...CASES.map(([address]) => address));
  const property = fc.property(fc.oneof(addresses('ip', 32n), addresses('ip6', 128n), nearEdges), (address) => {
    t.equal(specialUseOf(address), byBlocks(address), address);
  });
  fc.assert(property, { numRuns: 300, seed: 1 });
});
