// Fragments, and ICMP errors from the network and from the pod: an owned flow is owned with all that belongs to it.
import t from 'tap';
import { FAMILIES } from '../../../src/net/family.ts';
import { BpfNamespace } from '../../support/bpf/bpf-namespace.ts';
import { FlowFrames } from '../../support/bpf/flow-frames.ts';
import {
  ACK,
  frame,
  type Ip,
  icmpError,
  SYN,
  segment,
  sequence,
  slicePayload,
  withSegmentChecksum,
} from '../../support/bpf/frames.ts';
import { PacketExpectations } from '../../support/bpf/packet-expectations.ts';
import {
  ADDRESSES,
  ETHERNET_HEADERS,
  MAC,
  MTU,
  POD_PORT,
  SECOND_PORT,
  SERVICE_PORT,
} from '../../support/bpf/test-network.ts';

const netns = await BpfNamespace.create();
t.teardown(() => netns.close());
await netns.populate();
t.beforeEach(() => netns.flush());

/** The IP packet of a frame. */
const packetOf = (bytes: Uint8Array) => bytes.subarray(14);

for (const family of FAMILIES) {
  const { node, pod, client } = ADDRESSES[family];
  const router = family === 'ip' ? '192.0.2.254' : 'fd00:1::fe';

  t.test(`${family}: fragments`, async (t) => {
    const [expect, protocol] = [new PacketExpectations(t, netns), netns.anyProtocol];
    const there = segment({ protocol, sport: 4000, dport: SERVICE_PORT, flags: SYN, data: sequence(2000) });
    const translated = segment({ protocol, sport: 4000, dport: POD_PORT, flags: SYN, data: sequence(2000) });
    const back = segment({ protocol, sport: POD_PORT, dport: 4000, data: sequence(2000) });
    const backTranslated = segment({ protocol, sport: SERVICE_PORT, dport: 4000, data: sequence(2000) });
    const [inIp, podIp]: [Ip, Ip] = [
      { src: client, dst: node },
      { src: client, dst: pod, ttl: 63 },
    ];
    const [answerIp, outIp]: [Ip, Ip] = [
      { src: pod, dst: client },
      { src: node, dst: client, ttl: 63 },
    ];
    // The sum of the segment covers all of it, so that each part has to come from the translated whole.
    const cut = (payload: typeof there, ip: Ip, from: number, to?: number) => ({
      number: payload.number,
      bytes: () => slicePayload(payload, from, to).bytes({ ...ip }),
    });
    const pieces = [
      { from: 0, to: 1000, more: true },
      { from: 1000, to: 1600, more: true },
      { from: 1600, to: undefined, more: false },
    ];
    const later = pieces[1];
    if (later === undefined) throw new Error('there are three');
    const early = frame(
      ETHERNET_HEADERS.fromClient,
      { ...inIp, fragment: { offset: later.from, more: later.more } },
      cut(there, inIp, later.from, later.to),
    );
    await expect.passed('uplink', early, { as: 'FRAGMENT' });

    for (const { from, to, more } of pieces) {
      const fragment = { offset: from, more };
      const into = frame(ETHERNET_HEADERS.fromClient, { ...inIp, fragment }, cut(there, inIp, from, to));
      const out = frame(ETHERNET_HEADERS.toPod, { ...podIp, fragment }, cut(translated, podIp, from, to));
      await expect.translated('uplink', into, { to: out, as: from === 0 ? 'CREATED' : 'FRAGMENT_IN' });
    }
    for (const { from, to, more } of pieces) {
      const fragment = { offset: from, more };
      const into = frame(ETHERNET_HEADERS.fromPod, { ...answerIp, fragment }, cut(back, answerIp, from, to));
      const out = frame(ETHERNET_HEADERS.fromPod, { ...outIp, fragment }, cut(backTranslated, outIp, from, to));
      await expect.translated('pod', into, { to: out, as: from === 0 ? 'ANSWERED' : 'FRAGMENT_OUT' });
    }
    const slot = (family === 'ip' ? 1 : 3) + (protocol === 'tcp' ? 0 : 1);
    await netns.putBackend(slot, { address: pod, protocol, gen: 5 });
    await expect.passed('uplink', early, { as: 'STALE' });
    await netns.putBackend(slot, { address: pod, protocol, gen: 1 });
  });

  for (const protocol of netns.protocols) {
    const frames = new FlowFrames({ family, protocol });
    const errors =
      family === 'ip'
        ? [
            { type: 3, code: 4, restOfHeader: 1280 },
            { type: 3, code: 3 },
            { type: 11, code: 0 },
            { type: 12, code: 0 },
          ]
        : [
            { type: 1, code: 4 },
            { type: 2, code: 0, restOfHeader: 1280 },
            { type: 3, code: 0 },
            { type: 4, code: 0 },
          ];
    const headers = family === 'ip' ? 20 : 40;

    const begin = async () => {
      await netns.runPacket('uplink', frames.fromClient({ flags: SYN }));
      await netns.runPacket('pod', frames.fromPod({ flags: SYN | ACK }));
    };

    t.test(`${family} ${protocol}: ICMP errors from the network`, async (t) => {
      const expect = new PacketExpectations(t, netns);
      // What left for the client, further away; whole, as much as must be quoted, and a length that is odd.
      const answer = { flags: ACK, data: sequence(101) };
      const sent = packetOf(frames.toClient(answer));
      const asPodSent = withSegmentChecksum(packetOf(frames.fromPod({ ...answer, ip: { ttl: 63 } })), sent);
      for (const length of [headers + 8, headers + 21, sent.length]) {
        for (const error of errors) {
          const came = frame(
            ETHERNET_HEADERS.fromClient,
            { src: router, dst: node },
            icmpError({ ...error, quoted: sent.subarray(0, length) }),
          );
          const goes = frame(
            ETHERNET_HEADERS.toPod,
            { src: router, dst: pod, ttl: 63 },
            icmpError({ ...error, quoted: asPodSent.subarray(0, length) }),
          );
          await expect.passed('uplink', came, { as: 'NO_FLOW' });
          await begin();
          await expect.translated('uplink', came, { to: goes, as: 'ICMP_IN' });
          await netns.flush();
        }
      }
      await begin();
      const toAnother = frame(
        ETHERNET_HEADERS.fromClient,
        { src: router, dst: router },
        icmpError({ type: errors[0]?.type ?? 0, code: 0, quoted: sent }),
      );
      await expect.passed('uplink', toAnother, { as: 'OTHER' });
      const echo = frame(
        ETHERNET_HEADERS.fromClient,
        { src: client, dst: node },
        icmpError({ type: family === 'ip' ? 8 : 128, code: 0, quoted: sent }),
      );
      await expect.passed('uplink', echo, { as: 'OTHER' });
      const short = frame(
        ETHERNET_HEADERS.fromClient,
        { src: router, dst: node },
        icmpError({ type: errors[0]?.type ?? 0, code: 0, quoted: sent.subarray(0, headers + 7) }),
      );
      await expect.passed('uplink', short, { as: 'OTHER' });
    });

    t.test(`${family} ${protocol}: ICMP errors from the pod`, async (t) => {
      const expect = new PacketExpectations(t, netns);
      const request = { flags: ACK, data: sequence(33) };
      const got = packetOf(frames.toPod(request));
      const asClientSent = withSegmentChecksum(packetOf(frames.fromClient({ ...request, ip: { ttl: 63 } })), got);
      for (const error of errors) {
        const came = frame(ETHERNET_HEADERS.fromPod, { src: pod, dst: client }, icmpError({ ...error, quoted: got }));
        const goes = frame(
          ETHERNET_HEADERS.fromPod,
          { src: node, dst: client, ttl: 63 },
          icmpError({ ...error, quoted: asClientSent }),
        );
        await expect.passed('pod', came, { as: 'NO_FLOW' });
        await begin();
        await expect.translated('pod', came, { to: goes, as: 'ICMP_OUT' });
        await netns.flush();
      }
      await begin();
      const fromAnother = frame(
        ETHERNET_HEADERS.fromPod,
        { src: router, dst: client },
        icmpError({ type: errors[0]?.type ?? 0, code: 0, quoted: got }),
      );
      await expect.passed('pod', fromAnother, { as: 'NO_FLOW' });
    });
  }
}

