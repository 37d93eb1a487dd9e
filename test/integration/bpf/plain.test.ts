// The programs for kernels that cannot be asked for conntrack entries: TCP as ever, UDP to nft.
import t from 'tap';
import { Expect } from '../../support/bpf/expect.ts';
import { ACK, SYN } from '../../support/bpf/frames.ts';
import { FAMILIES, Legs } from '../../support/bpf/legs.ts';
import { Place } from '../../support/bpf/place.ts';

const place = await Place.make({ load: 'load 64 plain' });
t.teardown(() => place.end());
await place.furnish();

for (const family of FAMILIES) {
  t.test(family, async (t) => {
    const expect = new Expect(t, place);
    const [tcp, udp] = [new Legs({ family, protocol: 'tcp' }), new Legs({ family, protocol: 'udp' })];
    await expect.handedOn('uplink', udp.fromClient(), 'NO_CONNTRACK');
    await expect.translated('uplink', tcp.fromClient({ flags: SYN }), { to: tcp.toPod({ flags: SYN }), as: 'CREATED' });
    await expect.translated('pod', tcp.fromPod({ flags: SYN | ACK }), {
      to: tcp.toClient({ flags: SYN | ACK }),
      as: 'ANSWERED',
    });
    await expect.translated('uplink', tcp.fromClient(), { to: tcp.toPod(), as: 'TAKEN' });
  });
}

t.test('flows outlive a change to the other programs', async (t) => {
  const [expect, tcp] = [new Expect(t, place), new Legs({ family: 'ip', protocol: 'tcp' })];
  t.match((await place.loader.must('load')).end, /^ok udp=(?:yes|no) maps=reused entries=64$/);
  await expect.translated('uplink', tcp.fromClient(), { to: tcp.toPod(), as: 'TAKEN' });
});
