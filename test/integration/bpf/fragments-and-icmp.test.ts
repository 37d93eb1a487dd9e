// Tests that fragments and ICMP errors of a flow are translated, from the network and from the pod.

import t from 'tap';
import { FAMILIES, type Family } from '../../../src/net/family.ts';
import { BpfNamespace } from '../../support/bpf/bpf-namespace.ts';
import { FlowFrames } from '../../support/bpf/flow-frames.ts';
import {
  ACK,
  frame,
  type IcmpError,
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
  MTU,
  POD_PORT,
  SECOND_PORT,
  SERVICE_PORT,
} from '../../support/bpf/test-network.ts';

const netns = await BpfNamespace.forTests(t);

/** The IP packet of a frame. */
const packetOf = (bytes: Uint8Array) => bytes.subarray(14);

const ROUTERS: Readonly<Record<Family, string>> = { ip: '192.0.2.254', ip6: 'fd00:1::fe' };

/** Frames with ICMP errors about the flow of the client, from a router and from the pod, before and after translation. */
function icmpFrames(family: Family) {
  const { node, pod, client } = ADDRESSES[family];
  const router = ROUTERS[family];
  const { fromClient, toPod, fromPod } = ETHERNET_HEADERS;
  return {
    fromNetwork: (error: IcmpError, ip: Partial<Ip> = {}) =>
      frame(fromClient, { src: router, dst: node, ...ip }, icmpError(error)),
    toPod: (error: IcmpError) => frame(toPod, { src: router, dst: pod, ttl: 63 }, icmpError(error)),
    fromPod: (error: IcmpError, ip: Partial<Ip> = {}) =>
      frame(fromPod, { src: pod, dst: client, ...ip }, icmpError(error)),
    toClient: (error: IcmpError) => frame(fromPod, { src: node, dst: client, ttl: 63 }, icmpError(error)),
  };
}

