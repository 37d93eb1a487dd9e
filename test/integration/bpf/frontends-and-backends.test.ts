// Tests changes of frontends and backends, and the choice between backends.

import t from 'tap';
import { BACKEND_REPLY_ONLY, FLOW_KEY, readNumber } from '../../../src/fastpath/maps/layout.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { BpfNamespace, flowMap } from '../../support/bpf/bpf-namespace.ts';
import { FlowFrames } from '../../support/bpf/flow-frames.ts';
import { SYN } from '../../support/bpf/frames.ts';
import { PacketExpectations } from '../../support/bpf/packet-expectations.ts';
import { ADDRESSES, DEVICE } from '../../support/bpf/test-network.ts';

const netns = await BpfNamespace.forTests(t);

for (const family of FAMILIES) {
  const addresses = ADDRESSES[family];

  t.test(`${family}: freeing a slot ends its flows, and the next backend gets none of them`, async (t) => {
    const expect = new PacketExpectations(t, netns);
    for (const protocol of netns.protocols) {
      const frames = new FlowFrames({ family, protocol });
      const slot = (family === 'ip' ? 1 : 3) + (protocol === 'tcp' ? 0 : 1);
      await netns.runPacket('uplink', frames.fromClient({ flags: SYN }));
      await netns.runPacket('pod', frames.fromPod());
      await netns.putBackend(slot, { address: addresses.pod, protocol, gen: 0 });
      await expect.passed('uplink', frames.fromClient(), { as: protocol === 'tcp' ? 'STALE' : 'BACKEND' });
      await expect.passed('pod', frames.fromPod(), { as: protocol === 'tcp' ? 'STALE' : 'NO_FLOW' });
      const pod = addresses.pod2;
      const [ifindex, l3if] = [DEVICE.pod2, DEVICE.pod2];
      await netns.putBackend(slot, { address: pod, protocol, gen: 2, ifindex, l3if });
      const other = new FlowFrames({ family, protocol, pod });
      const more = { flags: SYN };
      await expect.translated('uplink', other.fromClient(more), { to: other.toPod(more), as: 'CREATED' });
      await expect.passed('pod', frames.fromPod(), { as: 'NO_FLOW' });
      await netns.putBackend(slot, { address: addresses.pod, protocol, gen: 3 });
    }
  });

  if (netns.hasConntrackLookup) {
    t.test(`${family}: a reply-only UDP backend still replies, and datagrams go to another backend`, async (t) => {
      const expect = new PacketExpectations(t, netns);
      const [frames, other] = [
        new FlowFrames({ family, protocol: 'udp' }),
        new FlowFrames({ family, protocol: 'udp', pod: addresses.pod2 }),
      ];
      const slot = family === 'ip' ? 2 : 4;
      const [ifindex, l3if] = [DEVICE.pod2, DEVICE.pod2];
      await netns.putBackend(slot, { address: addresses.pod, protocol: 'udp', gen: 4 });
      await netns.runPacket('uplink', frames.fromClient());
      await netns.putBackend(5, { address: addresses.pod2, protocol: 'udp', ifindex, l3if });
      await netns.putFrontend(addresses.node, 'udp', { slots: [5] });
      await expect.translated('uplink', frames.fromClient(), { to: frames.toPod(), as: 'FORWARDED' });
      await netns.putBackend(slot, { address: addresses.pod, protocol: 'udp', gen: 4, flags: BACKEND_REPLY_ONLY });
      await expect.translated('pod', frames.fromPod(), { to: frames.toClient(), as: 'ANSWERED' });
      await expect.translated('uplink', other.fromClient(), { to: other.toPod(), as: 'CREATED' });
      await expect.passed('pod', frames.fromPod(), { as: 'NO_FLOW' });
      await netns.putBackend(slot, { address: addresses.pod, protocol: 'udp', gen: 4 });
      await netns.putBackend(5, { address: addresses.pod2, protocol: 'udp', gen: 0 });
      await netns.putFrontend(addresses.node, 'udp', { slots: [slot] });
    });
  }

  t.test(`${family}: suspended or inconsistent frontends take no new flows`, async (t) => {
    const [expect, frames] = [new PacketExpectations(t, netns), new FlowFrames({ family, protocol: 'tcp' })];
    const [{ node }, syn] = [addresses, frames.fromClient({ flags: SYN })];
    const slots = [family === 'ip' ? 1 : 3];
    const live = new FlowFrames({ family, protocol: 'tcp', clientPort: 50_000 });
    await netns.establish(live);
    for (const [frontend, reason] of [
      [{ slots: [] }, 'SUSPENDED'],
      [{ slots, suspended: true }, 'SUSPENDED'],
      [{ slots, svc: 99 }, 'BACKEND'],
      [{ slots: [77] }, 'BACKEND'],
      [{ slots: [60_000] }, 'BACKEND'],
      [{ slots: [(slots[0] ?? 0) + 1], svc: 2 }, 'BACKEND'],
    ] as const) {
      await netns.putFrontend(node, 'tcp', frontend);
      await expect.passed('uplink', syn, { as: reason });
    }
    await netns.putFrontend(node, 'tcp', { slots });
    await netns.putConfig({ create: false });
    await expect.passed('uplink', syn, { as: 'CREATION_OFF' });
    await expect.translated('uplink', live.fromClient(), { to: live.toPod(), as: 'FORWARDED' });
    await expect.translated('pod', live.fromPod(), { to: live.toClient(), as: 'ANSWERED' });
    await netns.putConfig();
    await expect.translated('uplink', syn, { to: frames.toPod({ flags: SYN }), as: 'CREATED' });
    t.equal(readNumber(FLOW_KEY[family], (await netns.entries(flowMap(family)))[0]?.[0] ?? syn, 'zero'), 0);
  });

  t.test(`${family}: every backend of a frontend gets flows`, async (t) => {
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
    const chosen = (await netns.flows(family)).filter(({ direction }) => direction === 'original');
    t.equal(chosen.length, 64);
    t.strictSame(new Set(chosen.map(({ translated }) => translated.address)), new Set([pod, pod2]));
    await netns.putFrontend(node, 'tcp', { slots: [first] });
  });
}
