// nftlane-bpf as the daemon uses it: loading, attaching, filling, collecting, removing.
import t from 'tap';
import { decodeFlow, encodeFrontend, encodeFrontendKey, encodeU32 } from '../../../src/fastpath/maps/entries.ts';
import { fromHex, toHex } from '../../../src/fastpath/maps/hex.ts';
import { ADDRESSES, BpfNamespace, DEVICE, SERVICE_PORT } from '../../support/bpf/bpf-sandbox.ts';
import { FAMILIES, FlowFrames } from '../../support/bpf/flow-frames.ts';
import { SYN } from '../../support/bpf/frames.ts';

const netns = await BpfNamespace.create();
t.teardown(() => netns.close());
await netns.populate();
t.beforeEach(() => netns.flush());

const { loader } = netns;
/** Linux has tcx since 6.6. */
const attachModes = await netns.attachModes();

/** Words "KEY=VALUE" of an answer. */
function parseFields(end: string): Record<string, string> {
  const pairs = end.split(' ').map((word) => word.split('='));
  return Object.fromEntries(pairs.filter(({ length }) => length === 2));
}

t.test('it says what it is, and what the kernel can do', async (t) => {
  t.match(parseFields((await loader.requestOk('hello')).status), { protocol: '2', schema: '1' });
  const { lines, status } = await loader.requestOk('probe');
  t.match(parseFields(status), { usable: 'yes', udp: /^(?:yes|no)$/, attach: /^(?:tcx|clsact)$/ });
  t.ok(lines.every((line) => /^feature [a-z-]+ (?:yes|no .+)$/.test(line)));
  t.equal(lines.length, 8);
});

t.test('it says why a directory is none for pins', async (t) => {
  const elsewhere = netns.startLoader({ pins: '/tmp/nftlane/v1' });
  t.teardown(() => elsewhere.kill());
  const { lines, status } = await elsewhere.requestOk('probe');
  t.match(parseFields(status), { usable: 'no', udp: 'no' });
  t.match(lines.join('\n'), /^feature bpf-file-system no the directory of pins is not on a BPF file system/m);
});

t.test('requests that make no sense', async (t) => {
  for (const [request, error] of [
    ['dance', 'EINVAL'],
    ['hello there', 'EINVAL'],
    ['attach uplink', 'EINVAL'],
    ['attach downlink 1', 'EINVAL'],
    ['attach uplink -1', 'EINVAL'],
    ['attach uplink 1 xdp', 'EINVAL'],
    ['attach uplink 99999', 'ENODEV'],
    ['attach uplink 99999 clsact', 'ENODEV'],
    ['put frontends 00 00', 'EINVAL'],
    ['put frontends zz 00', 'EINVAL'],
    ['put nowhere 00 00', 'ENOENT'],
    ['put ../x 00 00', 'ENOENT'],
    ['get uplinks 63000000', 'ENOENT'],
    ['load 1', 'EINVAL'],
    ['flows', 'EINVAL'],
    ['flows pod0', 'EINVAL'],
    ['flows 0', 'EINVAL'],
    ['flows 1 2 3 4 5 6 7', 'EINVAL'],
  ] as const) {
    t.match((await loader.request(request)).status, new RegExp(`^error ${error} .`), request);
  }
});

for (const by of attachModes) {
  t.test(`attaching by ${by}`, async (t) => {
    const [uplink, pod] = [`uplink ${DEVICE.uplink}`, `pod ${DEVICE.pod}`];
    t.strictSame((await loader.requestOk('list')).lines, []);
    for (const place of [uplink, pod, uplink])
      t.equal((await loader.requestOk(`attach ${place} ${by}`)).status, `ok by=${by}`);
    const list = async () =>
      (await loader.requestOk('list')).lines.map((line) => line.replace(/program=\d+/, 'program=N'));
    const attached = [uplink, pod].map((place) => `attachment ${place} ${by} program=N attached`);
    t.strictSame((await list()).sort(), [...attached].sort());

    const another = netns.startLoader();
    t.equal(parseFields((await another.requestOk('load')).status)['maps'], 'reused');
    t.equal((await another.requestOk('replace')).status, 'ok replaced=2');
    another.kill();
    t.strictSame((await list()).sort(), [...attached].sort(), 'still there, from another process');

    const look = (await loader.requestOk(`inspect ${DEVICE.uplink}`)).lines;
    t.equal(look.filter((line) => line.endsWith('own=yes')).length, 1);
    t.equal(look.filter((line) => line.endsWith('own=no')).length, 0);
    for (const place of [uplink, pod, pod]) t.equal((await loader.requestOk(`detach ${place}`)).status, 'ok');
    t.strictSame(await list(), []);
    t.strictSame(
      (await loader.requestOk(`inspect ${DEVICE.uplink}`)).lines.filter((line) => !/noqueue/.test(line)),
      [],
    );
  });
}

