// Tests of src/cli/commands/explain.ts: the parser of connections.

import t from 'tap';
import { parsePacket } from '../../../../src/cli/commands/explain.ts';
import type { Host } from '../../../../src/net/host.ts';
import { toRoute } from '../../../support/builders/arbitrary-packets.ts';

const HOST: Host = {
  addresses: ['192.0.2.1'],
  routes: [toRoute('10.1.1.5/32', 'pod-a'), toRoute('0.0.0.0/0', 'lan'), toRoute('::/0', 'lan')],
};
const GIVEN = { fromHost: false, inInterface: undefined };

function read(source: string, target: string, given: Parameters<typeof parsePacket>[1] = GIVEN) {
  return parsePacket({ source, target }, given, HOST);
}

t.test('parsePacket() parses addresses, port and protocol', async (t) => {
  t.match(read('10.1.1.5', '172.30.0.10:80'), { destination: '172.30.0.10', destinationPort: 80, protocol: 'tcp' });
  t.match(read('10.1.1.5', '172.30.0.10:53/udp'), { protocol: 'udp', inInterface: 'pod-a' });
  t.match(read('fd00::5', '[fd00:30::10]:80/TCP'), { family: 'ip6', destination: 'fd00:30::10', inInterface: 'lan' });
});

t.test('parsePacket() finds the input interface', async (t) => {
  t.equal(read('192.0.2.9', '10.0.0.1:80').inInterface, 'lan');
  t.equal(read('192.0.2.1', '10.0.0.1:80').inInterface, undefined, 'a host address means a local process');
  t.equal(
    read('192.0.2.1', '10.0.0.1:80', { ...GIVEN, inInterface: 'lan' }).inInterface,
    'lan',
    'unless an interface is given',
  );
  t.equal(read('10.1.1.5', '10.0.0.1:80', { ...GIVEN, fromHost: true }).inInterface, undefined);
});

t.test('parsePacket() rejects invalid connections', async (t) => {
  const cases = [
    ['web', '10.0.0.1:80', /client must be/],
    ['10.1.1.5', '10.0.0.1', /ADDRESS:PORT/],
    ['10.1.1.5', 'fd00::1:80', /ADDRESS:PORT/],
    ['10.1.1.5', '10.0.0.1:0', /port must be/],
    ['10.1.1.5', '10.0.0.1:80/icmp', /protocol must be/],
    ['10.1.1.5', '[fd00::1]:80', /same address family/],
  ] as const;
  for (const [source, target, message] of cases)
    t.throws(() => read(source, target), { kind: 'usage', message }, target);
});
