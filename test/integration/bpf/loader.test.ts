// Tests nftlane-bpf: requests and answers, values, batches and counters.

import t from 'tap';
import { encodeFrontend, encodeFrontendKey, encodeU32 } from '../../../src/fastpath/maps/entries.ts';
import { toHex } from '../../../src/fastpath/maps/hex.ts';
import { BpfNamespace } from '../../support/bpf/bpf-namespace.ts';
import { parseFields } from '../../support/bpf/line-process.ts';

const netns = await BpfNamespace.forTests(t);

const { loader } = netns;

t.test('"hello" and "probe" report versions and kernel features', async (t) => {
  t.match(parseFields((await loader.requestOk('hello')).status), { protocol: '2', schema: '1' });
  const { lines, status } = await loader.requestOk('probe');
  t.match(parseFields(status), { usable: 'yes', udp: /^(?:yes|no)$/, attach: /^(?:tcx|clsact)$/ });
  t.ok(lines.every((line) => /^feature [a-z-]+ (?:yes|no .+)$/.test(line)));
  t.equal(lines.length, 8);
});

t.test('"probe" reports a pin directory that is not on a BPF file system', async (t) => {
  const elsewhere = netns.startLoader({ pins: '/tmp/nftlane/v1' });
  t.teardown(() => elsewhere.kill());
  const { lines, status } = await elsewhere.requestOk('probe');
  t.match(parseFields(status), { usable: 'no', udp: 'no' });
  t.match(lines.join('\n'), /^feature bpf-file-system no the pin directory is not on a BPF file system/m);
});

t.test('invalid requests get an error', async (t) => {
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

t.test('"stats" prints the outcome and a description for each reason', async (t) => {
  const { lines } = await loader.requestOk('stats');
  const outcomes = new Map(lines.map((line) => line.split(' ')).map(([, reason, , outcome]) => [reason, outcome]));
  for (const line of lines) t.match(line, /^stat [A-Z0-9_]+ \d+ (?:passed|forwarded|event) \w.*\w$/);
  for (const [reason, outcome] of [
    ['OTHER', 'passed'],
    ['TRUNCATED', 'passed'],
    ['FORWARDED', 'forwarded'],
    ['FRAGMENT_OUT', 'forwarded'],
    ['RECYCLED', 'event'],
    ['REROUTED', 'event'],
  ] as const)
    t.equal(outcomes.get(reason), outcome, reason);
});

t.test('a value may omit trailing zeros, a key may not', async (t) => {
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

t.test('"batch" makes all changes in order', async (t) => {
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

t.test('"batch" stops at the first change that fails', async (t) => {
  const number = (i: number) => toHex(encodeU32(i));
  const put = (i: number) => `put uplinks ${number(i)} ${number(1500)}`;
  const slot = (i: number) => `put backends ${number(i)} ${'00'.repeat(52)}`;
  for (const [lines, answer] of [
    [[put(101), 'put uplinks 00 00', put(102)], /^error EINVAL at=2 applied=1 /],
    [[put(101), 'dance', put(102)], /^error EINVAL at=2 applied=1 /],
    [[put(101), `del nowhere ${number(1)}`, put(102)], /^error ENOENT at=2 applied=1 /],
    [[slot(100), slot(101), slot(4096), slot(102)], /^error E2BIG at=3 applied=2 /],
    [[put(101), slot(4096), put(102)], /^error E2BIG at=2 applied=1 /],
    [[slot(100), slot(4096), 'dance'], /^error E2BIG at=2 applied=1 /],
    [[slot(100), slot(4096), 'put backends'], /^error E2BIG at=2 applied=1 /],
  ] as const) {
    t.match((await loader.request(['batch', ...lines, 'end'].join('\n'))).status, answer);
    t.match(
      (await loader.request(`get uplinks ${number(102)}`)).status,
      /^error ENOENT/,
      'the last change was not tried',
    );
    await loader.requestOk(`del uplinks ${number(101)}`);
  }
});
