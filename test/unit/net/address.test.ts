// Tests of src/net/address.ts.

import fc from 'fast-check';
import t from 'tap';
import {
  addressBits,
  addressFromBits,
  familyOf,
  isLinkLocal,
  isLoopback,
  parseAddress,
} from '../../../src/net/address.ts';

const CANONICAL: readonly [given: string, canonical: string][] = [
  ['0.0.0.0', '0.0.0.0'],
  ['255.255.255.255', '255.255.255.255'],
  ['172.30.0.041', '172.30.0.41'],
  ['010.0.0.08', '10.0.0.8'],
  ['0000000001.2.3.4', '1.2.3.4'],
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['2001:DB8::A', '2001:db8::a'],
  ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
  // A single zero group is not shortened.
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  // The longest run is shortened, of equals the first.
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['1:0:0:0:0:0:0:0', '1::'],
  ['0:0:1:0:0:0:0:0', '0:0:1::'],
  // A dotted decimal tail, and IPv4-mapped addresses.
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:c000:0201', '192.0.2.1'],
  ['::ffff:010.0.0.01', '10.0.0.1'],
  ['::192.0.2.1', '::192.0.2.1'],
  ['::c000:0201', '::192.0.2.1'],
  ['::1:0', '::0.1.0.0'],
  ['::1:0:1', '::1:0:1'],
  ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
];

t.test('parseAddress() returns the canonical form', async (t) => {
  for (const [given, canonical] of CANONICAL) t.equal(parseAddress(given), canonical, given);
  for (const [, canonical] of CANONICAL) t.equal(parseAddress(canonical), canonical, `${canonical} stays`);
});

const NO_ADDRESSES = [
  ...['', ' ', 'None', 'web', '1', '1.2.3', '1.2.3.4.5', '256.0.0.1', '1.2.3.-4', '1.2.3.4 ', ' 1.2.3.4', '1..2.3'],
  ...['0x1.2.3.4', '1.2.3.4/24', '00000000001.2.3.4', '1.2.3.4\n', ':', ':::', ':1', '1:', '1:2:3:4:5:6:7', '1::2::3'],
  ...['1:2:3:4:5:6:7:8:9', '::1:2:3:4:5:6:7:8', '12345::', 'g::', 'fe80::1%eth0', '[::1]', '::1.2.3', '::1.2.3.4.5'],
  ...['::256.0.0.1', '1.2.3.4::', '1:1.2.3.4::1', '::1.2.3.4:5', '1:2:3:4:5:6:7:1.2.3.4', '::1 ', '-1::', '1.2.3.4:80'],
];

t.test('parseAddress() rejects other text', async (t) => {
  for (const given of NO_ADDRESSES) t.equal(parseAddress(given), undefined, JSON.stringify(given));
});

t.test('parseAddress() parses the output of addressFromBits()', async (t) => {
  const groups = fc.array(fc.oneof(fc.constant(0n), fc.bigInt(0n, 0xffffn)), { minLength: 8, maxLength: 8 });
  const property = fc.property(groups, (parts) => {
    const bits = parts.reduce((sum, part) => (sum << 16n) | part, 0n);
    const address = addressFromBits(bits, 'ip6');
    t.equal(addressBits(address), bits);
    if (bits >> 32n !== 0xffffn) t.equal(parseAddress(address), address);
    const long = parts.map((part) => part.toString(16).padStart(4, '0').toUpperCase()).join(':');
    if (bits >> 32n !== 0xffffn) t.equal(parseAddress(long), address);
  });
  fc.assert(property, { numRuns: 300, seed: 1 });
  const ip4 = fc.property(fc.bigInt(0n, 0xffffffffn), (bits) => {
    const address = addressFromBits(bits, 'ip');
    t.equal(parseAddress(address), address);
    t.equal(addressBits(address), bits);
  });
  fc.assert(ip4, { numRuns: 100, seed: 1 });
});

t.test('isLinkLocal() accepts fe80::/10', async (t) => {
  for (const address of ['fe80::1', 'febf::1']) t.ok(isLinkLocal(address), address);
  for (const address of ['fec0::1', 'fe8::1', 'fd00::1', '169.254.0.1']) t.notOk(isLinkLocal(address), address);
});

t.test('familyOf() and isLoopback() classify addresses', async (t) => {
  t.equal(familyOf('10.0.0.1'), 'ip');
  t.equal(familyOf('::1'), 'ip6');
  for (const address of ['127.0.0.1', '127.255.0.1', '::1']) t.ok(isLoopback(address), address);
  for (const address of ['128.0.0.1', '12.7.0.1', '::', '::2', 'fd00::1']) t.notOk(isLoopback(address), address);
});
