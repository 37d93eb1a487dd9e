// Tests flows from their first packet to their last.

import t from 'tap';
import { FLOW } from '../../../src/fastpath/maps/layout.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { BpfNamespace, flowMap } from '../../support/bpf/bpf-namespace.ts';
import { FlowFrames } from '../../support/bpf/flow-frames.ts';
import { ACK, FIN, RST, SYN, sequence } from '../../support/bpf/frames.ts';
import { put } from '../../support/bpf/map-requests.ts';
import { PacketExpectations } from '../../support/bpf/packet-expectations.ts';
import { ADDRESSES } from '../../support/bpf/test-network.ts';

const netns = await BpfNamespace.forTests(t);

for (const family of FAMILIES) {
  const addresses = ADDRESSES[family];

  t.test(`${family}: a TCP connection is translated until it is closed, and its ports can be reused`, async (t) => {
    const [expect, frames] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'tcp' })];
    const sends = (flags: number, more: { data?: Uint8Array }, as: string) =>
      expect.translated('uplink', frames.fromClient({ flags, ...more }), { to: frames.toPod({ flags, ...more }), as });
    const replies = (flags: number, more: { data?: Uint8Array } = {}) =>
      expect.translated('pod', frames.fromPod({ flags, ...more }), {
        to: frames.toClient({ flags, ...more }),
        as: 'ANSWERED',
      });

    await sends(SYN, {}, 'CREATED');
    t.strictSame(
      (await netns.flows(family)).map(({ state }) => state),
      ['new', 'new'],
    );
    await sends(SYN, {}, 'FORWARDED');
    await replies(SYN | ACK);
    t.strictSame(
      (await netns.flows(family)).map(({ state }) => state),
      ['answered', 'answered'],
    );
    await sends(ACK, {}, 'FORWARDED');
    t.strictSame(
      (await netns.flows(family)).map(({ state }) => state),
      ['established', 'established'],
    );
    for (const length of [1, 2, 999]) {
      await sends(ACK, { data: sequence(length) }, 'FORWARDED');
      await replies(ACK, { data: sequence(length) });
    }
    await sends(FIN | ACK, {}, 'FORWARDED');
    t.strictSame(
      (await netns.flows(family)).map(({ state }) => state),
      ['closing', 'closing'],
    );
    await replies(FIN | ACK);
    t.strictSame(
      (await netns.flows(family)).map(({ state }) => state),
      ['closed', 'closed'],
    );
    await sends(ACK, {}, 'FORWARDED');

    await expect.translated('uplink', frames.fromClient({ flags: SYN }), {
      to: frames.toPod({ flags: SYN }),
      as: ['CREATED', 'RECYCLED'],
    });
    t.strictSame(
      (await netns.flows(family)).map(({ state }) => state),
      ['new', 'new'],
      'a new connection',
    );
    await sends(RST, {}, 'FORWARDED');
    t.strictSame(
      (await netns.flows(family)).map(({ state }) => state),
      ['closed', 'closed'],
    );
    const { lines } = await netns.loader.requestOk('dump slot_counts');
    t.equal(lines.length, 1, 'one slot was used');
  });

  if (netns.hasConntrackLookup) {
    t.test(`${family}: UDP is translated, with and without a checksum`, async (t) => {
      const [expect, frames] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'udp' })];
      for (const length of [0, 1, 512]) {
        const more = { data: sequence(length) };
        const as = length === 0 ? 'CREATED' : 'FORWARDED';
        await expect.translated('uplink', frames.fromClient(more), { to: frames.toPod(more), as });
        await expect.translated('pod', frames.fromPod(more), { to: frames.toClient(more), as: 'ANSWERED' });
      }
      if (family === 'ip6') return;
      const noChecksum = { noChecksum: true, data: sequence(9) };
      await expect.translated('uplink', frames.fromClient(noChecksum), {
        to: frames.toPod(noChecksum),
        as: 'FORWARDED',
      });
      await expect.translated('pod', frames.fromPod(noChecksum), { to: frames.toClient(noChecksum), as: 'ANSWERED' });
    });
  }

  t.test(`${family}: packets that do not begin a flow go to the stack`, async (t) => {
    const [expect, frames] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'tcp' })];
    for (const flags of [ACK, SYN | ACK, RST, FIN, SYN | RST, SYN | FIN]) {
      await expect.passed('uplink', frames.fromClient({ flags }), { as: 'NO_FLOW' });
    }
    await expect.passed('pod', frames.fromPod({ flags: SYN | ACK }), { as: 'NO_FLOW' });
    await expect.passed('uplink', frames.fromClient({ flags: SYN, dport: 22 }), { as: 'PORT' });
    await expect.passed('pod', frames.fromPod({ sport: 22 }), { as: 'PORT' });
    const { pod } = addresses;
    await expect.passed('uplink', frames.fromClient({ flags: SYN, ip: { dst: pod } }), { as: 'NO_FRONTEND' });
    t.strictSame(await netns.flows(family), [], 'no flow was created');
  });

  t.test(`${family}: an idle TCP connection expires`, async (t) => {
    const [expect, tcp] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'tcp' })];
    await netns.establish(tcp);
    await netns.ageFlows(family, 3600);
    await expect.translated('uplink', tcp.fromClient(), { to: tcp.toPod(), as: 'FORWARDED' });
    await netns.ageFlows(family, 432_001);
    await expect.passed('uplink', tcp.fromClient(), { as: 'EXPIRED' });
  });

  if (netns.hasConntrackLookup) {
    t.test(`${family}: an idle UDP flow expires`, async (t) => {
      const [expect, frames] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'udp' })];
      await netns.runPacket('uplink', frames.fromClient());
      await netns.ageFlows(family, 31);
      await expect.passed('pod', frames.fromPod(), { as: 'EXPIRED' });
      await expect.translated('uplink', frames.fromClient(), { to: frames.toPod(), as: 'CREATED' });
      await expect.translated('pod', frames.fromPod(), { to: frames.toClient(), as: 'ANSWERED' });
      await netns.ageFlows(family, 121, 'original');
      await expect.translated('uplink', frames.fromClient(), { to: frames.toPod(), as: 'FORWARDED' });
      await netns.ageFlows(family, 121, 'reply');
      await expect.translated('pod', frames.fromPod(), { to: frames.toClient(), as: 'ANSWERED' });
      t.equal((await netns.flows(family)).length, 2);
    });
  }

  t.test(`${family}: a reset closes a flow, unless packets follow seconds later`, async (t) => {
    const [expect, frames] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'tcp' })];
    await netns.establish(frames);
    await netns.runPacket('uplink', frames.fromClient({ flags: RST }));
    await expect.translated('pod', frames.fromPod(), { to: frames.toClient(), as: 'ANSWERED' });
    t.strictSame(
      (await netns.flows(family)).map(({ state }) => state),
      ['closed', 'closed'],
      'packets in flight are still translated',
    );
    const states = FLOW[family].fields.find(({ name }) => name === 'state')?.offset ?? 0;
    for (const [key, value] of await netns.entries(flowMap(family))) {
      const older = Uint8Array.from(value);
      older[states + 3] = ((value[states + 3] ?? 0) - 8) & 255 || 1;
      await netns.loader.requestOk(put(flowMap(family), key, older));
    }
    await expect.translated('pod', frames.fromPod(), { to: frames.toClient(), as: 'ANSWERED' });
    t.strictSame(
      (await netns.flows(family)).map(({ state }) => state),
      ['established', 'established'],
    );
  });
}