t.test('it says of each counter what became of the packets, and in words why', async (t) => {
  const { lines } = await loader.requestOk('stats');
  const fates = new Map(lines.map((line) => line.split(' ')).map(([, reason, , fate]) => [reason, fate]));
  for (const line of lines) t.match(line, /^stat [A-Z0-9_]+ \d+ (?:passed|forwarded|event) \w.*\w$/);
  for (const [reason, fate] of [
    ['OTHER', 'passed'],
    ['TRUNCATED', 'passed'],
    ['FORWARDED', 'forwarded'],
    ['FRAGMENT_OUT', 'forwarded'],
    ['RECYCLED', 'event'],
    ['REROUTED', 'event'],
  ] as const)
    t.equal(fates.get(reason), fate, reason);
});

t.test('a value may leave out zeros at its end, a key may not', async (t) => {
  const key = toHex(encodeU32(77));
  await loader.requestOk(`put uplinks ${key} 05`);
  t.strictSame((await loader.requestOk(`get uplinks ${key}`)).lines, [`entry ${key} 05000000`]);
  await loader.requestOk(`batch\nput uplinks ${key} 0607\nend`);
  t.strictSame((await loader.requestOk(`get uplinks ${key}`)).lines, [`entry ${key} 06070000`]);
  for (const value of ['0600000000', '060', '06zz', 'x'])
    for (const request of [`put uplinks ${key} ${value}`, `batch\nput uplinks ${key} ${value}\nend`])
      t.match((await loader.request(request)).status, /^error EINVAL /, request);
  for (const request of [`put uplinks 4d 05`, `batch\nput uplinks 4d 05\nend`])
    t.match((await loader.request(request)).status, /^error EINVAL /, request);
  t.strictSame((await loader.requestOk(`get uplinks ${key}`)).lines, [`entry ${key} 06070000`]);
  await loader.requestOk(`del uplinks ${key}`);
});

t.test('it attaches by the better way that the kernel has, even where it is asked for tcx', async (t) => {
  for (const request of [`pod ${DEVICE.pod2}`, `pod ${DEVICE.pod2} tcx`]) {
    t.equal((await loader.requestOk(`attach ${request}`)).status, `ok by=${attachModes[0]}`);
    await loader.requestOk(`detach pod ${DEVICE.pod2}`);
  }
  t.strictSame((await loader.requestOk('list')).lines, []);
});

t.test('the way of attaching can change, and a device can go', async (t) => {
  await netns.exec('ip', 'link', 'add', 'gone0', 'index', '50', 'type', 'veth', 'peer', 'name', 'gone1');
  for (const by of [...attachModes, ...attachModes].reverse()) {
    await loader.requestOk(`attach pod 50 ${by}`);
    t.match((await loader.requestOk('list')).lines, [new RegExp(`^attachment pod 50 ${by} program=\\d+ attached$`)]);
  }
  await netns.exec('ip', 'link', 'delete', 'gone0');
  // A filter goes with its device; a link stays until it is detached.
  t.match(
    (await loader.requestOk('list')).lines,
    attachModes.includes('tcx') ? [/^attachment pod 50 tcx program=\d+ gone$/] : [],
  );
  t.equal((await loader.requestOk('replace')).status, 'ok replaced=0');
  await loader.requestOk('detach pod 50');
  t.strictSame((await loader.requestOk('list')).lines, []);
});

t.test('what is not ours is seen, and left alone', async (t) => {
  await netns.exec('tc', 'qdisc', 'add', 'dev', 'up1', 'clsact');
  await netns.exec('tc', 'filter', 'add', 'dev', 'up1', 'egress', 'u32', 'match', 'u32', '0', '0', 'classid', '1:1');
  await netns.exec(
    'tc',
    'qdisc',
    'replace',
    'dev',
    'up1',
    'root',
    'tbf',
    'rate',
    '1mbit',
    'burst',
    '10k',
    'latency',
    '9ms',
  );
  await loader.requestOk(`attach uplink ${DEVICE.other} clsact`);
  const look = async () => (await loader.requestOk(`inspect ${DEVICE.other}`)).lines;
  t.match((await look()).join('\n'), /^qdisc tbf /m);
  t.match((await look()).join('\n'), /^filter egress u32 priority=\d+ program=0 name=- own=no$/m);
  t.match((await look()).join('\n'), /^filter ingress bpf priority=1 program=\d+ name=fp_uplink\S* own=yes$/m);
  await loader.requestOk(`detach uplink ${DEVICE.other}`);
  t.match((await look()).join('\n'), /^filter egress u32 .*own=no$/m);
  t.notMatch((await look()).join('\n'), /own=yes/);
  await netns.exec('tc', 'qdisc', 'delete', 'dev', 'up1', 'clsact');
  await netns.exec('tc', 'qdisc', 'delete', 'dev', 'up1', 'root');
});

