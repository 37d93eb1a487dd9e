// Flows from their first packet to their last, and all that is left to nft.
import t from 'tap';
import { decodeFlow } from '../../../src/fastpath/maps/entries.ts';
import { BACKEND_LEAVING, FLOW, FLOW_KEY, readNumber } from '../../../src/fastpath/maps/layout.ts';
import { Expect } from '../../support/bpf/expect.ts';
import { ACK, concat, FIN, frame, RST, SYN, segment } from '../../support/bpf/frames.ts';
import { FAMILIES, type Family, Legs } from '../../support/bpf/legs.ts';
import { ADDRESSES, DEVICE, LEG, MTU, Place, SERVICE_PORT } from '../../support/bpf/place.ts';

const place = await Place.make();
t.teardown(() => place.end());
await place.furnish();
t.beforeEach(() => place.forget());

const data = (length: number) => Uint8Array.from({ length }, (_, i) => i);
const mapOf = (family: Family) => (family === 'ip' ? 'f4' : 'f6');

/** Begins a TCP flow, with an answer and its acknowledgement. */
async function establish(legs: Legs): Promise<void> {
  await place.packet('uplink', legs.fromClient({ flags: SYN }));
  await place.packet('pod', legs.fromPod({ flags: SYN | ACK }));
  await place.packet('uplink', legs.fromClient());
}

async function flowsOf(family: Family) {
  const entries = await place.entries(mapOf(family));
  return entries.map(([key, value]) => decodeFlow(family, key, value));
}

