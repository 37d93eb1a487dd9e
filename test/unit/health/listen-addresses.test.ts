// Tests of src/health/listen-addresses.ts.

import t from 'tap';
import { listenAddresses } from '../../../src/health/listen-addresses.ts';
import { parsePrefix } from '../../../src/net/prefix.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { node } from '../../support/builders/node.ts';

const HOST = ['127.0.0.1', '192.0.2.1', '192.0.2.9', '10.0.0.1', '::1', 'fd00::9'];

function addresses(objects: Parameters<typeof engineOf>[0], blocks?: string) {
  const prefixes = blocks?.split(',').flatMap((block) => parsePrefix(block) ?? []);
  const engine = engineOf(objects, prefixes === undefined ? {} : { nodePortAddresses: prefixes });
  engine.setHostAddresses(HOST);
  engine.compile();
  return listenAddresses(engine);
}

t.test('listenAddresses() returns the addresses that accept node ports', async (t) => {
  t.strictSame(addresses([]), { ip: ['0.0.0.0'], ip6: ['::'] }, 'the Node is unknown');
  t.strictSame(addresses([node()]), { ip: ['192.0.2.1'], ip6: ['::'] });
  const both = ['192.0.2.1', 'fd00::9'].map((address) => ({ type: 'InternalIP', address }));
  t.strictSame(addresses([node('n1', { status: { addresses: both } })]), { ip: ['192.0.2.1'], ip6: ['fd00::9'] });
});

t.test('listenAddresses() returns the host addresses inside the CIDRs, including loopback', async (t) => {
  t.strictSame(addresses([node()], '192.0.2.0/24'), { ip: ['192.0.2.1', '192.0.2.9'], ip6: ['::'] });
  const mixed = addresses([], '127.0.0.0/8,10.0.0.0/8,::1/128');
  t.strictSame(mixed, { ip: ['10.0.0.1', '127.0.0.1'], ip6: ['::1'] });
  t.strictSame(addresses([], '0.0.0.0/0'), { ip: ['0.0.0.0'], ip6: ['::'] });
  t.strictSame(addresses([], '198.51.100.0/24'), { ip: [], ip6: ['::'] });
});

t.test('listenAddresses() includes 127.0.0.1 if localhost accepts node ports', async (t) => {
  const engine = engineOf([node()], { nodePortAddresses: ['primary', 'localhost'] });
  engine.setHostAddresses(HOST);
  engine.compile();
  t.strictSame(listenAddresses(engine), { ip: ['192.0.2.1', '127.0.0.1'], ip6: ['::'] });
});
