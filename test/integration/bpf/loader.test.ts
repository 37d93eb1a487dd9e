// nftlane-bpf as the daemon uses it: loading, attaching, filling, collecting, removing.
import t from 'tap';
import { decodeFlow, encodeFrontend, encodeFrontendKey, encodeNumber } from '../../../src/fastpath/maps/entries.ts';
import { fromHex, toHex } from '../../../src/fastpath/maps/hex.ts';
import { SYN } from '../../support/bpf/frames.ts';
import { FAMILIES, Legs } from '../../support/bpf/legs.ts';
import { ADDRESSES, DEVICE, Place, SERVICE_PORT } from '../../support/bpf/place.ts';

const place = await Place.make();
t.teardown(() => place.end());
await place.furnish();
t.beforeEach(() => place.forget());

const { loader } = place;
/** Linux has tcx since 6.6. */
const ways = await place.ways();

/** Words "KEY=VALUE" of an answer. */
function words(end: string): Record<string, string> {
  const pairs = end.split(' ').map((word) => word.split('='));
  return Object.fromEntries(pairs.filter(({ length }) => length === 2));
}

t.test('it says what it is, and what the kernel can do', async (t) => {
  t.match(words((await loader.must('hello')).end), { protocol: '2', schema: '1' });
  const { lines, end } = await loader.must('probe');
  t.match(words(end), { usable: 'yes', udp: /^(?:yes|no)$/, attach: /^(?:tcx|clsact)$/ });
  t.ok(lines.every((line) => /^feature [a-z-]+ (?:yes|no .+)$/.test(line)));
  t.equal(lines.length, 8);
});

t.test('it says why a directory is none for pins', async (t) => {
  const elsewhere = place.anotherLoader({ pins: '/tmp/nftlane/v1' });
  t.teardown(() => elsewhere.end());
  const { lines, end } = await elsewhere.must('probe');
  t.match(words(end), { usable: 'no', udp: 'no' });
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
    ['put fe 00 00', 'EINVAL'],
    ['put fe zz 00', 'EINVAL'],
    ['put nowhere 00 00', 'ENOENT'],
    ['put ../x 00 00', 'ENOENT'],
    ['get uplinks 63000000', 'ENOENT'],
    ['load 1', 'EINVAL'],
    ['flows', 'EINVAL'],
    ['flows pod0', 'EINVAL'],
    ['flows 0', 'EINVAL'],
    ['flows 1 2 3 4 5 6 7', 'EINVAL'],
  ] as const) {
    t.match((await loader.ask(request)).end, new RegExp(`^error ${error} .`), request);
  }
});

for (const by of ways) {
  t.test(`attaching by ${by}`, async (t) => {
    const [uplink, pod] = [`uplink ${DEVICE.uplink}`, `pod ${DEVICE.pod}`];
    t.strictSame((await loader.must('list')).lines, []);
    for (const place of [uplink, pod, uplink]) t.equal((await loader.must(`attach ${place} ${by}`)).end, `ok by=${by}`);
    const list = async () => (await loader.must('list')).lines.map((line) => line.replace(/program=\d+/, 'program=N'));
    const attached = [uplink, pod].map((place) => `place ${place} ${by} program=N attached`);
    t.strictSame((await list()).sort(), [...attached].sort());

    const another = place.anotherLoader();
    t.equal(words((await another.must('load')).end)['maps'], 'reused');
    t.equal((await another.must('replace')).end, 'ok replaced=2');
    another.end();
    t.strictSame((await list()).sort(), [...attached].sort(), 'still there, from another process');

    const look = (await loader.must(`look ${DEVICE.uplink}`)).lines;
    t.equal(look.filter((line) => line.endsWith('own=yes')).length, 1);
    t.equal(look.filter((line) => line.endsWith('own=no')).length, 0);
    for (const place of [uplink, pod, pod]) t.equal((await loader.must(`detach ${place}`)).end, 'ok');
    t.strictSame(await list(), []);
    t.strictSame(
      (await loader.must(`look ${DEVICE.uplink}`)).lines.filter((line) => !/noqueue/.test(line)),
      [],
    );
  });
}

t.test('it says of each counter what became of the packets, and in words why', async (t) => {
  const { lines } = await loader.must('stats');
  const fates = new Map(lines.map((line) => line.split(' ')).map(([, reason, , fate]) => [reason, fate]));
  for (const line of lines) t.match(line, /^stat [A-Z0-9_]+ \d+ (?:passed|taken|noted) \w.*\w$/);
  for (const [reason, fate] of [
    ['OTHER', 'passed'],
    ['TRUNCATED', 'passed'],
    ['TAKEN', 'taken'],
    ['FRAGMENT_OUT', 'taken'],
    ['RECYCLED', 'noted'],
    ['REROUTED', 'noted'],
  ] as const)
    t.equal(fates.get(reason), fate, reason);
});

