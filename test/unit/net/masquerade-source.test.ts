// Tests of src/net/masquerade-source.ts. Random setups in the kernel: test/integration/nft/masquerade-source.test.ts.

import t from 'tap';
import { type LinkAddress, masqueradeSource } from '../../../src/net/masquerade-source.ts';

function address(text: string, fields: Partial<LinkAddress> = {}): LinkAddress {
  const [address = '', length] = text.split('/');
  const flags = { isSecondary: false, isDeprecated: false, isTemporary: false, isTentative: false };
  return { address, peer: address, prefixLength: Number(length), scope: 'global', ...flags, ...fields };
}

const LO = { name: 'lo', addresses: [address('198.51.100.99/32'), address('192.0.2.1/32'), address('fd66::1/128')] };
const to = (destination: string, nextHop = destination) => ({ device: 'x0', destination, nextHop });

t.test(
  'masqueradeSource() takes an IPv4 address of the link, in the subnet of the next hop if there is one',
  async (t) => {
    const x0 = { name: 'x0', addresses: [address('10.1.0.1/24'), address('10.2.0.1/24')] };
    t.strictSame(masqueradeSource([LO, x0], to('10.2.0.9')), { address: '10.2.0.1', link: 'x0' });
    t.strictSame(masqueradeSource([LO, x0], to('203.0.113.1', '10.2.0.9')), { address: '10.2.0.1', link: 'x0' });
    t.strictSame(masqueradeSource([LO, x0], to('203.0.113.1')), { address: '10.1.0.1', link: 'x0' });
    const peer = { name: 'x0', addresses: [address('10.1.0.1/32'), address('10.9.0.1/32', { peer: '10.9.0.2' })] };
    t.strictSame(masqueradeSource([LO, peer], to('10.9.0.2')), { address: '10.9.0.1', link: 'x0' });
  },
);

t.test('masqueradeSource() takes the first IPv4 address of another link otherwise', async (t) => {
  for (const entry of [address('10.1.0.1/24', { scope: 'other' }), address('10.1.0.1/24', { isSecondary: true })]) {
    const found = masqueradeSource([LO, { name: 'x0', addresses: [entry] }], to('10.1.0.9'));
    t.strictSame(found, { address: '198.51.100.99', link: 'lo' });
  }
  t.equal(masqueradeSource([{ name: 'x0', addresses: [] }], to('10.1.0.9')), undefined);
});

t.test('masqueradeSource() chooses an IPv6 address by the rules of RFC 6724', async (t) => {
  const choose = (...addresses: readonly LinkAddress[]) =>
    masqueradeSource([LO, { name: 'x0', addresses }], to('2001:db8::9'))?.address;
  const own = address('2001:db8::1/64');
  t.equal(choose(address('fe80::1/64', { scope: 'other' }), own), '2001:db8::1');
  t.equal(choose(address('fe80::1/64', { scope: 'other' })), 'fd66::1', 'the scope precedes the link');
  t.equal(choose(address('2001:db8:1::1/64', { isDeprecated: true })), 'fd66::1');
  t.equal(choose(address('fd70::1/64'), own), '2001:db8::1', 'the label');
  t.equal(choose(address('2001:db8::2/64', { isTemporary: true }), own), '2001:db8::1');
  t.equal(choose(address('2001:db9::1/64'), own), '2001:db8::1', 'the longest common prefix');
  t.equal(choose(address('2001:db8::1/64', { isTentative: true })), 'fd66::1');
});
