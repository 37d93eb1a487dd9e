// Tests of src/services/allocation/probe-sequence.ts.

import t from 'tap';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import { AddressRange, ProbeSequence } from '../../../../src/services/allocation/probe-sequence.ts';

function rangeOf(text: string): AddressRange {
  const block = parsePrefix(text);
  if (block === undefined) throw new Error(text);
  return new AddressRange(block);
}

t.test('AddressRange has neither the first nor the last address of its block', async (t) => {
  const range = rangeOf('10.96.0.0/29');
  t.equal(range.size, 6n);
  t.strictSame([range.at(0n), range.at(5n)], ['10.96.0.1', '10.96.0.6']);
  t.strictSame(
    [range.contains('10.96.0.7'), range.contains('10.96.0.8'), range.contains('fd00::1')],
    [true, false, false],
  );
  const wide = rangeOf('fd00:96::/64');
  t.equal(wide.at(wide.size - 1n), 'fd00:96::ffff:ffff:ffff:fffe');
});

t.test('ProbeSequence visits each address once', async (t) => {
  for (const text of ['10.96.0.0/30', '10.96.0.0/29', '10.96.0.0/24', '10.96.0.0/22', 'fd00:96::/118']) {
    const range = rangeOf(text);
    for (const name of ['shop/web', 'shop/web-1', 'default/details', 'x/y', 'a/b']) {
      const sequence = new ProbeSequence(name, range);
      const visited = new Set(Array.from({ length: Number(range.size) }, (_, index) => sequence.at(index)));
      t.equal(visited.size, Number(range.size), `${name} in ${text}`);
      t.ok([...visited].every((address) => range.contains(address)));
    }
  }
});

t.test('ProbeSequence depends on the name alone, and spreads similar names', async (t) => {
  const range = rangeOf('10.96.0.0/16');
  const first = (name: string) => new ProbeSequence(name, range).at(0);
  // Recorded: another address would move the Services of every user with the next version.
  t.strictSame(['shop/web', 'shop/api', 'default/kubernetes'].map(first), [
    '10.96.200.204',
    '10.96.69.158',
    '10.96.85.231',
  ]);
  t.equal(new ProbeSequence('shop/web', rangeOf('fd00:96::/112')).at(0), 'fd00:96::c8cc');
  const addresses = new Set(Array.from({ length: 1000 }, (_, n) => first(`shop/web-${n}`)));
  // Of 1000 in 65,534, 7.6 pairs meet on average.
  t.ok(addresses.size > 975, `${addresses.size} of 1000 are different`);
  const parts = new Set([...addresses].map((address) => address.split('.')[2]));
  t.ok(parts.size > 230, `${parts.size} of 256 blocks of addresses`);
});
