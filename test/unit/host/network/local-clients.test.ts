// Tests of src/host/network/local-clients.ts.

import t from 'tap';
import { LocalClients } from '../../../../src/host/network/local-clients.ts';

t.test('LocalClients.has() is true for loopback and for addresses of the node', (t) => {
  const clients = new LocalClients(() => ['192.0.2.1', '2001:db8::1']);
  const cases = [
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.9', '192.0.2.1', true],
    ['::1', '::1', true],
    ['::ffff:127.0.0.1', '::ffff:127.0.0.1', true],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.7', true],
    ['192.0.2.1', '127.0.0.1', true],
    ['2001:db8::1', undefined, true],
    ['198.51.100.7', '198.51.100.7', true],
    ['192.0.2.2', '192.0.2.1', false],
    ['::ffff:192.0.2.2', '::ffff:192.0.2.1', false],
    ['2001:db8::2', '2001:db8::1', false],
  ] as const;
  for (const [remote, local, expected] of cases) t.equal(clients.has(remote, local), expected, `${remote} ${local}`);
  t.end();
});

t.test('LocalClients reads the addresses at most every five seconds', (t) => {
  let [now, reads] = [0, 0];
  let addresses = ['192.0.2.1'];
  const read = () => {
    reads += 1;
    return addresses;
  };
  const clients = new LocalClients(read, () => now);
  t.notOk(clients.has('192.0.2.2', undefined));
  addresses = ['192.0.2.2'];
  t.notOk(clients.has('192.0.2.2', undefined));
  now = 5_001;
  t.ok(clients.has('192.0.2.2', undefined));
  t.equal(reads, 2);
  t.end();
});