t.test('ICMP errors of a flow whose client port was changed', async (t) => {
  const [expect, protocol] = [new PacketExpectations(t, netns), netns.anyProtocol];
  for (const family of FAMILIES) {
    const { node, pod, client } = ADDRESSES[family];
    const first = new FlowFrames({ family, protocol });
    const second = new FlowFrames({ family, protocol, servicePort: SECOND_PORT });
    await netns.runPacket('uplink', first.fromClient({ flags: SYN }));
    const { bytes } = await netns.runPacket('uplink', second.fromClient({ flags: SYN }));
    const at = family === 'ip' ? 34 : 54;
    const mappedPort = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    const mapped = new FlowFrames({ family, protocol, servicePort: SECOND_PORT, natPort: mappedPort });
    const [type, code] = family === 'ip' ? [3, 3] : [1, 4];
    const got = packetOf(mapped.toPod());
    const came = frame(ETHERNET_HEADERS.fromPod, { src: pod, dst: client }, icmpError({ type, code, quoted: got }));
    const quoted = withSegmentChecksum(packetOf(mapped.fromClient({ ip: { ttl: 63 } })), got);
    const goes = frame(
      ETHERNET_HEADERS.fromPod,
      { src: node, dst: client, ttl: 63 },
      icmpError({ type, code, quoted }),
    );
    await expect.translated('pod', came, { to: goes, as: 'ICMP_OUT' });
  }
});

t.test('an IPv6 error that quotes a fragment', async (t) => {
  const [expect, frames] = [
    new PacketExpectations(t, netns),
    new FlowFrames({ family: 'ip6', protocol: netns.anyProtocol }),
  ];
  const { node, pod } = ADDRESSES.ip6;
  await netns.runPacket('uplink', frames.fromClient({ flags: SYN }));
  const ip = { fragment: { offset: 0, more: true } };
  const more = { data: sequence(800) };
  const sent = packetOf(frames.toClient({ ...more, ip }));
  const podSent = Uint8Array.from(packetOf(frames.fromPod({ ...more, ip: { ...ip, ttl: 63 } })));
  // The quoted segment keeps its own sum.
  const sum = 48 + (frames.spec.protocol === 'tcp' ? 16 : 6);
  podSent.set(sent.subarray(sum, sum + 2), sum);
  const error = (quoted: Uint8Array) => icmpError({ type: 2, code: 0, restOfHeader: 1280, quoted });
  const came = frame({ from: MAC.router, to: MAC.uplink }, { src: 'fd00:1::fe', dst: node }, error(sent));
  const goes = frame(ETHERNET_HEADERS.toPod, { src: 'fd00:1::fe', dst: pod, ttl: 63 }, error(podSent));
  await expect.translated('uplink', came, { to: goes, as: 'ICMP_IN' });
  t.ok(came.length < MTU);
});
