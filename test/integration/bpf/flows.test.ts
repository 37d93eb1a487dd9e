// Flows from their first packet to their last, and all that is left to nft.
import t from 'tap';
import { decodeFlow } from '../../../src/fastpath/maps/entries.ts';
import { BACKEND_REPLY_ONLY, FLOW, FLOW_KEY, readNumber } from '../../../src/fastpath/maps/layout.ts';
import { ADDRESSES, BpfNamespace, DEVICE, ETHERNET_HEADERS, MTU, SERVICE_PORT } from '../../support/bpf/bpf-sandbox.ts';
import { FAMILIES, type Family, FlowFrames } from '../../support/bpf/flow-frames.ts';
import { ACK, concat, FIN, frame, RST, SYN, segment } from '../../support/bpf/frames.ts';
import { PacketExpectations } from '../../support/bpf/packet-assertions.ts';

const netns = await BpfNamespace.create();
t.teardown(() => netns.close());
await netns.populate();
t.beforeEach(() => netns.flush());

const data = (length: number) => Uint8Array.from({ length }, (_, i) => i);
const mapOf = (family: Family) => (family === 'ip' ? 'flows_v4' : 'flows_v6');

/** Begins a TCP flow, with an answer and its acknowledgement. */
async function establish(legs: FlowFrames): Promise<void> {
  await netns.runPacket('uplink', legs.fromClient({ flags: SYN }));
  await netns.runPacket('pod', legs.fromPod({ flags: SYN | ACK }));
  await netns.runPacket('uplink', legs.fromClient());
}

async function flowsOf(family: Family) {
  const entries = await netns.entries(mapOf(family));
  return entries.map(([key, value]) => decodeFlow(family, key, value));
}