t.test('a value may leave out zeros at its end, a key may not', async (t) => {
  const key = toHex(encodeNumber(77));
  await loader.must(`put uplinks ${key} 05`);
  t.strictSame((await loader.must(`get uplinks ${key}`)).lines, [`entry ${key} 05000000`]);
  await loader.must(`batch\nput uplinks ${key} 0607\nend`);
  t.strictSame((await loader.must(`get uplinks ${key}`)).lines, [`entry ${key} 06070000`]);
  for (const value of ['0600000000', '060', '06zz', 'x'])
    for (const request of [`put uplinks ${key} ${value}`, `batch\nput uplinks ${key} ${value}\nend`])
      t.match((await loader.ask(request)).end, /^error EINVAL /, request);
  for (const request of [`put uplinks 4d 05`, `batch\nput uplinks 4d 05\nend`])
    t.match((await loader.ask(request)).end, /^error EINVAL /, request);
  t.strictSame((await loader.must(`get uplinks ${key}`)).lines, [`entry ${key} 06070000`]);
  await loader.must(`del uplinks ${key}`);
});

t.test('it attaches by the better way that the kernel has, even where it is asked for tcx', async (t) => {
  for (const request of [`pod ${DEVICE.pod2}`, `pod ${DEVICE.pod2} tcx`]) {
    t.equal((await loader.must(`attach ${request}`)).end, `ok by=${ways[0]}`);
    await loader.must(`detach pod ${DEVICE.pod2}`);
  }
  t.strictSame((await loader.must('list')).lines, []);
});

t.test('the way of attaching can change, and a device can go', async (t) => {
  await place.command('ip', 'link', 'add', 'gone0', 'index', '50', 'type', 'veth', 'peer', 'name', 'gone1');
  for (const by of [...ways, ...ways].reverse()) {
    await loader.must(`attach pod 50 ${by}`);
    t.match((await loader.must('list')).lines, [new RegExp(`^place pod 50 ${by} program=\\d+ attached$`)]);
  }
  await place.command('ip', 'link', 'delete', 'gone0');
  // A filter goes with its device; a link stays until it is detached.
  t.match((await loader.must('list')).lines, ways.includes('tcx') ? [/^place pod 50 tcx program=\d+ gone$/] : []);
  t.equal((await loader.must('replace')).end, 'ok replaced=0');
  await loader.must('detach pod 50');
  t.strictSame((await loader.must('list')).lines, []);
});

