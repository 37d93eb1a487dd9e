// Tests which flows the programs take: conflicts with conntrack entries and with other flows, a full table, a changed route.

import t from 'tap';
import { toHex } from '../../../src/fastpath/maps/hex.ts';
import { FAMILIES, type Family } from '../../../src/net/family.ts';
import { BpfNamespace } from '../../support/bpf/bpf-namespace.ts';
import { FlowFrames } from '../../support/bpf/flow-frames.ts';
import { ACK, SYN } from '../../support/bpf/frames.ts';
import { PacketExpectations } from '../../support/bpf/packet-expectations.ts';
import { ADDRESSES, DEVICE, POD_PORT, SECOND_PORT, SERVICE_PORT } from '../../support/bpf/test-network.ts';

const netns = await BpfNamespace.forTests(t, { load: 'load 64' });

const sourcePortOf = (family: Family, bytes: Uint8Array) => {
  const at = family === 'ip' ? 34 : 54;
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
};

/** Creates a conntrack entry with the reply tuple of a translation by nft. */
async function insertConntrackEntry(
  protocol: string,
  tuple: { client: string; port: number; to: string; dport: number; via: string },
) {
  const { client, port, to, dport, via } = tuple;
  const state = protocol === 'tcp' ? ['--state', 'ESTABLISHED'] : [];
  const original = ['-s', client, '-d', to, '-p', protocol, '--sport', `${port}`, '--dport', `${dport}`];
  const reply = ['-r', via, '-q', client, '--reply-port-src', `${POD_PORT}`, '--reply-port-dst', `${port}`];
  const options = ['-t', '100', ...state];
  await netns.exec('conntrack', '-I', ...original, ...reply, ...options);
}