for (const family of FAMILIES) {
  const { node, pod, client } = ADDRESSES[family];
  const router = ROUTERS[family];
  const icmp = icmpFrames(family);

  t.test(`${family}: fragments follow the first one`, async (t) => {
    const [expect, protocol] = [new PacketExpectations(t, netns), netns.anyProtocol];
    const request = segment({ protocol, sport: 4000, dport: SERVICE_PORT, flags: SYN, data: sequence(2000) });
    const translated = segment({ protocol, sport: 4000, dport: POD_PORT, flags: SYN, data: sequence(2000) });
    const reply = segment({ protocol, sport: POD_PORT, dport: 4000, data: sequence(2000) });
    const translatedReply = segment({ protocol, sport: SERVICE_PORT, dport: 4000, data: sequence(2000) });
    const [inIp, podIp]: [Ip, Ip] = [
      { src: client, dst: node },
      { src: client, dst: pod, ttl: 63 },
    ];
    const [answerIp, outIp]: [Ip, Ip] = [
      { src: pod, dst: client },
      { src: node, dst: client, ttl: 63 },
    ];
    // The checksum covers the whole segment, so every fragment is a slice of the translated segment.
    const cut = (payload: typeof request, ip: Ip, from: number, to?: number) => ({
      number: payload.number,
      bytes: () => slicePayload(payload, from, to).bytes({ ...ip }),
    });
    const pieces = [
      { from: 0, to: 1000, more: true },
      { from: 1000, to: 1600, more: true },
      { from: 1600, to: undefined, more: false },
    ];
    const later = pieces[1];
    if (later === undefined) throw new Error('Cannot find the second fragment');
    const early = frame(
      ETHERNET_HEADERS.fromClient,
      { ...inIp, fragment: { offset: later.from, more: later.more } },
      cut(request, inIp, later.from, later.to),
    );
    await expect.passed('uplink', early, { as: 'FRAGMENT' });

    for (const { from, to, more } of pieces) {
      const fragment = { offset: from, more };
      const before = frame(ETHERNET_HEADERS.fromClient, { ...inIp, fragment }, cut(request, inIp, from, to));
      const after = frame(ETHERNET_HEADERS.toPod, { ...podIp, fragment }, cut(translated, podIp, from, to));
      await expect.translated('uplink', before, { to: after, as: from === 0 ? 'CREATED' : 'FRAGMENT_IN' });
    }
    for (const { from, to, more } of pieces) {
      const fragment = { offset: from, more };
      const before = frame(ETHERNET_HEADERS.fromPod, { ...answerIp, fragment }, cut(reply, answerIp, from, to));
      const after = frame(ETHERNET_HEADERS.fromPod, { ...outIp, fragment }, cut(translatedReply, outIp, from, to));
      await expect.translated('pod', before, { to: after, as: from === 0 ? 'ANSWERED' : 'FRAGMENT_OUT' });
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

    t.test(`${family} ${protocol}: ICMP errors from the network reach the pod`, async (t) => {
      const expect = new PacketExpectations(t, netns);
      // The packet that was sent to the client, quoted at the minimum length, at an odd one, and whole.
      const answer = { flags: ACK, data: sequence(101) };
      const sent = packetOf(frames.toClient(answer));
      const asPodSent = withSegmentChecksum(packetOf(frames.fromPod({ ...answer, ip: { ttl: 63 } })), sent);
      for (const length of [headers + 8, headers + 21, sent.length]) {
        for (const error of errors) {
          const before = icmp.fromNetwork({ ...error, quoted: sent.subarray(0, length) });
          const after = icmp.toPod({ ...error, quoted: asPodSent.subarray(0, length) });
          await expect.passed('uplink', before, { as: 'NO_FLOW' });
          await begin();
          await expect.translated('uplink', before, { to: after, as: 'ICMP_IN' });
          await netns.flush();
        }
      }
      await begin();
      const type = errors[0]?.type ?? 0;
      const toAnother = icmp.fromNetwork({ type, code: 0, quoted: sent }, { dst: router });
      await expect.passed('uplink', toAnother, { as: 'OTHER' });
      const echoType = family === 'ip' ? 8 : 128;
      const echo = icmp.fromNetwork({ type: echoType, code: 0, quoted: sent }, { src: client });
      await expect.passed('uplink', echo, { as: 'OTHER' });
      const short = icmp.fromNetwork({ type, code: 0, quoted: sent.subarray(0, headers + 7) });
      await expect.passed('uplink', short, { as: 'OTHER' });
    });

    t.test(`${family} ${protocol}: ICMP errors from the pod reach the client`, async (t) => {
      const expect = new PacketExpectations(t, netns);
      const request = { flags: ACK, data: sequence(33) };
      const received = packetOf(frames.toPod(request));
      const asClientSent = withSegmentChecksum(packetOf(frames.fromClient({ ...request, ip: { ttl: 63 } })), received);
      for (const error of errors) {
        const before = icmp.fromPod({ ...error, quoted: received });
        const after = icmp.toClient({ ...error, quoted: asClientSent });
        await expect.passed('pod', before, { as: 'NO_FLOW' });
        await begin();
        await expect.translated('pod', before, { to: after, as: 'ICMP_OUT' });
        await netns.flush();
      }
      await begin();
      const type = errors[0]?.type ?? 0;
      const fromAnother = icmp.fromPod({ type, code: 0, quoted: received }, { src: router });
      await expect.passed('pod', fromAnother, { as: 'NO_FLOW' });
    });
  }
}

t.test('ICMP errors of a flow with a remapped client port are translated', async (t) => {
  const [expect, protocol] = [new PacketExpectations(t, netns), netns.anyProtocol];
  for (const family of FAMILIES) {
    const icmp = icmpFrames(family);
    const first = new FlowFrames({ family, protocol });
    const second = new FlowFrames({ family, protocol, servicePort: SECOND_PORT });
    await netns.runPacket('uplink', first.fromClient({ flags: SYN }));
    const { bytes } = await netns.runPacket('uplink', second.fromClient({ flags: SYN }));
    const at = family === 'ip' ? 34 : 54;
    const mappedPort = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    const mapped = new FlowFrames({ family, protocol, servicePort: SECOND_PORT, natPort: mappedPort });
    const [type, code] = family === 'ip' ? [3, 3] : [1, 4];
    const received = packetOf(mapped.toPod());
    const before = icmp.fromPod({ type, code, quoted: received });
    const quoted = withSegmentChecksum(packetOf(mapped.fromClient({ ip: { ttl: 63 } })), received);
    const after = icmp.toClient({ type, code, quoted });
    await expect.translated('pod', before, { to: after, as: 'ICMP_OUT' });
  }
});

t.test('an IPv6 error that quotes a first fragment is translated', async (t) => {
  const [expect, frames] = [
    new PacketExpectations(t, netns),
    new FlowFrames({ family: 'ip6', protocol: netns.anyProtocol }),
  ];
  await netns.runPacket('uplink', frames.fromClient({ flags: SYN }));
  const ip = { fragment: { offset: 0, more: true } };
  const more = { data: sequence(800) };
  const sent = packetOf(frames.toClient({ ...more, ip }));
  const podSent = Uint8Array.from(packetOf(frames.fromPod({ ...more, ip: { ...ip, ttl: 63 } })));
  // The quoted segment keeps its checksum.
  const sum = 48 + (frames.spec.protocol === 'tcp' ? 16 : 6);
  podSent.set(sent.subarray(sum, sum + 2), sum);
  const [icmp, error] = [icmpFrames('ip6'), { type: 2, code: 0, restOfHeader: 1280 }];
  const before = icmp.fromNetwork({ ...error, quoted: sent });
  const after = icmp.toPod({ ...error, quoted: podSent });
  await expect.translated('uplink', before, { to: after, as: 'ICMP_IN' });
  t.ok(before.length < MTU);
});
