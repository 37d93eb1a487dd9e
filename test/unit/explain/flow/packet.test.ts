// Tests of what a host knows about addresses.
import t from 'tap';
import { interfaceTo, isOfHost } from '../../../../src/explain/flow/packet.ts';
import { toRoute } from '../../../support/builders/packets.ts';

const HOST = { addresses: ['192.0.2.1'], routes: [toRoute('10.0.0.0/8', 'lan'), toRoute('10.1.0.1/32', 'pod')] };

t.test('isOfHost() knows addresses of interfaces, and loopback', async (t) => {
  for (const address of ['192.0.2.1', '127.0.0.1', '127.9.9.9', '::1']) t.ok(isOfHost(HOST, address), address);
  for (const address of ['192.0.2.2', '::2']) t.notOk(isOfHost(HOST, address), address);
});

t.test('interfaceTo() takes the longest block', async (t) => {
  t.equal(interfaceTo(HOST, '10.1.0.1'), 'pod');
  t.equal(interfaceTo(HOST, '10.1.0.2'), 'lan');
  t.equal(interfaceTo(HOST, '192.0.2.9'), undefined);
});
