// Tests of src/metrics/nftlane/fast-path-metrics.ts.

import { Registry } from 'prom-client';
import t from 'tap';
import { SKIP_CAUSES } from '../../../../src/fastpath/eligibility/skip-reason.ts';
import type { PacketCount } from '../../../../src/fastpath/loader/loader-client.ts';
import type { FastPathStatus } from '../../../../src/fastpath/status/fast-path-status.ts';
import { registerFastPathMetrics } from '../../../../src/metrics/nftlane/fast-path-metrics.ts';

const FRONTEND = { name: 'shop/web', kind: 'node-port', destination: '192.0.2.1:30080/tcp', backends: [], flows: 3 };
const packets = (reason: string, outcome: PacketCount['outcome'], count: number) => ({
  reason,
  outcome,
  count,
  description: 'why',
});
const STATUS: FastPathStatus = {
  mode: 'auto',
  state: 'on',
  uplinks: [{ name: 'eth0' }, { name: 'eth1', reason: 'unused' }],
  podDevices: ['veth1', 'veth2', 'veth3'],
  frontends: [FRONTEND, { ...FRONTEND, suspended: 'no answers' }],
  skipped: [{ name: 'shop/dns', destination: '192.0.2.1:30053/udp', cause: 'affinity', reason: 'session affinity' }],
  excludedSources: ['10.1.0.0/16'],
  flows: { ip: 4, ip6: 5 },
  flowTables: { ip: { entries: 8, limit: 64 }, ip6: { entries: 10, limit: 65 } },
  slots: { used: 7, draining: 6 },
  packets: [
    packets('PORT', 'passed', 8),
    packets('FORWARDED', 'forwarded', 9),
    packets('ANSWERED', 'forwarded', 10),
    packets('REROUTED', 'event', 11),
  ],
  totals: { collections: 12, scanned: 13, deleted: 14, fallbacks: 15, failures: 16, loaderRestarts: 17 },
};

async function samples(status: FastPathStatus | undefined): Promise<string[]> {
  const registry = new Registry();
  registerFastPathMetrics(registry, () => status);
  await registry.metrics();
  const lines = (await registry.metrics()).split('\n');
  return lines.flatMap((line) => /^nftlane_fastpath_(.*)$/.exec(line)?.[1] ?? []).sort();
}

t.test('a scrape returns the values of the last status', async (t) => {
  const expected = [
    ...['enabled 1', 'failing 0', 'uplinks 1', 'pod_devices 3', 'frontends 2', 'suspended_frontends 1', 'slots 7'],
    ...SKIP_CAUSES.map((cause) => `skipped_frontends{cause="${cause}"} ${Number(cause === 'affinity')}`),
    ...['flow_entries{ip_family="IPv4"} 8', 'flow_entries{ip_family="IPv6"} 10'],
    ...['flow_entries_limit{ip_family="IPv4"} 64', 'flow_entries_limit{ip_family="IPv6"} 65'],
    ...['collections_total 12', 'collection_scanned_entries_total 13', 'collection_deleted_entries_total 14'],
    ...['fallbacks_total 15', 'sync_failures_total 16', 'loader_restarts_total 17'],
    ...['draining_slots 6', 'flows{ip_family="IPv4"} 4', 'flows{ip_family="IPv6"} 5'],
    ...['forwarded_packets_total{reason="forwarded"} 9', 'forwarded_packets_total{reason="answered"} 10'],
    'passed_packets_total{reason="port"} 8',
  ];
  t.strictSame(await samples(STATUS), expected.sort());
});

t.test('`enabled` is 0 if the fast path is off, and there are no series if it is turned off', async (t) => {
  t.ok((await samples({ ...STATUS, state: 'off' })).includes('enabled 0'));
  const failing = { reason: 'why', since: '', attempts: 2 };
  t.ok((await samples({ ...STATUS, failing })).includes('failing 1'));
  t.strictSame(await samples({ ...STATUS, mode: 'off', state: 'off' }), []);
  t.strictSame(await samples(undefined), []);
});
