// Tests nftlane-bpf: listing flows, and deleting expired ones.

import t from 'tap';
import { decodeFlow } from '../../../src/fastpath/maps/entries.ts';
import { fromHex, toHex } from '../../../src/fastpath/maps/hex.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { BpfNamespace } from '../../support/bpf/bpf-namespace.ts';
import { FlowFrames } from '../../support/bpf/flow-frames.ts';
import { SYN } from '../../support/bpf/frames.ts';
import { parseFields } from '../../support/bpf/line-process.ts';
import { put } from '../../support/bpf/map-requests.ts';
import { ADDRESSES, DEVICE, SERVICE_PORT } from '../../support/bpf/test-network.ts';

const netns = await BpfNamespace.forTests(t);

const { loader } = netns;

t.test('"gc" deletes expired flows only', async (t) => {
  // Long timeouts, so that no other flow expires on a slow machine.
  const seconds = { tcpSyn: 3600, udpNew: 3600 };
  await netns.putConfig({ seconds });
  for (const family of FAMILIES) {
    for (const protocol of netns.protocols) {
      for (let clientPort = 2000; clientPort < 2100; clientPort++) {
        await netns.runPacket('uplink', new FlowFrames({ family, protocol, clientPort }).fromClient({ flags: SYN }));
      }
    }
  }
  const udp = netns.hasConntrackLookup ? 200 : 0;
  const [all, each] = [String(2 * (200 + udp)), String(200 + udp)];
  t.match(parseFields((await loader.requestOk('gc')).status), {
    scanned: all,
    deleted: '0',
    remaining4: each,
    remaining6: each,
  });
  await netns.putConfig({ seconds: { ...seconds, udpNew: -1000 } });
  t.match(parseFields((await loader.requestOk('gc')).status), {
    deleted: String(2 * udp),
    remaining4: '200',
    remaining6: '200',
  });
  await netns.putConfig({ seconds });
  await netns.putBackend(1, { address: ADDRESSES.ip.pod, protocol: 'tcp', gen: 0 });
  t.match(parseFields((await loader.requestOk('gc')).status), { deleted: '200', remaining4: '0', remaining6: '200' });
  await netns.putBackend(1, { address: ADDRESSES.ip.pod, protocol: 'tcp', gen: 2 });
  const remaining = (await loader.requestOk('dump flows_v6')).lines.map((line) =>
    line.split(' ').slice(1).map(fromHex),
  );
  t.ok(remaining.every(([key, value]) => key && value && decodeFlow('ip6', key, value).protocol === 'tcp'));
  // One direction without the other, as after a crash between the two.
  const [reverse] = (await netns.entries('flows_v6')).filter(([k, v]) => decodeFlow('ip6', k, v).direction === 'reply');
  for (const [key] of await netns.entries('flows_v6')) await loader.requestOk(`del flows_v6 ${toHex(key)}`);
  if (reverse === undefined) throw new Error('Cannot find a reverse entry');
  await netns.loader.requestOk(put('flows_v6', ...reverse));
  t.match(
    parseFields((await loader.requestOk('gc')).status),
    { deleted: '0', remaining6: '1' },
    'not before it expires',
  );
  await netns.putConfig({ seconds: { tcpSyn: -1000 } });
  t.match(parseFields((await loader.requestOk('gc')).status), { deleted: '1', remaining6: '0' });
  await netns.putConfig();
});

t.test('"gc" keeps a flow with packets in one direction', async (t) => {
  for (const family of FAMILIES) {
    for (const [direction, other] of [
      ['original', 'reply'],
      ['reply', 'original'],
    ] as const) {
      await netns.flush();
      await netns.runPacket(
        'uplink',
        new FlowFrames({ family, protocol: netns.anyProtocol }).fromClient({ flags: SYN }),
      );
      await netns.ageFlows(family, 31, direction);
      t.match(
        parseFields((await loader.requestOk('gc')).status),
        { scanned: '2', deleted: '0' },
        `${family}: ${direction} is idle`,
      );
      await netns.ageFlows(family, 31, other);
      t.match(parseFields((await loader.requestOk('gc')).status), { deleted: '2' }, `${family}: both are idle`);
    }
  }
});

t.test('"flows" lists the flows through devices, without expired ones', async (t) => {
  // Long timeouts, so that no other flow expires on a slow machine.
  await netns.putConfig({ seconds: { tcpSyn: 3600 } });
  const flows = async (...devices: readonly number[]) => {
    const { lines, status } = await loader.requestOk(`flows ${devices.join(' ')}`);
    t.equal(status, `ok count=${lines.length}`);
    return lines.map((line) => {
      const [kind, map, key = '', value = ''] = line.split(' ');
      t.equal(kind, 'flow');
      return decodeFlow(map === 'flows_v4' ? 'ip' : 'ip6', fromHex(key), fromHex(value));
    });
  };
  t.strictSame(await flows(DEVICE.pod, DEVICE.pod2), []);
  for (const family of FAMILIES) {
    for (const clientPort of [2000, 2001]) {
      await netns.runPacket(
        'uplink',
        new FlowFrames({ family, protocol: 'tcp', clientPort }).fromClient({ flags: SYN }),
      );
    }
  }
  const listed = (await flows(DEVICE.pod2, DEVICE.pod)).map(({ direction, protocol, client, other }) =>
    [direction, protocol, client.address, client.port, other.address, other.port].join(' '),
  );
  const expected = FAMILIES.flatMap((family) =>
    [2000, 2001].map((port) =>
      ['original', 'tcp', ADDRESSES[family].client, port, ADDRESSES[family].node, SERVICE_PORT].join(' '),
    ),
  );
  t.strictSame(listed.sort(), expected.sort(), 'by the address that the client used, once each');
  t.strictSame(await flows(DEVICE.pod2), [], 'no flow uses another device');
  await netns.ageFlows('ip', 3601);
  t.equal((await flows(DEVICE.pod)).length, 2, 'a connection that was never answered has expired');
  const own = { address: ADDRESSES.ip6.pod, protocol: 'tcp' } as const;
  await netns.putBackend(3, { ...own, gen: 0 });
  t.strictSame(await flows(DEVICE.pod), [], 'a freed slot has no flows');
  await netns.putBackend(3, { ...own, gen: 2 });
  t.strictSame(await flows(DEVICE.pod), [], 'nor has its next backend');
  await netns.putBackend(3, own);
  t.equal((await flows(DEVICE.pod)).length, 2);
  await netns.putConfig();
});
