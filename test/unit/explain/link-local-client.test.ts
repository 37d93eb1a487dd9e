// Tests of src/explain/link-local-client.ts.

import t from 'tap';
import type { Packet } from '../../../src/explain/flow/packet.ts';
import { linkLocalEffect } from '../../../src/explain/link-local-client.ts';
import type { Host } from '../../../src/net/host.ts';
import { toRoute } from '../../support/builders/arbitrary-packets.ts';

const [POD, ON_LINK, OWN] = ['fd00:1::5', 'fd00:7::9', 'fd00:7::1'];
const HOST: Host = { addresses: [OWN], routes: [toRoute('fd00:1::/64', 'pod-a'), toRoute('fd00:7::/64', 'eth0')] };
const PACKET: Packet = {
  ...{ family: 'ip6', protocol: 'tcp', source: 'fe80::7', sourcePort: 40_000, inInterface: 'eth0' },
  ...{ destination: OWN, destinationPort: 30_080 },
};

function effect(addresses: readonly string[], overrides: Partial<Packet> = {}) {
  const destinations = addresses.map((address) => ({ address, port: 80, share: 1, masquerade: false }));
  return linkLocalEffect({ ...PACKET, ...overrides }, { destinations }, HOST);
}

t.test('linkLocalEffect() refuses what would leave by another interface than it arrived on', async (t) => {
  t.match(effect([POD]), { isRefused: true, reason: 'the kernel does not forward packets of link-local clients' });
  t.match(effect([POD, OWN, ON_LINK]), { isRefused: false, reason: / except to fd00:7::1, fd00:7::9$/ });
  t.equal(effect([OWN]), undefined, 'delivered to a process of the host');
  t.equal(effect([ON_LINK]), undefined, 'forwarded on the same link');
  t.equal(effect([]), undefined);
});

t.test('linkLocalEffect() does not concern other clients', async (t) => {
  t.equal(effect([POD], { source: 'fd00:7::8' }), undefined);
  t.equal(effect([POD], { inInterface: undefined }), undefined, 'sent by this host');
  t.equal(effect([POD], { family: 'ip', source: '169.254.1.1' }), undefined, 'IPv4 is forwarded');
});