t.test('a batch makes all changes, in their order', async (t) => {
  const key = (i: number) =>
    toHex(encodeFrontendKey({ address: `10.77.${i >> 8}.${i & 255}`, port: 80, protocol: 'tcp' }));
  const value = (svc: number) => toHex(encodeFrontend({ svc, suspended: false, slots: [1] }));
  const puts = Array.from({ length: 10_000 }, (_, i) => `put frontends ${key(i)} ${value(i)}`);
  t.equal((await loader.requestOk(['batch', ...puts, 'end'].join('\n'))).status, 'ok applied=10000');
  t.match((await loader.requestOk(`get frontends ${key(9999)}`)).lines, [`entry ${key(9999)} ${value(9999)}`]);
  const dels = Array.from({ length: 10_000 }, (_, i) => `del frontends ${key(i)}`);
  t.equal((await loader.requestOk(['batch', ...dels, 'end'].join('\n'))).status, 'ok applied=10000');
  const mixed = [
    `put frontends ${key(1)} ${value(1)}`,
    `del frontends ${key(1)}`,
    `del frontends ${key(1)}`,
    `put frontends ${key(1)} ${value(2)}`,
  ];
  t.equal((await loader.requestOk(['batch', ...mixed, 'end'].join('\n'))).status, 'ok applied=4');
  t.strictSame((await loader.requestOk(`get frontends ${key(1)}`)).lines, [`entry ${key(1)} ${value(2)}`]);
  await loader.requestOk(`del frontends ${key(1)}`);
  t.equal((await loader.requestOk('batch\nend')).status, 'ok applied=0');
});

t.test('a batch stops at the first change that fails', async (t) => {
  const number = (i: number) => toHex(encodeU32(i));
  const put = (i: number) => `put uplinks ${number(i)} ${number(1500)}`;
  const slot = (i: number) => `put backends ${number(i)} ${'00'.repeat(52)}`;
  for (const [lines, answer] of [
    [[put(101), 'put uplinks 00 00', put(102)], /^error EINVAL at=2 applied=1 /],
    [[put(101), 'dance', put(102)], /^error EINVAL at=2 applied=1 /],
    [[put(101), `del nowhere ${number(1)}`, put(102)], /^error ENOENT at=2 applied=1 /],
    [[slot(100), slot(101), slot(4096), slot(102)], /^error E2BIG at=3 applied=2 /],
    [[put(101), slot(4096), put(102)], /^error E2BIG at=2 applied=1 /],
  ] as const) {
    t.match((await loader.request(['batch', ...lines, 'end'].join('\n'))).status, answer);
    t.match((await loader.request(`get uplinks ${number(102)}`)).status, /^error ENOENT/, 'the last was not tried');
    await loader.requestOk(`del uplinks ${number(101)}`);
  }
});

t.test('flows that are over are collected, others are not', async (t) => {
  // However slow the machine is, nothing else is over meanwhile.
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
  const left = (await loader.requestOk('dump flows_v6')).lines.map((line) => line.split(' ').slice(1).map(fromHex));
  t.ok(left.every(([key, value]) => key && value && decodeFlow('ip6', key, value).protocol === 'tcp'));
  // One direction without the other, as a crash between the two would leave it.
  const [reverse] = (await netns.entries('flows_v6')).filter(([k, v]) => decodeFlow('ip6', k, v).direction === 'reply');
  for (const [key] of await netns.entries('flows_v6')) await loader.requestOk(`del flows_v6 ${toHex(key)}`);
  if (reverse === undefined) throw new Error('no flow');
  await netns.put('flows_v6', ...reverse);
  t.match(parseFields((await loader.requestOk('gc')).status), { deleted: '0', remaining6: '1' }, 'not before its time');
  await netns.putConfig({ seconds: { tcpSyn: -1000 } });
  t.match(parseFields((await loader.requestOk('gc')).status), { deleted: '1', remaining6: '0' });
  await netns.putConfig();
});