for (const family of FAMILIES) {
  const addresses = ADDRESSES[family];

  t.test(`${family}: a TCP connection`, async (t) => {
    const [expect, legs] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'tcp' })];
    const goes = (flags: number, more: { data?: Uint8Array }, as: string) =>
      expect.translated('uplink', legs.fromClient({ flags, ...more }), { to: legs.toPod({ flags, ...more }), as });
    const comes = (flags: number, more: { data?: Uint8Array } = {}) =>
      expect.translated('pod', legs.fromPod({ flags, ...more }), {
        to: legs.toClient({ flags, ...more }),
        as: 'ANSWERED',
      });

    await goes(SYN, {}, 'CREATED');
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['new', 'new'],
    );
    await goes(SYN, {}, 'FORWARDED');
    await comes(SYN | ACK);
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['answered', 'answered'],
    );
    await goes(ACK, {}, 'FORWARDED');
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['established', 'established'],
    );
    for (const length of [1, 2, 999]) {
      await goes(ACK, { data: data(length) }, 'FORWARDED');
      await comes(ACK, { data: data(length) });
    }
    await goes(FIN | ACK, {}, 'FORWARDED');
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['closing', 'closing'],
    );
    await comes(FIN | ACK);
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['closed', 'closed'],
    );
    await goes(ACK, {}, 'FORWARDED');

    await expect.translated('uplink', legs.fromClient({ flags: SYN }), {
      to: legs.toPod({ flags: SYN }),
      as: ['CREATED', 'RECYCLED'],
    });
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['new', 'new'],
      'a new connection',
    );
    await goes(RST, {}, 'FORWARDED');
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['closed', 'closed'],
    );
    const { lines } = await netns.loader.requestOk('dump slot_counts');
    t.equal(lines.length, 1, 'one slot has been used');
  });

  if (netns.hasConntrackLookup) {
    t.test(`${family}: UDP`, async (t) => {
      const [expect, legs] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'udp' })];
      for (const length of [0, 1, 512]) {
        const more = { data: data(length) };
        const as = length === 0 ? 'CREATED' : 'FORWARDED';
        await expect.translated('uplink', legs.fromClient(more), { to: legs.toPod(more), as });
        await expect.translated('pod', legs.fromPod(more), { to: legs.toClient(more), as: 'ANSWERED' });
      }
      if (family === 'ip6') return;
      const unsummed = { noChecksum: true, data: data(9) };
      await expect.translated('uplink', legs.fromClient(unsummed), { to: legs.toPod(unsummed), as: 'FORWARDED' });
      await expect.translated('pod', legs.fromPod(unsummed), { to: legs.toClient(unsummed), as: 'ANSWERED' });
    });
  }

  t.test(`${family}: what begins no flow`, async (t) => {
    const [expect, legs] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'tcp' })];
    for (const flags of [ACK, SYN | ACK, RST, FIN, SYN | RST, SYN | FIN]) {
      await expect.passed('uplink', legs.fromClient({ flags }), 'NO_FLOW');
    }
    await expect.passed('pod', legs.fromPod({ flags: SYN | ACK }), 'NO_FLOW');
    await expect.passed('uplink', legs.fromClient({ flags: SYN, dport: 22 }), 'PORT');
    await expect.passed('pod', legs.fromPod({ sport: 22 }), 'PORT');
    const { pod } = addresses;
    await expect.passed('uplink', legs.fromClient({ flags: SYN, ip: { dst: pod } }), 'NO_FRONTEND');
    t.strictSame(await flowsOf(family), [], 'no flow');
  });

  t.test(`${family}: which clients are nft's`, async (t) => {
    const expect = new PacketExpectations(t, netns);
    const { excludedClient, otherUplinkClient, unroutableClient, node } = addresses;
    for (const [client, reason] of [
      [excludedClient, 'SOURCE'],
      [otherUplinkClient, 'ASYMMETRIC'],
      [unroutableClient, 'ROUTE'],
      [node, 'ROUTE'],
    ] as const) {
      for (const protocol of netns.protocols) {
        await expect.passed('uplink', new FlowFrames({ family, protocol, client }).fromClient({ flags: SYN }), reason);
      }
    }
    const legs = new FlowFrames({ family, protocol: 'tcp' });
    const options = { device: DEVICE.other };
    const elsewhereIn = frame({ ...ETHERNET_HEADERS.fromClient, to: '00:00:00:00:00:00' }, ...synParts(legs));
    await expect.passed('uplink', elsewhereIn, 'OTHERHOST', options);
    t.strictSame(await flowsOf(family), []);
  });

  t.test(`${family}: packets of a flow that go to the stack`, async (t) => {
    const [expect, legs] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'tcp' })];
    await establish(legs);
    for (const ttl of [0, 1]) {
      await expect.passed('uplink', legs.fromClient({ ip: { ttl } }), 'TTL');
      await expect.passed('pod', legs.fromPod({ ip: { ttl } }), 'TTL');
    }
    const headers = family === 'ip' ? 40 : 60;
    const most = data(MTU - headers);
    await expect.translated('pod', legs.fromPod({ data: most }), { to: legs.toClient({ data: most }), as: 'ANSWERED' });
    await expect.passed('pod', legs.fromPod({ data: data(MTU - headers + 1) }), 'MTU');
    const large = data(3000);
    const gsoSize = MTU - headers;
    const options = { gsoSize };
    await expect.translated('pod', legs.fromPod({ data: large }), {
      to: legs.toClient({ data: large }),
      as: 'ANSWERED',
      options,
    });
    await expect.passed('pod', legs.fromPod({ data: large }), 'MTU', { gsoSize: gsoSize + 1 });
    await expect.passed('pod', legs.fromPod({ flags: SYN }), 'NO_FLOW');
    await expect.passed('pod', legs.fromPod(), 'OTHERHOST', { device: DEVICE.pod2 });
    const notForGateway = legs.fromPod();
    notForGateway.set([2, 0, 0, 0, 0, 0x77], 0);
    await expect.passed('pod', notForGateway, 'OTHERHOST');
    const notForUs = legs.fromClient();
    notForUs.set([2, 0, 0, 0, 0, 0x77], 0);
    await expect.passed('uplink', notForUs, 'OTHERHOST');
  });

  t.test(`${family}: frames that are cut off, padded or of another kind`, async (t) => {
    const [expect, legs] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'tcp' })];
    await establish(legs);
    const whole = legs.fromClient({ data: data(50) });
    const network = 14 + (family === 'ip' ? 20 : 40);
    for (const length of [network + 3, network + 8, network + 19, whole.length - 1]) {
      await expect.passed('uplink', whole.subarray(0, length), 'TRUNCATED');
    }
    const padded = (bytes: Uint8Array) => concat(bytes, new Uint8Array(9).fill(0xee));
    await expect.translated('uplink', padded(legs.fromClient()), { to: padded(legs.toPod()), as: 'FORWARDED' });
    const tagged = concat(whole.subarray(0, 12), [0x81, 0, 0, 5], whole.subarray(12));
    const { verdict, bytes } = await netns.runPacket('uplink', tagged);
    t.strictSame([verdict, bytes], [-1, tagged], 'a VLAN tag');
    const arp = concat(whole.subarray(0, 12), [8, 6], whole.subarray(14));
    await expect.passed('uplink', arp, 'OTHER');
    const sctp = frame(ETHERNET_HEADERS.fromClient, synParts(legs)[0], { number: 132, bytes: () => data(40) });
    await expect.passed('uplink', sctp, 'OTHER');
    if (family === 'ip') {
      const options = legs.fromClient({ ip: { options: Uint8Array.of(1, 1, 1, 0) } });
      await expect.passed('uplink', options, 'OPTIONS');
    } else {
      const hopByHop = concat([IPPROTO_TCP, 0, 1, 4, 0, 0, 0, 0], whole.subarray(54));
      const extended = frame(ETHERNET_HEADERS.fromClient, synParts(legs)[0], { number: 0, bytes: () => hopByHop });
      await expect.passed('uplink', extended, 'OPTIONS');
    }
  });

  t.test(`${family}: TCP connections whose time is over`, async (t) => {
    const [expect, tcp] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'tcp' })];
    await establish(tcp);
    await netns.ageFlows(family, 3600);
    await expect.translated('uplink', tcp.fromClient(), { to: tcp.toPod(), as: 'FORWARDED' });
    await netns.ageFlows(family, 432_001);
    await expect.passed('uplink', tcp.fromClient(), 'EXPIRED');
  });

  if (netns.hasConntrackLookup) {
    t.test(`${family}: UDP flows whose time is over`, async (t) => {
      const [expect, legs] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'udp' })];
      await netns.runPacket('uplink', legs.fromClient());
      await netns.ageFlows(family, 31);
      await expect.passed('pod', legs.fromPod(), 'EXPIRED');
      await expect.translated('uplink', legs.fromClient(), { to: legs.toPod(), as: 'CREATED' });
      await expect.translated('pod', legs.fromPod(), { to: legs.toClient(), as: 'ANSWERED' });
      await netns.ageFlows(family, 121, 'original');
      await expect.translated('uplink', legs.fromClient(), { to: legs.toPod(), as: 'FORWARDED' });
      await netns.ageFlows(family, 121, 'reply');
      await expect.translated('pod', legs.fromPod(), { to: legs.toClient(), as: 'ANSWERED' });
      t.equal((await flowsOf(family)).length, 2);
    });
  }

  t.test(`${family}: a reset ends a flow, unless it goes on`, async (t) => {
    const [expect, legs] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'tcp' })];
    await establish(legs);
    await netns.runPacket('uplink', legs.fromClient({ flags: RST }));
    await expect.translated('pod', legs.fromPod(), { to: legs.toClient(), as: 'ANSWERED' });
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['closed', 'closed'],
      'what was on its way',
    );
    const states = FLOW[family].fields.find(({ name }) => name === 'state')?.offset ?? 0;
    for (const [key, value] of await netns.entries(mapOf(family))) {
      const older = Uint8Array.from(value);
      older[states + 3] = ((value[states + 3] ?? 0) - 8) & 255 || 1;
      await netns.put(mapOf(family), key, older);
    }
    await expect.translated('pod', legs.fromPod(), { to: legs.toClient(), as: 'ANSWERED' });
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['established', 'established'],
    );
  });

  t.test(`${family}: the slot of a flow is freed`, async (t) => {
    const expect = new PacketExpectations(t, netns);
    for (const protocol of netns.protocols) {
      const legs = new FlowFrames({ family, protocol });
      const slot = (family === 'ip' ? 1 : 3) + (protocol === 'tcp' ? 0 : 1);
      await netns.runPacket('uplink', legs.fromClient({ flags: SYN }));
      await netns.runPacket('pod', legs.fromPod());
      await netns.putBackend(slot, { address: addresses.pod, protocol, gen: 0 });
      await expect.passed('uplink', legs.fromClient(), protocol === 'tcp' ? 'STALE' : 'BACKEND');
      await expect.passed('pod', legs.fromPod(), protocol === 'tcp' ? 'STALE' : 'NO_FLOW');
      const pod = addresses.pod2;
      const [ifindex, l3if] = [DEVICE.pod2, DEVICE.pod2];
      await netns.putBackend(slot, { address: pod, protocol, gen: 2, ifindex, l3if });
      const other = new FlowFrames({ family, protocol, pod });
      const more = { flags: SYN };
      await expect.translated('uplink', other.fromClient(more), { to: other.toPod(more), as: 'CREATED' });
      await expect.passed('pod', legs.fromPod(), 'NO_FLOW');
      await netns.putBackend(slot, { address: addresses.pod, protocol, gen: 3 });
    }
  });

  if (netns.hasConntrackLookup) {
    t.test(`${family}: a UDP backend leaves: what it answers still goes out, and datagrams go elsewhere`, async (t) => {
      const expect = new PacketExpectations(t, netns);
      const [legs, other] = [
        new FlowFrames({ family, protocol: 'udp' }),
        new FlowFrames({ family, protocol: 'udp', pod: addresses.pod2 }),
      ];
      const slot = family === 'ip' ? 2 : 4;
      const [ifindex, l3if] = [DEVICE.pod2, DEVICE.pod2];
      await netns.putBackend(slot, { address: addresses.pod, protocol: 'udp', gen: 4 });
      await netns.runPacket('uplink', legs.fromClient());
      await netns.putBackend(5, { address: addresses.pod2, protocol: 'udp', ifindex, l3if });
      await netns.putFrontend(addresses.node, 'udp', { slots: [5] });
      await expect.translated('uplink', legs.fromClient(), { to: legs.toPod(), as: 'FORWARDED' });
      await netns.putBackend(slot, { address: addresses.pod, protocol: 'udp', gen: 4, flags: BACKEND_REPLY_ONLY });
      await expect.translated('pod', legs.fromPod(), { to: legs.toClient(), as: 'ANSWERED' });
      await expect.translated('uplink', other.fromClient(), { to: other.toPod(), as: 'CREATED' });
      await expect.passed('pod', legs.fromPod(), 'NO_FLOW');
      await netns.putBackend(slot, { address: addresses.pod, protocol: 'udp', gen: 4 });
      await netns.putBackend(5, { address: addresses.pod2, protocol: 'udp', gen: 0 });
      await netns.putFrontend(addresses.node, 'udp', { slots: [slot] });
    });
  }

  t.test(`${family}: frontends that are not handed out`, async (t) => {
    const [expect, legs] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'tcp' })];
    const [{ node }, syn] = [addresses, legs.fromClient({ flags: SYN })];
    const slots = [family === 'ip' ? 1 : 3];
    const live = new FlowFrames({ family, protocol: 'tcp', clientPort: 50_000 });
    await establish(live);
    for (const [given, reason] of [
      [{ slots: [] }, 'SUSPENDED'],
      [{ slots, suspended: true }, 'SUSPENDED'],
      [{ slots, svc: 99 }, 'BACKEND'],
      [{ slots: [77] }, 'BACKEND'],
      [{ slots: [60_000] }, 'BACKEND'],
      [{ slots: [(slots[0] ?? 0) + 1], svc: 2 }, 'BACKEND'],
    ] as const) {
      await netns.putFrontend(node, 'tcp', given);
      await expect.passed('uplink', syn, reason);
    }
    await netns.putFrontend(node, 'tcp', { slots });
    await netns.putConfig({ create: false });
    await expect.passed('uplink', syn, 'CREATION_OFF');
    await expect.translated('uplink', live.fromClient(), { to: live.toPod(), as: 'FORWARDED' });
    await expect.translated('pod', live.fromPod(), { to: live.toClient(), as: 'ANSWERED' });
    await netns.putConfig();
    await expect.translated('uplink', syn, { to: legs.toPod({ flags: SYN }), as: 'CREATED' });
    t.equal(readNumber(FLOW_KEY[family], (await netns.entries(mapOf(family)))[0]?.[0] ?? syn, 'zero'), 0);
  });

  t.test(`${family}: every backend gets flows`, async (t) => {
    const { node, pod, pod2 } = addresses;
    const first = family === 'ip' ? 1 : 3;
    await netns.putBackend(20, { address: pod2, protocol: 'tcp', ifindex: DEVICE.pod2, l3if: DEVICE.pod2 });
    await netns.putFrontend(node, 'tcp', { slots: [first, 20] });
    for (let clientPort = 1025; clientPort < 1089; clientPort++) {
      await netns.runPacket(
        'uplink',
        new FlowFrames({ family, protocol: 'tcp', clientPort }).fromClient({ flags: SYN }),
      );
    }
    const chosen = (await flowsOf(family)).filter(({ direction }) => direction === 'original');
    t.equal(chosen.length, 64);
    t.strictSame(new Set(chosen.map(({ translated }) => translated.address)), new Set([pod, pod2]));
    await netns.putFrontend(node, 'tcp', { slots: [first] });
  });
}

if (netns.hasConntrackLookup) {
  t.test('UDP over IPv4 is left alone where the pod can send more than the uplink takes', async (t) => {
    const [expect, legs] = [new PacketExpectations(t, netns), new FlowFrames({ family: 'ip', protocol: 'udp' })];
    for (const mtu of [0, MTU + 1]) {
      await netns.putBackend(2, { address: ADDRESSES.ip.pod, protocol: 'udp', gen: 9, mtu });
      await expect.passed('uplink', legs.fromClient(), 'POD_MTU');
    }
    await netns.putBackend(2, { address: ADDRESSES.ip.pod, protocol: 'udp', gen: 9 });
    await expect.translated('uplink', legs.fromClient(), { to: legs.toPod(), as: 'CREATED' });
  });
}

const IPPROTO_TCP = 6;

function synParts({ spec, node }: FlowFrames) {
  const { client, clientPort, protocol } = spec;
  const syn = segment({ protocol, sport: clientPort, dport: SERVICE_PORT, flags: SYN });
  return [{ src: client, dst: node }, syn] as const;
}