for (const family of FAMILIES) {
  const addresses = ADDRESSES[family];

  t.test(`${family}: a TCP connection`, async (t) => {
    const [expect, legs] = [new Expect(t, place), new Legs({ family, protocol: 'tcp' })];
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
    await goes(SYN, {}, 'TAKEN');
    await comes(SYN | ACK);
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['answered', 'answered'],
    );
    await goes(ACK, {}, 'TAKEN');
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['established', 'established'],
    );
    for (const length of [1, 2, 999]) {
      await goes(ACK, { data: data(length) }, 'TAKEN');
      await comes(ACK, { data: data(length) });
    }
    await goes(FIN | ACK, {}, 'TAKEN');
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['closing', 'closing'],
    );
    await comes(FIN | ACK);
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['closed', 'closed'],
    );
    await goes(ACK, {}, 'TAKEN');

    await expect.translated('uplink', legs.fromClient({ flags: SYN }), {
      to: legs.toPod({ flags: SYN }),
      as: ['CREATED', 'RECYCLED'],
    });
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['new', 'new'],
      'a new connection',
    );
    await goes(RST, {}, 'TAKEN');
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['closed', 'closed'],
    );
    const { lines } = await place.loader.must('dump slots');
    t.equal(lines.length, 1, 'one slot has been used');
  });

  if (place.asksConntrack) {
    t.test(`${family}: UDP`, async (t) => {
      const [expect, legs] = [new Expect(t, place), new Legs({ family, protocol: 'udp' })];
      for (const length of [0, 1, 512]) {
        const more = { data: data(length) };
        const as = length === 0 ? 'CREATED' : 'TAKEN';
        await expect.translated('uplink', legs.fromClient(more), { to: legs.toPod(more), as });
        await expect.translated('pod', legs.fromPod(more), { to: legs.toClient(more), as: 'ANSWERED' });
      }
      if (family === 'ip6') return;
      const unsummed = { unsummed: true, data: data(9) };
      await expect.translated('uplink', legs.fromClient(unsummed), { to: legs.toPod(unsummed), as: 'TAKEN' });
      await expect.translated('pod', legs.fromPod(unsummed), { to: legs.toClient(unsummed), as: 'ANSWERED' });
    });
  }

  t.test(`${family}: what begins no flow`, async (t) => {
    const [expect, legs] = [new Expect(t, place), new Legs({ family, protocol: 'tcp' })];
    for (const flags of [ACK, SYN | ACK, RST, FIN, SYN | RST, SYN | FIN]) {
      await expect.handedOn('uplink', legs.fromClient({ flags }), 'NO_FLOW');
    }
    await expect.handedOn('pod', legs.fromPod({ flags: SYN | ACK }), 'NO_FLOW');
    await expect.handedOn('uplink', legs.fromClient({ flags: SYN, dport: 22 }), 'PORT');
    await expect.handedOn('pod', legs.fromPod({ sport: 22 }), 'PORT');
    const { pod } = addresses;
    await expect.handedOn('uplink', legs.fromClient({ flags: SYN, ip: { dst: pod } }), 'NO_FRONTEND');
    t.strictSame(await flowsOf(family), [], 'no flow');
  });

  t.test(`${family}: which clients are nft's`, async (t) => {
    const expect = new Expect(t, place);
    const { excluded, elsewhere, nowhere, node } = addresses;
    for (const [client, reason] of [
      [excluded, 'SOURCE'],
      [elsewhere, 'ASYMMETRIC'],
      [nowhere, 'ROUTE'],
      [node, 'ROUTE'],
    ] as const) {
      for (const protocol of place.protocols) {
        await expect.handedOn('uplink', new Legs({ family, protocol, client }).fromClient({ flags: SYN }), reason);
      }
    }
    const legs = new Legs({ family, protocol: 'tcp' });
    const options = { device: DEVICE.other };
    const elsewhereIn = frame({ ...LEG.fromClient, to: '00:00:00:00:00:00' }, ...parts(legs));
    await expect.handedOn('uplink', elsewhereIn, 'FOREIGN', options);
    t.strictSame(await flowsOf(family), []);
  });

  t.test(`${family}: packets of a flow that go to the stack`, async (t) => {
    const [expect, legs] = [new Expect(t, place), new Legs({ family, protocol: 'tcp' })];
    await establish(legs);
    for (const ttl of [0, 1]) {
      await expect.handedOn('uplink', legs.fromClient({ ip: { ttl } }), 'TTL');
      await expect.handedOn('pod', legs.fromPod({ ip: { ttl } }), 'TTL');
    }
    const headers = family === 'ip' ? 40 : 60;
    const most = data(MTU - headers);
    await expect.translated('pod', legs.fromPod({ data: most }), { to: legs.toClient({ data: most }), as: 'ANSWERED' });
    await expect.handedOn('pod', legs.fromPod({ data: data(MTU - headers + 1) }), 'MTU');
    const large = data(3000);
    const gsoSize = MTU - headers;
    const options = { gsoSize };
    await expect.translated('pod', legs.fromPod({ data: large }), {
      to: legs.toClient({ data: large }),
      as: 'ANSWERED',
      options,
    });
    await expect.handedOn('pod', legs.fromPod({ data: large }), 'MTU', { gsoSize: gsoSize + 1 });
    await expect.handedOn('pod', legs.fromPod({ flags: SYN }), 'NO_FLOW');
    await expect.handedOn('pod', legs.fromPod(), 'FOREIGN', { device: DEVICE.pod2 });
    const notForGateway = legs.fromPod();
    notForGateway.set([2, 0, 0, 0, 0, 0x77], 0);
    await expect.handedOn('pod', notForGateway, 'FOREIGN');
    const notForUs = legs.fromClient();
    notForUs.set([2, 0, 0, 0, 0, 0x77], 0);
    await expect.handedOn('uplink', notForUs, 'FOREIGN');
  });

  t.test(`${family}: frames that are cut off, padded or of another kind`, async (t) => {
    const [expect, legs] = [new Expect(t, place), new Legs({ family, protocol: 'tcp' })];
    await establish(legs);
    const whole = legs.fromClient({ data: data(50) });
    const network = 14 + (family === 'ip' ? 20 : 40);
    for (const length of [network + 3, network + 8, network + 19, whole.length - 1]) {
      await expect.handedOn('uplink', whole.subarray(0, length), 'TRUNCATED');
    }
    const padded = (bytes: Uint8Array) => concat(bytes, new Uint8Array(9).fill(0xee));
    await expect.translated('uplink', padded(legs.fromClient()), { to: padded(legs.toPod()), as: 'TAKEN' });
    const tagged = concat(whole.subarray(0, 12), [0x81, 0, 0, 5], whole.subarray(12));
    const { verdict, bytes } = await place.packet('uplink', tagged);
    t.strictSame([verdict, bytes], [-1, tagged], 'a VLAN tag');
    const arp = concat(whole.subarray(0, 12), [8, 6], whole.subarray(14));
    await expect.handedOn('uplink', arp, 'OTHER');
    const sctp = frame(LEG.fromClient, parts(legs)[0], { number: 132, bytes: () => data(40) });
    await expect.handedOn('uplink', sctp, 'OTHER');
    if (family === 'ip') {
      const options = legs.fromClient({ ip: { options: Uint8Array.of(1, 1, 1, 0) } });
      await expect.handedOn('uplink', options, 'OPTIONS');
    } else {
      const hopByHop = concat([TCP_NUMBER, 0, 1, 4, 0, 0, 0, 0], whole.subarray(54));
      const extended = frame(LEG.fromClient, parts(legs)[0], { number: 0, bytes: () => hopByHop });
      await expect.handedOn('uplink', extended, 'OPTIONS');
    }
  });

  t.test(`${family}: TCP connections whose time is over`, async (t) => {
    const [expect, tcp] = [new Expect(t, place), new Legs({ family, protocol: 'tcp' })];
    await establish(tcp);
    await place.age(family, 3600);
    await expect.translated('uplink', tcp.fromClient(), { to: tcp.toPod(), as: 'TAKEN' });
    await place.age(family, 432_001);
    await expect.handedOn('uplink', tcp.fromClient(), 'EXPIRED');
  });

  if (place.asksConntrack) {
    t.test(`${family}: UDP flows whose time is over`, async (t) => {
      const [expect, legs] = [new Expect(t, place), new Legs({ family, protocol: 'udp' })];
      await place.packet('uplink', legs.fromClient());
      await place.age(family, 31);
      await expect.handedOn('pod', legs.fromPod(), 'EXPIRED');
      await expect.translated('uplink', legs.fromClient(), { to: legs.toPod(), as: 'CREATED' });
      await expect.translated('pod', legs.fromPod(), { to: legs.toClient(), as: 'ANSWERED' });
      await place.age(family, 121, 'forward');
      await expect.translated('uplink', legs.fromClient(), { to: legs.toPod(), as: 'TAKEN' });
      await place.age(family, 121, 'reverse');
      await expect.translated('pod', legs.fromPod(), { to: legs.toClient(), as: 'ANSWERED' });
      t.equal((await flowsOf(family)).length, 2);
    });
  }

  t.test(`${family}: a reset ends a flow, unless it goes on`, async (t) => {
    const [expect, legs] = [new Expect(t, place), new Legs({ family, protocol: 'tcp' })];
    await establish(legs);
    await place.packet('uplink', legs.fromClient({ flags: RST }));
    await expect.translated('pod', legs.fromPod(), { to: legs.toClient(), as: 'ANSWERED' });
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['closed', 'closed'],
      'what was on its way',
    );
    const states = FLOW[family].fields.find(({ name }) => name === 'state')?.offset ?? 0;
    for (const [key, value] of await place.entries(mapOf(family))) {
      const older = Uint8Array.from(value);
      older[states + 3] = ((value[states + 3] ?? 0) - 8) & 255 || 1;
      await place.put(mapOf(family), key, older);
    }
    await expect.translated('pod', legs.fromPod(), { to: legs.toClient(), as: 'ANSWERED' });
    t.strictSame(
      (await flowsOf(family)).map(({ state }) => state),
      ['established', 'established'],
    );
  });

  t.test(`${family}: the slot of a flow is freed`, async (t) => {
    const expect = new Expect(t, place);
    for (const protocol of place.protocols) {
      const legs = new Legs({ family, protocol });
      const slot = (family === 'ip' ? 1 : 3) + (protocol === 'tcp' ? 0 : 1);
      await place.packet('uplink', legs.fromClient({ flags: SYN }));
      await place.packet('pod', legs.fromPod());
      await place.backend(slot, { address: addresses.pod, protocol, gen: 0 });
      await expect.handedOn('uplink', legs.fromClient(), protocol === 'tcp' ? 'STALE' : 'BACKEND');
      await expect.handedOn('pod', legs.fromPod(), protocol === 'tcp' ? 'STALE' : 'NO_FLOW');
      const pod = addresses.pod2;
      const [ifindex, l3if] = [DEVICE.pod2, DEVICE.pod2];
      await place.backend(slot, { address: pod, protocol, gen: 2, ifindex, l3if });
      const other = new Legs({ family, protocol, pod });
      const more = { flags: SYN };
      await expect.translated('uplink', other.fromClient(more), { to: other.toPod(more), as: 'CREATED' });
      await expect.handedOn('pod', legs.fromPod(), 'NO_FLOW');
      await place.backend(slot, { address: addresses.pod, protocol, gen: 3 });
    }
  });

  if (place.asksConntrack) {
    t.test(`${family}: a UDP backend leaves: what it answers still goes out, and datagrams go elsewhere`, async (t) => {
      const expect = new Expect(t, place);
      const [legs, other] = [
        new Legs({ family, protocol: 'udp' }),
        new Legs({ family, protocol: 'udp', pod: addresses.pod2 }),
      ];
      const slot = family === 'ip' ? 2 : 4;
      const [ifindex, l3if] = [DEVICE.pod2, DEVICE.pod2];
      await place.backend(slot, { address: addresses.pod, protocol: 'udp', gen: 4 });
      await place.packet('uplink', legs.fromClient());
      await place.backend(5, { address: addresses.pod2, protocol: 'udp', ifindex, l3if });
      await place.frontend(addresses.node, 'udp', { slots: [5] });
      await expect.translated('uplink', legs.fromClient(), { to: legs.toPod(), as: 'TAKEN' });
      await place.backend(slot, { address: addresses.pod, protocol: 'udp', gen: 4, flags: BACKEND_LEAVING });
      await expect.translated('pod', legs.fromPod(), { to: legs.toClient(), as: 'ANSWERED' });
      await expect.translated('uplink', other.fromClient(), { to: other.toPod(), as: 'CREATED' });
      await expect.handedOn('pod', legs.fromPod(), 'NO_FLOW');
      await place.backend(slot, { address: addresses.pod, protocol: 'udp', gen: 4 });
      await place.backend(5, { address: addresses.pod2, protocol: 'udp', gen: 0 });
      await place.frontend(addresses.node, 'udp', { slots: [slot] });
    });
  }

  t.test(`${family}: frontends that are not handed out`, async (t) => {
    const [expect, legs] = [new Expect(t, place), new Legs({ family, protocol: 'tcp' })];
    const [{ node }, syn] = [addresses, legs.fromClient({ flags: SYN })];
    const slots = [family === 'ip' ? 1 : 3];
    const live = new Legs({ family, protocol: 'tcp', clientPort: 50_000 });
    await establish(live);
    for (const [given, reason] of [
      [{ slots: [] }, 'FRONTEND_OFF'],
      [{ slots, pass: true }, 'FRONTEND_OFF'],
      [{ slots, svc: 99 }, 'BACKEND'],
      [{ slots: [77] }, 'BACKEND'],
      [{ slots: [60_000] }, 'BACKEND'],
      [{ slots: [(slots[0] ?? 0) + 1], svc: 2 }, 'BACKEND'],
    ] as const) {
      await place.frontend(node, 'tcp', given);
      await expect.handedOn('uplink', syn, reason);
    }
    await place.frontend(node, 'tcp', { slots });
    await place.configure({ create: false });
    await expect.handedOn('uplink', syn, 'CREATION_OFF');
    await expect.translated('uplink', live.fromClient(), { to: live.toPod(), as: 'TAKEN' });
    await expect.translated('pod', live.fromPod(), { to: live.toClient(), as: 'ANSWERED' });
    await place.configure();
    await expect.translated('uplink', syn, { to: legs.toPod({ flags: SYN }), as: 'CREATED' });
    t.equal(readNumber(FLOW_KEY[family], (await place.entries(mapOf(family)))[0]?.[0] ?? syn, 'zero'), 0);
  });

  t.test(`${family}: every backend gets flows`, async (t) => {
    const { node, pod, pod2 } = addresses;
    const first = family === 'ip' ? 1 : 3;
    await place.backend(20, { address: pod2, protocol: 'tcp', ifindex: DEVICE.pod2, l3if: DEVICE.pod2 });
    await place.frontend(node, 'tcp', { slots: [first, 20] });
    for (let clientPort = 1025; clientPort < 1089; clientPort++) {
      await place.packet('uplink', new Legs({ family, protocol: 'tcp', clientPort }).fromClient({ flags: SYN }));
    }
    const chosen = (await flowsOf(family)).filter(({ direction }) => direction === 'forward');
    t.equal(chosen.length, 64);
    t.strictSame(new Set(chosen.map(({ becomes }) => becomes.address)), new Set([pod, pod2]));
    await place.frontend(node, 'tcp', { slots: [first] });
  });
}

if (place.asksConntrack) {
  t.test('UDP over IPv4 is left alone where the pod can send more than the uplink takes', async (t) => {
    const [expect, legs] = [new Expect(t, place), new Legs({ family: 'ip', protocol: 'udp' })];
    for (const mtu of [0, MTU + 1]) {
      await place.backend(2, { address: ADDRESSES.ip.pod, protocol: 'udp', gen: 9, mtu });
      await expect.handedOn('uplink', legs.fromClient(), 'POD_MTU');
    }
    await place.backend(2, { address: ADDRESSES.ip.pod, protocol: 'udp', gen: 9 });
    await expect.translated('uplink', legs.fromClient(), { to: legs.toPod(), as: 'CREATED' });
  });
}

const TCP_NUMBER = 6;

function parts({ side, node }: Legs) {
  const { client, clientPort, protocol } = side;
  const syn = segment({ protocol, sport: clientPort, dport: SERVICE_PORT, flags: SYN });
  return [{ src: client, dst: node }, syn] as const;
}
