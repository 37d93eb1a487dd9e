// Tests packets that go to the stack unchanged: from other clients, of a flow, malformed.

import t from 'tap';
import { FAMILIES } from '../../../src/net/family.ts';
import { BpfNamespace } from '../../support/bpf/bpf-namespace.ts';
import { FlowFrames } from '../../support/bpf/flow-frames.ts';
import { concat, frame, SYN, segment, sequence } from '../../support/bpf/frames.ts';
import { PacketExpectations } from '../../support/bpf/packet-expectations.ts';
import { ADDRESSES, DEVICE, ETHERNET_HEADERS, MTU, SERVICE_PORT } from '../../support/bpf/test-network.ts';

const netns = await BpfNamespace.forTests(t);

for (const family of FAMILIES) {
  const addresses = ADDRESSES[family];

  t.test(`${family}: excluded sources and clients without a route by the uplink go to the stack`, async (t) => {
    const expect = new PacketExpectations(t, netns);
    const { excludedClient, otherUplinkClient, unroutableClient, node } = addresses;
    for (const [client, reason] of [
      [excludedClient, 'SOURCE'],
      [otherUplinkClient, 'ASYMMETRIC'],
      [unroutableClient, 'ROUTE'],
      [node, 'ROUTE'],
    ] as const) {
      for (const protocol of netns.protocols) {
        await expect.passed('uplink', new FlowFrames({ family, protocol, client }).fromClient({ flags: SYN }), {
          as: reason,
        });
      }
    }
    const frames = new FlowFrames({ family, protocol: 'tcp' });
    const options = { device: DEVICE.other };
    const elsewhereIn = frame({ ...ETHERNET_HEADERS.fromClient, to: '00:00:00:00:00:00' }, ...synParts(frames));
    await expect.passed('uplink', elsewhereIn, { as: 'OTHERHOST', options });
    t.strictSame(await netns.flows(family), []);
  });

  t.test(
    `${family}: packets of a flow with an expiring TTL, another MAC or more than the MTU go to the stack`,
    async (t) => {
      const [expect, frames] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'tcp' })];
      await netns.establish(frames);
      for (const ttl of [0, 1]) {
        await expect.passed('uplink', frames.fromClient({ ip: { ttl } }), { as: 'TTL' });
        await expect.passed('pod', frames.fromPod({ ip: { ttl } }), { as: 'TTL' });
      }
      const headers = family === 'ip' ? 40 : 60;
      const most = sequence(MTU - headers);
      await expect.translated('pod', frames.fromPod({ data: most }), {
        to: frames.toClient({ data: most }),
        as: 'ANSWERED',
      });
      await expect.passed('pod', frames.fromPod({ data: sequence(MTU - headers + 1) }), { as: 'MTU' });
      const large = sequence(3000);
      const gsoSize = MTU - headers;
      const options = { gsoSize };
      await expect.translated('pod', frames.fromPod({ data: large }), {
        to: frames.toClient({ data: large }),
        as: 'ANSWERED',
        options,
      });
      await expect.passed('pod', frames.fromPod({ data: large }), { as: 'MTU', options: { gsoSize: gsoSize + 1 } });
      await expect.passed('pod', frames.fromPod({ flags: SYN }), { as: 'NO_FLOW' });
      await expect.passed('pod', frames.fromPod(), { as: 'OTHERHOST', options: { device: DEVICE.pod2 } });
      const notForGateway = frames.fromPod();
      notForGateway.set([2, 0, 0, 0, 0, 0x77], 0);
      await expect.passed('pod', notForGateway, { as: 'OTHERHOST' });
      const notForUs = frames.fromClient();
      notForUs.set([2, 0, 0, 0, 0, 0x77], 0);
      await expect.passed('uplink', notForUs, { as: 'OTHERHOST' });
    },
  );

  t.test(`${family}: truncated frames and other protocols go to the stack, padded frames are translated`, async (t) => {
    const [expect, frames] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'tcp' })];
    await netns.establish(frames);
    const whole = frames.fromClient({ data: sequence(50) });
    const network = 14 + (family === 'ip' ? 20 : 40);
    for (const length of [network + 3, network + 8, network + 19, whole.length - 1]) {
      await expect.passed('uplink', whole.subarray(0, length), { as: 'TRUNCATED' });
    }
    const padded = (bytes: Uint8Array) => concat(bytes, new Uint8Array(9).fill(0xee));
    await expect.translated('uplink', padded(frames.fromClient()), { to: padded(frames.toPod()), as: 'FORWARDED' });
    const tagged = concat(whole.subarray(0, 12), [0x81, 0, 0, 5], whole.subarray(12));
    const { verdict, bytes } = await netns.runPacket('uplink', tagged);
    t.strictSame([verdict, bytes], [-1, tagged], 'a VLAN tag');
    const arp = concat(whole.subarray(0, 12), [8, 6], whole.subarray(14));
    await expect.passed('uplink', arp, { as: 'OTHER' });
    const sctp = frame(ETHERNET_HEADERS.fromClient, synParts(frames)[0], { number: 132, bytes: () => sequence(40) });
    await expect.passed('uplink', sctp, { as: 'OTHER' });
    if (family === 'ip') {
      const options = frames.fromClient({ ip: { options: Uint8Array.of(1, 1, 1, 0) } });
      await expect.passed('uplink', options, { as: 'OPTIONS' });
    } else {
      const hopByHop = concat([IPPROTO_TCP, 0, 1, 4, 0, 0, 0, 0], whole.subarray(54));
      const extended = frame(ETHERNET_HEADERS.fromClient, synParts(frames)[0], { number: 0, bytes: () => hopByHop });
      await expect.passed('uplink', extended, { as: 'OPTIONS' });
    }
  });
}

if (netns.hasConntrackLookup) {
  t.test('IPv4 UDP goes to the stack when the MTU of the pod is above that of the uplink', async (t) => {
    const [expect, frames] = [new PacketExpectations(t, netns), new FlowFrames({ family: 'ip', protocol: 'udp' })];
    for (const mtu of [0, MTU + 1]) {
      await netns.putBackend(2, { address: ADDRESSES.ip.pod, protocol: 'udp', gen: 9, mtu });
      await expect.passed('uplink', frames.fromClient(), { as: 'POD_MTU' });
    }
    await netns.putBackend(2, { address: ADDRESSES.ip.pod, protocol: 'udp', gen: 9 });
    await expect.translated('uplink', frames.fromClient(), { to: frames.toPod(), as: 'CREATED' });
  });
}

const IPPROTO_TCP = 6;

function synParts({ spec, node }: FlowFrames) {
  const { client, clientPort, protocol } = spec;
  const syn = segment({ protocol, sport: clientPort, dport: SERVICE_PORT, flags: SYN });
  return [{ src: client, dst: node }, syn] as const;
}