t.test('a flow is kept while packets come in one direction', async (t) => {
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
        `${family}: ${direction} is late`,
      );
      await netns.ageFlows(family, 31, other);
      t.match(parseFields((await loader.requestOk('gc')).status), { deleted: '2' }, `${family}: both are late`);
    }
  }
});

t.test('a process with no more than a pod has goes on with what another has prepared', async (t) => {
  const { udp } = parseFields((await loader.requestOk('probe')).status);
  await loader.requestOk(`attach uplink ${DEVICE.uplink}`);
  const pod = netns.startLoader({ capabilities: ['net_admin', 'bpf', 'perfmon'] });
  t.teardown(() => pod.kill());
  const look = async () =>
    (await pod.requestOk(`inspect ${DEVICE.uplink}`)).lines.flatMap((line) => /own=\w+$/.exec(line)?.[0] ?? []);
  t.strictSame(await look(), ['own=yes'], 'it knows its own by the pinned link');
  t.match(parseFields((await pod.requestOk('probe')).status), { usable: 'yes', udp });
  t.match(parseFields((await pod.requestOk('load')).status), { maps: 'reused', udp });
  t.equal((await pod.requestOk('replace')).status, 'ok replaced=1');
  t.strictSame(await look(), ['own=yes']);
  await pod.requestOk(`detach uplink ${DEVICE.uplink}`);
});

t.test('what is noted as prepared is what was loaded last', async (t) => {
  const mine = await BpfNamespace.create({ load: 'load 64 no-conntrack' });
  t.teardown(() => mine.close());
  const marks = async () => (await mine.pins()).filter((name) => name.startsWith('conntrack-'));
  t.strictSame(await marks(), []);
  const { udp } = parseFields((await mine.loader.requestOk('load')).status);
  t.equal((await marks()).length, udp === 'yes' ? 1 : 0);
  await mine.loader.requestOk('load 64 no-conntrack');
  t.strictSame(await marks(), []);
});

t.test('the flows through devices are told, those that are over are not', async (t) => {
  // However slow the machine is, nothing else is over meanwhile.
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
  const told = (await flows(DEVICE.pod2, DEVICE.pod)).map(({ direction, protocol, client, other }) =>
    [direction, protocol, client.address, client.port, other.address, other.port].join(' '),
  );
  const wanted = FAMILIES.flatMap((family) =>
    [2000, 2001].map((port) =>
      ['original', 'tcp', ADDRESSES[family].client, port, ADDRESSES[family].node, SERVICE_PORT].join(' '),
    ),
  );
  t.strictSame(told.sort(), wanted.sort(), 'as the client dialled, once each');
  t.strictSame(await flows(DEVICE.pod2), [], 'none goes through another device');
  await netns.ageFlows('ip', 3601);
  t.equal((await flows(DEVICE.pod)).length, 2, 'a connection that was never answered is over');
  const own = { address: ADDRESSES.ip6.pod, protocol: 'tcp' } as const;
  await netns.putBackend(3, { ...own, gen: 0 });
  t.strictSame(await flows(DEVICE.pod), [], 'a slot that was freed has no flows');
  await netns.putBackend(3, { ...own, gen: 2 });
  t.strictSame(await flows(DEVICE.pod), [], 'nor has who got it next');
  await netns.putBackend(3, own);
  t.equal((await flows(DEVICE.pod)).length, 2);
  await netns.putConfig();
});

t.test('removing leaves nothing', async (t) => {
  const mine = await BpfNamespace.create();
  t.teardown(() => mine.close());
  await mine.loader.requestOk(`attach uplink ${DEVICE.uplink}`);
  await mine.loader.requestOk(`attach pod ${DEVICE.pod} clsact`);
  await mine.loader.requestOk('remove');
  t.strictSame(await mine.pins(), []);
  t.strictSame((await mine.loader.requestOk('list')).lines, []);
  for (const device of [DEVICE.uplink, DEVICE.pod]) {
    t.strictSame(
      (await mine.loader.requestOk(`inspect ${device}`)).lines.filter((line) => !/noqueue/.test(line)),
      [],
    );
  }
  t.match((await mine.loader.request(`attach uplink ${DEVICE.uplink}`)).status, /^error ENOENT /);
  t.match((await mine.loader.request('stats')).status, /^error ENOENT /);
  await mine.loader.requestOk('remove');
  t.match(parseFields((await mine.loader.requestOk('load')).status), { maps: 'new' });
});
