// Tests of src/metrics/nftlane/fast-path-metrics.ts.
import { Registry } from 'prom-client';
import t from 'tap';
import { type FastPathView, LEFT_CAUSES, type PacketCount } from '../../../../src/fastpath/status/status.ts';
import { registerFastPathMetrics } from '../../../../src/metrics/nftlane/fast-path-metrics.ts';

const FRONTEND = { name: 'shop/web', kind: 'node-port', dialled: '192.0.2.1 30080/tcp', backends: [], flows: 3 };
const packets = (reason: string, fate: PacketCount['fate'], count: number) => ({ reason, fate, count, words: 'why' });
const VIEW: FastPathView = {
  mode: 'auto',
  state: 'on',
  uplinks: [{ name: 'eth0' }, { name: 'eth1', reason: 'it is not used' }],
  pods: ['veth1', 'veth2', 'veth3'],
  frontends: [FRONTEND, { ...FRONTEND, passes: 'no answers' }],
  left: [{ name: 'shop/dns', dialled: '192.0.2.1 30053/udp', cause: 'affinity', reason: 'it remembers' }],
  sources: ['10.1.0.0/16'],
  flows: { ip: 4, ip6: 5 },
  flowTables: { ip: { entries: 8, room: 64 }, ip6: { entries: 10, room: 65 } },
  slots: { used: 7, draining: 6 },
  packets: [
    packets('PORT', 'passed', 8),
    packets('TAKEN', 'taken', 9),
    packets('ANSWERED', 'taken', 10),
    packets('REROUTED', 'noted', 11),
  ],
  totals: { collections: 12, scanned: 13, deleted: 14, handBacks: 15, failures: 16, loaderRestarts: 17 },
};

async function samples(view: FastPathView | undefined): Promise<string[]> {
  const registry = new Registry();
  registerFastPathMetrics(registry, () => view);
  await registry.metrics();
  const lines = (await registry.metrics()).split('\n');
  return lines.flatMap((line) => /^nftlane_fastpath_(.*)$/.exec(line)?.[1] ?? []).sort();
}

t.test('a scrape shows what the fast path last saw', async (t) => {
  const wanted = [
    ...['on 1', 'failing 0', 'uplinks 1', 'pods 3', 'frontends 2', 'passing_frontends 1', 'slots 7'],
    ...LEFT_CAUSES.map((cause) => `left_frontends{cause="${cause}"} ${Number(cause === 'affinity')}`),
    ...['flow_entries{ip_family="IPv4"} 8', 'flow_entries{ip_family="IPv6"} 10'],
    ...['flow_entries_limit{ip_family="IPv4"} 64', 'flow_entries_limit{ip_family="IPv6"} 65'],
    ...['collections_total 12', 'collection_scanned_entries_total 13', 'collection_deleted_entries_total 14'],
    ...['hand_backs_total 15', 'failures_total 16', 'loader_restarts_total 17'],
    ...['draining_slots 6', 'flows{ip_family="IPv4"} 4', 'flows{ip_family="IPv6"} 5'],
    ...['taken_packets_total{reason="taken"} 9', 'taken_packets_total{reason="answered"} 10'],
    'passed_packets_total{reason="port"} 8',
  ];
  t.strictSame(await samples(VIEW), wanted.sort());
});

t.test('off by itself is 0, and switched off is nothing', async (t) => {
  t.ok((await samples({ ...VIEW, state: 'off' })).includes('on 0'));
  const failing = { reason: 'why', since: '', tries: 2 };
  t.ok((await samples({ ...VIEW, failing })).includes('failing 1'));
  t.strictSame(await samples({ ...VIEW, mode: 'off', state: 'off' }), []);
  t.strictSame(await samples(undefined), []);
});