for (const family of FAMILIES) {
  const { node, pod, pod2, client } = ADDRESSES[family];

  for (const protocol of netns.protocols) {
    if (netns.hasConntrackLookup) {
      t.test(`${family} ${protocol}: a flow with a conntrack entry is left to nft`, async (t) => {
        const expect = new PacketExpectations(t, netns);
        const frames = new FlowFrames({ family, protocol, clientPort: 41_000 });
        await insertConntrackEntry(protocol, { client, port: 41_000, to: node, dport: SERVICE_PORT, via: pod });
        await expect.passed('uplink', frames.fromClient({ flags: SYN }), { as: 'CONNTRACK' });
        await netns.exec('conntrack', '-F');
        await expect.translated('uplink', frames.fromClient({ flags: SYN }), {
          to: frames.toPod({ flags: SYN }),
          as: 'CREATED',
        });
      });

      t.test(`${family} ${protocol}: a client port that conntrack uses towards the pod is remapped`, async (t) => {
        const frames = new FlowFrames({ family, protocol, clientPort: 42_000 });
        await insertConntrackEntry(protocol, { client, port: 42_000, to: pod2, dport: SECOND_PORT, via: pod });
        const { verdict, bytes } = await netns.runPacket('uplink', frames.fromClient({ flags: SYN }));
        await netns.exec('conntrack', '-F');
        t.equal(verdict, 7);
        const mappedPort = sourcePortOf(family, bytes);
        t.not(mappedPort, 42_000);
        t.ok(mappedPort >= 1024);
        const mapped = new FlowFrames({ family, protocol, clientPort: 42_000, natPort: mappedPort });
        t.strictSame(bytes, mapped.toPod({ flags: SYN }));
        t.strictSame(await netns.reasonCounts(), { REMAPPED: 1 });
      });

      t.test(
        `${family} ${protocol}: replies of a later conntrack entry with the same client port are left to it`,
        async (t) => {
          const expect = new PacketExpectations(t, netns);
          const frames = new FlowFrames({ family, protocol, clientPort: 43_000 });
          const sends = (flags: number, as: string) =>
            expect.translated('uplink', frames.fromClient({ flags }), { to: frames.toPod({ flags }), as });
          const replies = (flags: number) =>
            expect.translated('pod', frames.fromPod({ flags }), { to: frames.toClient({ flags }), as: 'ANSWERED' });
          await sends(SYN, 'CREATED');
          await replies(SYN | ACK);
          await replies(SYN | ACK);
          await insertConntrackEntry(protocol, { client, port: 43_000, to: pod2, dport: SECOND_PORT, via: pod });
          await expect.passed('pod', frames.fromPod({ flags: SYN | ACK }), { as: 'CONNTRACK' });
          if (protocol === 'tcp') {
            t.strictSame(await netns.flows(family), [], 'the flow was deleted');
          } else {
            await sends(ACK, 'FORWARDED');
            await replies(ACK);
            await expect.passed('pod', frames.fromPod({ flags: ACK }), { as: 'CONNTRACK' });
            await netns.exec('conntrack', '-F');
            await replies(ACK);
          }
          await netns.exec('conntrack', '-F');
        },
      );
    }

    t.test(`${family} ${protocol}: one client port can use two frontends of the same pod`, async (t) => {
      const expect = new PacketExpectations(t, netns);
      const first = new FlowFrames({ family, protocol });
      const second = new FlowFrames({ family, protocol, servicePort: SECOND_PORT });
      await expect.translated('uplink', first.fromClient({ flags: SYN }), {
        to: first.toPod({ flags: SYN }),
        as: 'CREATED',
      });
      const { bytes } = await netns.runPacket('uplink', second.fromClient({ flags: SYN }));
      const mapped = new FlowFrames({ ...second.spec, natPort: sourcePortOf(family, bytes) });
      t.not(mapped.spec.natPort, second.spec.clientPort);
      t.strictSame(bytes, mapped.toPod({ flags: SYN }));
      await expect.translated('pod', mapped.fromPod({ flags: SYN | ACK }), {
        to: mapped.toClient({ flags: SYN | ACK }),
        as: 'ANSWERED',
      });
      await expect.translated('pod', first.fromPod({ flags: SYN | ACK }), {
        to: first.toClient({ flags: SYN | ACK }),
        as: 'ANSWERED',
      });
      await expect.translated('uplink', mapped.fromClient(), { to: mapped.toPod(), as: 'FORWARDED' });
      await expect.translated('uplink', first.fromClient(), { to: first.toPod(), as: 'FORWARDED' });
    });
  }

  t.test(`${family}: a client port towards the pod is reused when its flow has expired`, async (t) => {
    const expect = new PacketExpectations(t, netns);
    const [protocol, more] = [netns.anyProtocol, { flags: SYN }];
    const first = new FlowFrames({ family, protocol });
    const second = new FlowFrames({ family, protocol, servicePort: SECOND_PORT });
    await netns.runPacket('uplink', first.fromClient(more));
    await netns.putConfig({ seconds: { tcpSyn: -1000, udpNew: -1000 } });
    await expect.translated('uplink', second.fromClient(more), { to: second.toPod(more), as: 'CREATED' });
    await netns.putConfig();
    const forward = (await netns.flows(family)).filter(({ direction }) => direction === 'original');
    t.strictSame(
      forward.map(({ other }) => other.port),
      [SECOND_PORT],
    );
  });

  t.test(`${family}: a full table leaves new flows to nft and keeps existing ones`, async (t) => {
    const expect = new PacketExpectations(t, netns);
    const flows = Array.from(
      { length: 32 },
      (_, i) => new FlowFrames({ family, protocol: 'tcp', clientPort: 20_000 + i }),
    );
    // Long timeouts, so that no flow expires on a slow machine.
    await netns.putConfig({ seconds: { tcpSyn: 3600, tcpAnswered: 3600 } });
    for (const frames of flows) await netns.runPacket('uplink', frames.fromClient({ flags: SYN }));
    for (let i = 0; i < 20; i++) {
      const frames = new FlowFrames({ family, protocol: 'tcp', clientPort: 30_000 + i });
      await expect.passed('uplink', frames.fromClient({ flags: SYN }), { as: 'FULL' });
    }
    for (const frames of flows) {
      await expect.translated('uplink', frames.fromClient(), { to: frames.toPod(), as: 'FORWARDED' });
      await expect.translated('pod', frames.fromPod(), { to: frames.toClient(), as: 'ANSWERED' });
    }
  });

  t.test(`${family}: a flow follows a changed route`, async (t) => {
    const expect = new PacketExpectations(t, netns);
    const [frames, more] = [new FlowFrames({ family, protocol: netns.anyProtocol }), { flags: SYN }];
    await netns.runPacket('uplink', frames.fromClient(more));
    const prefix = family === 'ip' ? '198.51.100.0/24' : 'fd00:2::/64';
    const via = family === 'ip' ? '192.0.3.254' : 'fd00:5::fe';
    const originalGateway = family === 'ip' ? '192.0.2.254' : 'fd00:1::fe';
    const reverse = async () => (await netns.flows(family)).find(({ direction }) => direction === 'reply');
    t.strictSame([(await reverse())?.oif, (await reverse())?.nextHop], [DEVICE.uplink, originalGateway]);
    await netns.exec('ip', 'route', 'replace', prefix, 'via', via, 'dev', 'up1');
    let counts: Record<string, number> = {};
    const replies = new Set<string>();
    const deadline = Date.now() + 20_000;
    while (counts['REROUTED'] === undefined && Date.now() < deadline) {
      replies.add(toHex((await netns.runPacket('pod', frames.fromPod())).bytes));
      counts = await netns.reasonCounts();
    }
    t.equal(counts['REROUTED'], 1);
    t.strictSame([...replies], [toHex(frames.toClient())], 'replies are translated throughout');
    t.strictSame([(await reverse())?.oif, (await reverse())?.nextHop], [DEVICE.other, via]);
    await netns.exec('ip', 'route', 'replace', prefix, 'via', originalGateway, 'dev', 'up0');
    await netns.flush();
    await expect.translated('uplink', frames.fromClient(more), { to: frames.toPod(more), as: 'CREATED' });
  });
}
