// nftlane-bpf: attaching, detaching, preloaded programs and removal.
import t from 'tap';
import { BpfNamespace } from '../../support/bpf/bpf-namespace.ts';
import { parseFields } from '../../support/bpf/line-process.ts';
import { DEVICE } from '../../support/bpf/test-network.ts';

const netns = await BpfNamespace.create();
t.teardown(() => netns.close());
await netns.populate();
t.beforeEach(() => netns.flush());

const { loader } = netns;
/** Linux has tcx since 6.6. */
const attachModes = await netns.attachModes();

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