t.test('what is not ours is seen, and left alone', async (t) => {
  await place.command('tc', 'qdisc', 'add', 'dev', 'up1', 'clsact');
  await place.command('tc', 'filter', 'add', 'dev', 'up1', 'egress', 'u32', 'match', 'u32', '0', '0', 'classid', '1:1');
  await place.command(
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
  await loader.must(`attach uplink ${DEVICE.other} clsact`);
  const look = async () => (await loader.must(`look ${DEVICE.other}`)).lines;
  t.match((await look()).join('\n'), /^qdisc tbf /m);
  t.match((await look()).join('\n'), /^filter egress u32 priority=\d+ program=0 name=- own=no$/m);
  t.match((await look()).join('\n'), /^filter ingress bpf priority=1 program=\d+ name=fp_uplink\S* own=yes$/m);
  await loader.must(`detach uplink ${DEVICE.other}`);
  t.match((await look()).join('\n'), /^filter egress u32 .*own=no$/m);
  t.notMatch((await look()).join('\n'), /own=yes/);
  await place.command('tc', 'qdisc', 'delete', 'dev', 'up1', 'clsact');
  await place.command('tc', 'qdisc', 'delete', 'dev', 'up1', 'root');
});

t.test('a batch makes all changes, in their order', async (t) => {
  const key = (i: number) =>
    toHex(encodeFrontendKey({ address: `10.77.${i >> 8}.${i & 255}`, port: 80, protocol: 'tcp' }));
  const value = (svc: number) => toHex(encodeFrontend({ svc, pass: false, slots: [1] }));
  const puts = Array.from({ length: 10_000 }, (_, i) => `put fe ${key(i)} ${value(i)}`);
  t.equal((await loader.must(['batch', ...puts, 'end'].join('\n'))).end, 'ok applied=10000');
  t.match((await loader.must(`get fe ${key(9999)}`)).lines, [`entry ${key(9999)} ${value(9999)}`]);
  const dels = Array.from({ length: 10_000 }, (_, i) => `del fe ${key(i)}`);
  t.equal((await loader.must(['batch', ...dels, 'end'].join('\n'))).end, 'ok applied=10000');
  const mixed = [
    `put fe ${key(1)} ${value(1)}`,
    `del fe ${key(1)}`,
    `del fe ${key(1)}`,
    `put fe ${key(1)} ${value(2)}`,
  ];
  t.equal((await loader.must(['batch', ...mixed, 'end'].join('\n'))).end, 'ok applied=4');
  t.strictSame((await loader.must(`get fe ${key(1)}`)).lines, [`entry ${key(1)} ${value(2)}`]);
  await loader.must(`del fe ${key(1)}`);
  t.equal((await loader.must('batch\nend')).end, 'ok applied=0');
});

t.test('a batch stops at the first change that fails', async (t) => {
  const number = (i: number) => toHex(encodeNumber(i));
  const put = (i: number) => `put uplinks ${number(i)} ${number(1500)}`;
  const slot = (i: number) => `put be ${number(i)} ${'00'.repeat(52)}`;
  for (const [lines, answer] of [
    [[put(101), 'put uplinks 00 00', put(102)], /^error EINVAL at=2 applied=1 /],
    [[put(101), 'dance', put(102)], /^error EINVAL at=2 applied=1 /],
    [[put(101), `del nowhere ${number(1)}`, put(102)], /^error ENOENT at=2 applied=1 /],
    [[slot(100), slot(101), slot(4096), slot(102)], /^error E2BIG at=3 applied=2 /],
    [[put(101), slot(4096), put(102)], /^error E2BIG at=2 applied=1 /],
  ] as const) {
    t.match((await loader.ask(['batch', ...lines, 'end'].join('\n'))).end, answer);
    t.match((await loader.ask(`get uplinks ${number(102)}`)).end, /^error ENOENT/, 'the last was not tried');
    await loader.must(`del uplinks ${number(101)}`);
  }
});

t.test('flows that are over are collected, others are not', async (t) => {
  // However slow the machine is, nothing else is over meanwhile.
  const seconds = { tcpSyn: 3600, udpNew: 3600 };
  await place.configure({ seconds });
  for (const family of FAMILIES) {
    for (const protocol of place.protocols) {
      for (let clientPort = 2000; clientPort < 2100; clientPort++) {
        await place.packet('uplink', new Legs({ family, protocol, clientPort }).fromClient({ flags: SYN }));
      }
    }
  }
  const udp = place.asksConntrack ? 200 : 0;
  const [all, each] = [String(2 * (200 + udp)), String(200 + udp)];
  t.match(words((await loader.must('gc')).end), { scanned: all, deleted: '0', left4: each, left6: each });
  await place.configure({ seconds: { ...seconds, udpNew: -1000 } });
  t.match(words((await loader.must('gc')).end), { deleted: String(2 * udp), left4: '200', left6: '200' });
  await place.configure({ seconds });
  await place.backend(1, { address: ADDRESSES.ip.pod, protocol: 'tcp', gen: 0 });
  t.match(words((await loader.must('gc')).end), { deleted: '200', left4: '0', left6: '200' });
  await place.backend(1, { address: ADDRESSES.ip.pod, protocol: 'tcp', gen: 2 });
  const left = (await loader.must('dump f6')).lines.map((line) => line.split(' ').slice(1).map(fromHex));
  t.ok(left.every(([key, value]) => key && value && decodeFlow('ip6', key, value).protocol === 'tcp'));
  // One direction without the other, as a crash between the two would leave it.
  const [reverse] = (await place.entries('f6')).filter(([k, v]) => decodeFlow('ip6', k, v).direction === 'reverse');
  for (const [key] of await place.entries('f6')) await loader.must(`del f6 ${toHex(key)}`);
  if (reverse === undefined) throw new Error('no flow');
  await place.put('f6', ...reverse);
  t.match(words((await loader.must('gc')).end), { deleted: '0', left6: '1' }, 'not before its time');
  await place.configure({ seconds: { tcpSyn: -1000 } });
  t.match(words((await loader.must('gc')).end), { deleted: '1', left6: '0' });
  await place.configure();
});

t.test('a flow is kept while packets come in one direction', async (t) => {
  for (const family of FAMILIES) {
    for (const [direction, other] of [
      ['forward', 'reverse'],
      ['reverse', 'forward'],
    ] as const) {
      await place.forget();
      await place.packet('uplink', new Legs({ family, protocol: place.anyProtocol }).fromClient({ flags: SYN }));
      await place.age(family, 31, direction);
      t.match(words((await loader.must('gc')).end), { scanned: '2', deleted: '0' }, `${family}: ${direction} is late`);
      await place.age(family, 31, other);
      t.match(words((await loader.must('gc')).end), { deleted: '2' }, `${family}: both are late`);
    }
  }
});

t.test('a process with no more than a pod has goes on with what another has prepared', async (t) => {
  const { udp } = words((await loader.must('probe')).end);
  await loader.must(`attach uplink ${DEVICE.uplink}`);
  const pod = place.anotherLoader({ capabilities: ['net_admin', 'bpf', 'perfmon'] });
  t.teardown(() => pod.end());
  const look = async () =>
    (await pod.must(`look ${DEVICE.uplink}`)).lines.flatMap((line) => /own=\w+$/.exec(line)?.[0] ?? []);
  t.strictSame(await look(), ['own=yes'], 'it knows its own by the pinned link');
  t.match(words((await pod.must('probe')).end), { usable: 'yes', udp });
  t.match(words((await pod.must('load')).end), { maps: 'reused', udp });
  t.equal((await pod.must('replace')).end, 'ok replaced=1');
  t.strictSame(await look(), ['own=yes']);
  await pod.must(`detach uplink ${DEVICE.uplink}`);
});

t.test('what is noted as prepared is what was loaded last', async (t) => {
  const mine = await Place.make({ load: 'load 64 plain' });
  t.teardown(() => mine.end());
  const marks = async () => (await mine.pins()).filter((name) => name.startsWith('conntrack-'));
  t.strictSame(await marks(), []);
  const { udp } = words((await mine.loader.must('load')).end);
  t.equal((await marks()).length, udp === 'yes' ? 1 : 0);
  await mine.loader.must('load 64 plain');
  t.strictSame(await marks(), []);
});

t.test('the flows through devices are told, those that are over are not', async (t) => {
  // However slow the machine is, nothing else is over meanwhile.
  await place.configure({ seconds: { tcpSyn: 3600 } });
  const flows = async (...devices: readonly number[]) => {
    const { lines, end } = await loader.must(`flows ${devices.join(' ')}`);
    t.equal(end, `ok count=${lines.length}`);
    return lines.map((line) => {
      const [kind, map, key = '', value = ''] = line.split(' ');
      t.equal(kind, 'flow');
      return decodeFlow(map === 'f4' ? 'ip' : 'ip6', fromHex(key), fromHex(value));
    });
  };
  t.strictSame(await flows(DEVICE.pod, DEVICE.pod2), []);
  for (const family of FAMILIES) {
    for (const clientPort of [2000, 2001]) {
      await place.packet('uplink', new Legs({ family, protocol: 'tcp', clientPort }).fromClient({ flags: SYN }));
    }
  }
  const told = (await flows(DEVICE.pod2, DEVICE.pod)).map(({ direction, protocol, client, other }) =>
    [direction, protocol, client.address, client.port, other.address, other.port].join(' '),
  );
  const wanted = FAMILIES.flatMap((family) =>
    [2000, 2001].map((port) =>
      ['forward', 'tcp', ADDRESSES[family].client, port, ADDRESSES[family].node, SERVICE_PORT].join(' '),
    ),
  );
  t.strictSame(told.sort(), wanted.sort(), 'as the client dialled, once each');
  t.strictSame(await flows(DEVICE.pod2), [], 'none goes through another device');
  await place.age('ip', 3601);
  t.equal((await flows(DEVICE.pod)).length, 2, 'a connection that was never answered is over');
  const own = { address: ADDRESSES.ip6.pod, protocol: 'tcp' } as const;
  await place.backend(3, { ...own, gen: 0 });
  t.strictSame(await flows(DEVICE.pod), [], 'a slot that was freed has no flows');
  await place.backend(3, { ...own, gen: 2 });
  t.strictSame(await flows(DEVICE.pod), [], 'nor has who got it next');
  await place.backend(3, own);
  t.equal((await flows(DEVICE.pod)).length, 2);
  await place.configure();
});

t.test('removing leaves nothing', async (t) => {
  const mine = await Place.make();
  t.teardown(() => mine.end());
  await mine.loader.must(`attach uplink ${DEVICE.uplink}`);
  await mine.loader.must(`attach pod ${DEVICE.pod} clsact`);
  await mine.loader.must('remove');
  t.strictSame(await mine.pins(), []);
  t.strictSame((await mine.loader.must('list')).lines, []);
  for (const device of [DEVICE.uplink, DEVICE.pod]) {
    t.strictSame(
      (await mine.loader.must(`look ${device}`)).lines.filter((line) => !/noqueue/.test(line)),
      [],
    );
  }
  t.match((await mine.loader.ask(`attach uplink ${DEVICE.uplink}`)).end, /^error ENOENT /);
  t.match((await mine.loader.ask('stats')).end, /^error ENOENT /);
  await mine.loader.must('remove');
  t.match(words((await mine.loader.must('load')).end), { maps: 'new' });
});
