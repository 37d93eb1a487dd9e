// Tests the programs for kernels without the conntrack lookup: they take TCP and leave UDP to nft.

import t from 'tap';
import { FAMILIES } from '../../../src/net/family.ts';
import { BpfNamespace } from '../../support/bpf/bpf-namespace.ts';
import { FlowFrames } from '../../support/bpf/flow-frames.ts';
import { ACK, SYN } from '../../support/bpf/frames.ts';
import { PacketExpectations } from '../../support/bpf/packet-expectations.ts';

const netns = await BpfNamespace.create({ load: 'load 64 no-conntrack' });
t.teardown(() => netns.close());
await netns.populate();

for (const family of FAMILIES) {
  t.test(`${family}: TCP is translated, UDP goes to the stack`, async (t) => {
    const expect = new PacketExpectations(t, netns);
    const [tcp, udp] = [new FlowFrames({ family, protocol: 'tcp' }), new FlowFrames({ family, protocol: 'udp' })];
    await expect.passed('uplink', udp.fromClient(), { as: 'NO_CONNTRACK' });
    await expect.translated('uplink', tcp.fromClient({ flags: SYN }), { to: tcp.toPod({ flags: SYN }), as: 'CREATED' });
    await expect.translated('pod', tcp.fromPod({ flags: SYN | ACK }), {
      to: tcp.toClient({ flags: SYN | ACK }),
      as: 'ANSWERED',
    });
    await expect.translated('uplink', tcp.fromClient(), { to: tcp.toPod(), as: 'FORWARDED' });
  });
}

t.test('flows survive a change to the programs with the conntrack lookup', async (t) => {
  const [expect, tcp] = [new PacketExpectations(t, netns), new FlowFrames({ family: 'ip', protocol: 'tcp' })];
  t.match((await netns.loader.requestOk('load')).status, /^ok udp=(?:yes|no) maps=reused entries=64$/);
  await expect.translated('uplink', tcp.fromClient(), { to: tcp.toPod(), as: 'FORWARDED' });
});
