// Tests of src/nftables/syntax/listed/declaration.ts.

import t from 'tap';
import { normalDeclaration } from '../../../../../src/nftables/syntax/listed/declaration.ts';

t.test('normalDeclaration() is the same for a declaration and its listing', async (t) => {
  const cases: readonly [written: readonly string[], listed: readonly string[]][] = [
    [
      ['typeof ip saddr', 'size 9', 'flags timeout', 'timeout 5m'],
      ['typeof ip saddr', 'size 9', 'timeout 300s'],
    ],
    [
      ['typeof ip saddr', 'flags dynamic,timeout'],
      ['flags timeout,dynamic', 'typeof ip saddr'],
    ],
    [['size 65535'], ['size 65535 # count 5']],
    [
      ['counter', 'typeof ip saddr : verdict'],
      ['typeof ip saddr : verdict', 'counter'],
    ],
  ];
  for (const [written, listed] of cases) t.strictSame(normalDeclaration(written), normalDeclaration(listed));
});

t.test('normalDeclaration() keeps every difference', async (t) => {
  const declared = normalDeclaration(['typeof ip saddr', 'flags interval']);
  for (const other of [
    ['typeof ip daddr', 'flags interval'],
    ['type ipv4_addr', 'flags interval'],
    ['typeof ip saddr'],
    ['typeof ip saddr', 'flags interval', 'timeout 1m'],
    ['typeof ip saddr', 'flags interval', 'auto-merge'],
    ['typeof ip saddr', 'flags interval', 'comment "x"'],
  ])
    t.strictNotSame(normalDeclaration(other), declared, other.join('; '));
});
