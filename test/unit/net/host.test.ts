// Tests of src/net/host.ts.

import t from 'tap';
import { isHostAddress, outputInterface } from '../../../src/net/host.ts';
import { toRoute } from '../../support/builders/arbitrary-packets.ts';

const HOST = { addresses: ['192.0.2.1'], routes: [toRoute('10.0.0.0/8', 'lan'), toRoute('10.1.0.1/32', 'pod')] };

t.test('isHostAddress() accepts addresses of interfaces and loopback addresses', async (t) => {
  for (const address of ['192.0.2.1', '127.0.0.1', '127.9.9.9', '::1']) t.ok(isHostAddress(HOST, address), address);
  for (const address of ['192.0.2.2', '::2']) t.notOk(isHostAddress(HOST, address), address);
});

t.test('outputInterface() uses the route with the longest prefix', async (t) => {
  t.equal(outputInterface(HOST, '10.1.0.1'), 'pod');
  t.equal(outputInterface(HOST, '10.1.0.2'), 'lan');
  t.equal(outputInterface(HOST, '192.0.2.9'), undefined);
});
