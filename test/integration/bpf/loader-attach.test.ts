// Tests nftlane-bpf: attaching, detaching, preloaded programs and removal.

import t from 'tap';
import { BpfNamespace } from '../../support/bpf/bpf-namespace.ts';
import { parseFields } from '../../support/bpf/line-process.ts';
import { DEVICE } from '../../support/bpf/test-network.ts';

const netns = await BpfNamespace.forTests(t);

const { loader } = netns;
/** tcx needs Linux 6.6. */
const attachModes = await netns.attachModes();

for (const by of attachModes) {
  t.test(
    `"attach" by ${by} is idempotent, another process can replace the programs, and "detach" undoes it`,
    async (t) => {
      const [uplink, pod] = [`uplink ${DEVICE.uplink}`, `pod ${DEVICE.pod}`];
      t.strictSame((await loader.requestOk('list')).lines, []);
      for (const target of [uplink, pod, uplink])
        t.equal((await loader.requestOk(`attach ${target} ${by}`)).status, `ok by=${by}`);
      const list = async () =>
        (await loader.requestOk('list')).lines.map((line) => line.replace(/program=\d+/, 'program=N'));
      const attached = [uplink, pod].map((target) => `attachment ${target} ${by} program=N attached`);
      t.strictSame((await list()).sort(), [...attached].sort());

      const another = netns.startLoader();
      t.equal(parseFields((await another.requestOk('load')).status)['maps'], 'reused');
      t.equal((await another.requestOk('replace')).status, 'ok replaced=2');
      another.kill();
      t.strictSame((await list()).sort(), [...attached].sort(), 'attached, as before');

      const hooks = (await loader.requestOk(`inspect ${DEVICE.uplink}`)).lines;
      t.equal(hooks.filter((line) => line.endsWith('own=yes')).length, 1);
      t.equal(hooks.filter((line) => line.endsWith('own=no')).length, 0);
      for (const target of [uplink, pod, pod]) t.equal((await loader.requestOk(`detach ${target}`)).status, 'ok');
      t.strictSame(await list(), []);
      t.strictSame(
        (await loader.requestOk(`inspect ${DEVICE.uplink}`)).lines.filter((line) => !/noqueue/.test(line)),
        [],
      );
    },
  );
}

t.test('"attach" prefers tcx, and falls back to clsact even when tcx is requested', async (t) => {
  for (const request of [`pod ${DEVICE.pod2}`, `pod ${DEVICE.pod2} tcx`]) {
    t.equal((await loader.requestOk(`attach ${request}`)).status, `ok by=${attachModes[0]}`);
    await loader.requestOk(`detach pod ${DEVICE.pod2}`);
  }
  t.strictSame((await loader.requestOk('list')).lines, []);
});

t.test('"attach" replaces the other hook; "list" shows deleted devices', async (t) => {
  await netns.exec('ip', 'link', 'add', 'gone0', 'index', '50', 'type', 'veth', 'peer', 'name', 'gone1');
  for (const by of [...attachModes, ...attachModes].reverse()) {
    await loader.requestOk(`attach pod 50 ${by}`);
    t.match((await loader.requestOk('list')).lines, [new RegExp(`^attachment pod 50 ${by} program=\\d+ attached$`)]);
  }
  await netns.exec('ip', 'link', 'delete', 'gone0');
  // A filter is deleted with its device; a link stays until it is detached.
  t.match(
    (await loader.requestOk('list')).lines,
    attachModes.includes('tcx') ? [/^attachment pod 50 tcx program=\d+ gone$/] : [],
  );
  t.equal((await loader.requestOk('replace')).status, 'ok replaced=0');
  await loader.requestOk('detach pod 50');
  t.strictSame((await loader.requestOk('list')).lines, []);
});

t.test('"inspect" shows qdiscs and filters of others, and "detach" keeps them', async (t) => {
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
  const inspect = async () => (await loader.requestOk(`inspect ${DEVICE.other}`)).lines;
  t.match((await inspect()).join('\n'), /^qdisc tbf /m);
  t.match((await inspect()).join('\n'), /^filter egress u32 priority=\d+ program=0 name=- own=no$/m);
  t.match((await inspect()).join('\n'), /^filter ingress bpf priority=1 program=\d+ name=fp_uplink\S* own=yes$/m);
  await loader.requestOk(`detach uplink ${DEVICE.other}`);
  t.match((await inspect()).join('\n'), /^filter egress u32 .*own=no$/m);
  t.notMatch((await inspect()).join('\n'), /own=yes/);
  await netns.exec('tc', 'qdisc', 'delete', 'dev', 'up1', 'clsact');
  await netns.exec('tc', 'qdisc', 'delete', 'dev', 'up1', 'root');
});

t.test('a process with the capabilities of a pod uses preloaded programs', async (t) => {
  const { udp } = parseFields((await loader.requestOk('probe')).status);
  await loader.requestOk(`attach uplink ${DEVICE.uplink}`);
  const pod = netns.startLoader({ capabilities: ['net_admin', 'bpf', 'perfmon'] });
  t.teardown(() => pod.kill());
  const inspect = async () =>
    (await pod.requestOk(`inspect ${DEVICE.uplink}`)).lines.flatMap((line) => /own=\w+$/.exec(line)?.[0] ?? []);
  t.strictSame(await inspect(), ['own=yes'], 'its own program is recognized by the pinned link');
  t.match(parseFields((await pod.requestOk('probe')).status), { usable: 'yes', udp });
  t.match(parseFields((await pod.requestOk('load')).status), { maps: 'reused', udp });
  t.equal((await pod.requestOk('replace')).status, 'ok replaced=1');
  t.strictSame(await inspect(), ['own=yes']);
  await pod.requestOk(`detach uplink ${DEVICE.uplink}`);
});

t.test('"load" records preloaded programs, and forgets them with the next load', async (t) => {
  const own = await BpfNamespace.create({ load: 'load 64 no-conntrack' });
  t.teardown(() => own.close());
  const marks = async () => (await own.pins()).filter((name) => name.startsWith('conntrack-'));
  t.strictSame(await marks(), []);
  const { udp } = parseFields((await own.loader.requestOk('load')).status);
  t.equal((await marks()).length, udp === 'yes' ? 1 : 0);
  await own.loader.requestOk('load 64 no-conntrack');
  t.strictSame(await marks(), []);
});

t.test('"remove" leaves nothing', async (t) => {
  const own = await BpfNamespace.create();
  t.teardown(() => own.close());
  await own.loader.requestOk(`attach uplink ${DEVICE.uplink}`);
  await own.loader.requestOk(`attach pod ${DEVICE.pod} clsact`);
  await own.loader.requestOk('remove');
  t.strictSame(await own.pins(), []);
  t.strictSame((await own.loader.requestOk('list')).lines, []);
  for (const device of [DEVICE.uplink, DEVICE.pod]) {
    t.strictSame(
      (await own.loader.requestOk(`inspect ${device}`)).lines.filter((line) => !/noqueue/.test(line)),
      [],
    );
  }
  t.match((await own.loader.request(`attach uplink ${DEVICE.uplink}`)).status, /^error ENOENT /);
  t.match((await own.loader.request('stats')).status, /^error ENOENT /);
  await own.loader.requestOk('remove');
  t.match(parseFields((await own.loader.requestOk('load')).status), { maps: 'new' });
});
