// Tests of src/fastpath/loader/loader-client.ts.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LoaderClient } from '../../../../src/fastpath/loader/loader-client.ts';
import { encodeU32 } from '../../../../src/fastpath/maps/entries.ts';
import { toHex } from '../../../../src/fastpath/maps/hex.ts';
import { encodeStruct, FLOW, FLOW_KEY, SLOT_COUNT } from '../../../../src/fastpath/maps/layout.ts';

/** A client of a loader that records requests, and answers those of `responses` with these lines and others with `ok`. */
function clientOf(t: Test, responses: Readonly<Record<string, readonly string[]>> = {}) {
  const directory = t.testdir({});
  const [command, log] = [join(directory, 'loader'), join(directory, 'requests')];
  writeFileSync(log, '');
  const cases = Object.entries(responses).map(
    ([request, lines]) => `"${request}") printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')};;`,
  );
  writeFileSync(
    command,
    ['#!/bin/sh', 'while read -r line; do', `echo "$line" >>'${log}'`, 'case "$line" in', ...cases]
      .concat('hello) echo "ok protocol=2 schema=1";;', 'put*|del*|batch) ;;', '*) echo ok;;', 'esac', 'done', '')
      .join('\n'),
    { mode: 0o755 },
  );
  const client = new LoaderClient({ command, directory });
  t.teardown(() => client.close());
  return { client, requests: () => readFileSync(log, 'utf8').trimEnd().split('\n').slice(1) };
}

const CLIENT = { client: Uint8Array.of(198, 51, 100, 7), other: Uint8Array.of(192, 0, 2, 1), client_port: 4000 };
const FLOW_ENTRY = [
  toHex(encodeStruct(FLOW_KEY.ip, { ...CLIENT, other_port: 80, proto: 6, dir: 0 })),
  toHex(encodeStruct(FLOW.ip, { other: Uint8Array.of(10, 1, 0, 1), other_port: 8080, slot: 3 })),
].join(' ');

t.test('probe() lists missing features with their reasons', async (t) => {
  const { client } = clientOf(t, {
    probe: ['feature tcx yes', 'feature conntrack no BTF is missing', 'ok usable=yes udp=no attach=clsact'],
  });
  t.strictSame(await client.probe(), {
    ...{ usable: true, udp: false, attach: 'clsact', missing: ['conntrack: BTF is missing'] },
  });
});

t.test('load() counts entries as half flows and replaces attached programs; prepare() does not', async (t) => {
  const { client, requests } = clientOf(t, { 'load 200': ['ok udp=yes maps=reused entries=64'] });
  t.strictSame(await client.load(100), { isNew: false, udp: true, maxFlowsInUse: 32 });
  t.strictSame(await client.prepare(100), { udp: true });
  t.strictSame(requests(), ['load 200', 'replace', 'load 200']);
});

t.test('listAttachments() reports roles, devices and deleted devices', async (t) => {
  const { client } = clientOf(t, {
    list: ['attachment uplink 2 tcx program=5 attached', 'attachment pod 7 tcx program=6 gone', 'ok'],
  });
  t.strictSame(await client.listAttachments(), [
    { role: 'uplink', ifindex: 2, isGone: false },
    { role: 'pod', ifindex: 7, isGone: true },
  ]);
});

t.test('collect() returns entries and flows by slot', async (t) => {
  const { client } = clientOf(t, { gc: ['flows 3 2', 'ok scanned=9 deleted=3 remaining4=4 remaining6=2'] });
  t.strictSame(await client.collect(), {
    ...{ scanned: 9, deleted: 3, bySlot: new Map([[3, 2]]), remaining: { ip: 4, ip6: 2 } },
  });
});

t.test('stats() reads descriptions and rejects unknown outcomes', async (t) => {
  const { client } = clientOf(t, { stats: ['stat FORWARDED 7 forwarded to its backend', 'ok'] });
  t.strictSame(await client.stats(), [
    { reason: 'FORWARDED', outcome: 'forwarded', count: 7, description: 'to its backend' },
  ]);
  await t.rejects(clientOf(t, { stats: ['stat X 7 lost why', 'ok'] }).client.stats(), /Cannot read loader response/);
});

t.test('slotCounts() decodes the counts of each slot', async (t) => {
  const value = toHex(encodeStruct(SLOT_COUNT, { created: 9, answered: 5 }));
  const { client } = clientOf(t, { 'dump slot_counts': [`entry ${toHex(encodeU32(3))} ${value}`, 'ok count=1'] });
  t.strictSame(await client.slotCounts(), new Map([[3, { created: 9, answered: 5 }]]));
});

t.test('flows() reads both families', async (t) => {
  const { client, requests } = clientOf(t, { 'dump flows_v4': [`entry ${FLOW_ENTRY}`, 'ok count=1'] });
  t.match(await client.flows(), [{ client: { address: '198.51.100.7', port: 4000 }, slot: 3 }]);
  t.strictSame(requests(), ['dump flows_v4', 'dump flows_v6']);
});

t.test('flowsThrough() asks for at most six devices at a time', async (t) => {
  const { client, requests } = clientOf(t, { 'flows 7 8': [`flow flows_v4 ${FLOW_ENTRY}`, 'ok count=1'] });
  t.match(await client.flowsThrough([1, 2, 3, 4, 5, 6, 7, 8]), [{ other: { address: '192.0.2.1', port: 80 } }]);
  t.strictSame(requests(), ['flows 1 2 3 4 5 6', 'flows 7 8']);
  t.strictSame(await client.flowsThrough([]), []);
});

t.test('apply() sends one batch, and nothing for no changes', async (t) => {
  const { client, requests } = clientOf(t);
  await client.apply([]);
  await client.apply(['put uplinks 02000000 dc050000', 'del uplinks 03000000']);
  t.strictSame(requests(), ['batch', 'put uplinks 02000000 dc050000', 'del uplinks 03000000', 'end']);
});

t.test('attach(), detach(), inspectDevice() and remove() name roles and devices', async (t) => {
  const { client, requests } = clientOf(t, { 'inspect 7': ['qdisc noqueue handle=0 parent=ffffffff', 'ok'] });
  await client.attach('pod', 7);
  await client.detach('uplink', 2);
  t.strictSame(await client.inspectDevice(7), ['qdisc noqueue handle=0 parent=ffffffff']);
  await client.remove();
  t.strictSame(requests(), ['attach pod 7', 'detach uplink 2', 'inspect 7', 'remove']);
});
