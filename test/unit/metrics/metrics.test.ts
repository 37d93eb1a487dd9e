// Tests of src/metrics/metrics.ts, with a sync controller.

import t from 'tap';
import { summarize } from '../../../src/controller/repair/foreign-changes.ts';
import type { RulesetClient } from '../../../src/controller/sync.ts';
import { SyncController } from '../../../src/controller/sync-controller.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { type Clock, systemClock } from '../../../src/host/clock.ts';
import { Metrics } from '../../../src/metrics/metrics.ts';
import type { SetOrMap } from '../../../src/nftables/syntax/element.ts';
import type { CounterListing } from '../../../src/nftables/syntax/kernel-listing.ts';
import { foreignCommit } from '../../support/builders/foreign-commit.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';
import { put, remove, replaceAll } from '../../support/builders/put-objects.ts';
import { service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import { newEvictions } from '../../support/fakes/evictions.ts';
import { FakeNftables } from '../../support/fakes/fake-nftables.ts';
import { silentLog } from '../../support/fakes/silent-log.ts';

const START = Date.UTC(2026, 0, 1);

/** A controller with metrics, a kernel in memory and a manual clock. */
function world({
  nftClient = {},
  connectionLimit = 0,
}: {
  nftClient?: Partial<RulesetClient>;
  connectionLimit?: number;
} = {}) {
  const kernel = new FakeNftables();
  let now = START;
  const clock: Clock = { ...systemClock, now: () => now };
  const counted: (readonly SetOrMap[])[] = [];
  const real: RulesetClient = {
    apply: async (lines) => kernel.run(lines),
    list: async () => kernel.list(),
    listElements: async (objects) => {
      counted.push(objects);
      return new Map();
    },
  };
  const all = { ...real, ...nftClient };
  const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1' });
  const evictions = newEvictions();
  evictions.add('health', '192.0.2.1');
  const nftSession = () => ({ pid: undefined, starts: 2, ownsTables: true });
  const process = { version: '1.2.3', nftVersion: () => '1.1.3', evictions, log: { dropped: 3 }, nftSession };
  const metrics = new Metrics({ engine, nftClient: all, clock, log: silentLog, process, connectionLimit });
  const controller = new SyncController({
    engine,
    nftClient: all,
    log: silentLog,
    clock,
    observers: [metrics.observer],
  });
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  return {
    metrics,
    sink: metrics.countingSink(controller),
    counted,
    pass: (ms: number) => {
      now += ms;
    },
    stop: async () => {
      stop.abort();
      await running;
    },
  };
}

/** Samples by name and labels, as in the text format. */
async function scrape(metrics: Metrics): Promise<Map<string, number>> {
  const lines = (await metrics.print()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

/** Scrapes until a sample has a value, which is after the sync. */
async function untilSample(metrics: Metrics, sample: string, value: number): Promise<Map<string, number>> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const samples = await scrape(metrics);
    if (samples.get(sample) === value) return samples;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  t.fail(`Timed out waiting for ${sample} ${value}`);
  return scrape(metrics);
}

function triggered(object: ApiObject, at: number): ApiObject {
  const metadata = object['metadata'] as ApiObject;
  const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': new Date(at).toISOString() };
  return { ...object, metadata: { ...metadata, annotations } };
}

const SYNCS = 'kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family="IPv4"}';
const PROGRAMMED = 'kubeproxy_network_programming_duration_seconds_sum{ip_family="IPv4"}';

t.test("Metrics report syncs with kube-proxy's names", async (t) => {
  const { metrics, sink, pass, stop } = world();
  const before = await scrape(metrics);
  t.equal(before.get('nftlane_initial_load_complete'), 0);
  t.notOk(before.has(SYNCS), 'no series before the first sample');
  t.notOk(before.has('kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv4"}'));
  t.equal(before.get('kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds{ip_family="IPv6"}'), START / 1000);

  replaceAll(sink, [service(), slice()]);
  const first = await untilSample(metrics, SYNCS, 1);
  t.match(Object.fromEntries(first), {
    'kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family="IPv6"}': 1,
    'kubeproxy_sync_full_proxy_rules_duration_seconds_count{ip_family="IPv4"}': 1,
    kubeproxy_sync_proxy_rules_service_changes_total: 1,
    kubeproxy_sync_proxy_rules_endpoint_changes_total: 1,
    kubeproxy_sync_proxy_rules_service_changes_pending: 0,
    kubeproxy_sync_proxy_rules_endpoint_changes_pending: 0,
    'kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv4"}': START / 1000,
    nftlane_initial_load_complete: 1,
    nftlane_sync_latency_seconds_count: 1,
    nftlane_transaction_operations_count: 1,
    nftlane_services: 1,
    nftlane_endpoint_slices: 1,
    nftlane_kernel_state_known: 1,
    nftlane_nft_session_starts_total: 2,
    nftlane_tables_owned: 1,
    nftlane_log_messages_dropped_total: 3,
    'nftlane_http_evicted_connections_total{server="health"}': 1,
    'nftlane_elements{ip_family="IPv4",set="service-ips"}': 1,
    [`nftlane_build_info{version="1.2.3",nft_version="1.1.3",node_version="${process.version}"}`]: 1,
  });
  t.notOk(first.has('kubeproxy_sync_partial_proxy_rules_duration_seconds_count{ip_family="IPv4"}'));
  t.ok((first.get('nftlane_chains{ip_family="IPv4"}') ?? 0) > 10);
  t.ok((first.get('process_resident_memory_bytes') ?? 0) > 10_000_000);

  pass(60_000);
  put(sink, triggered(slice('shop/web', { endpoints: [endpoint('10.1.0.9')] }), START + 58_500));
  const second = await untilSample(metrics, SYNCS, 2);
  t.equal(second.get('kubeproxy_sync_partial_proxy_rules_duration_seconds_count{ip_family="IPv4"}'), 1);
  t.equal(second.get(PROGRAMMED), 1.5, 'from the trigger to the commit');
  t.equal(second.get('kubeproxy_network_programming_duration_seconds_bucket{le="1",ip_family="IPv4"}'), 0);
  t.equal(second.get('kubeproxy_network_programming_duration_seconds_bucket{le="2",ip_family="IPv4"}'), 1);
  t.equal(second.get('kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds{ip_family="IPv4"}'), START / 1000 + 60);
  await stop();
});

t.test('Metrics keep triggers and pending changes over a failed sync', async (t) => {
  let failures = 0;
  const kernel = new FakeNftables();
  const run = async (lines: readonly string[]) => {
    if (failures > 0) throw new Error(`no: ${failures--}`);
    kernel.run(lines);
  };
  const { metrics, sink, stop } = world({ nftClient: { apply: run, list: async () => kernel.list() } });
  replaceAll(sink, [service(), slice()]);
  await untilSample(metrics, SYNCS, 1);
  failures = 1;
  put(sink, triggered(slice('shop/web', { endpoints: [endpoint('10.1.0.9')] }), START + 1));
  const samples = await untilSample(metrics, SYNCS, 3);
  t.equal(samples.get('nftlane_sync_failures_total'), 1);
  t.equal(samples.get('kubeproxy_sync_proxy_rules_nftables_sync_failures_total{ip_family="IPv6"}'), 1);
  t.equal(samples.get('kubeproxy_network_programming_duration_seconds_count{ip_family="IPv4"}'), 1);
  t.equal(samples.get('kubeproxy_sync_full_proxy_rules_duration_seconds_count{ip_family="IPv4"}'), 2);
  await stop();
});

t.test('Metrics count Service ports whose endpoints are all elsewhere', async (t) => {
  const { metrics, sink, stop } = world();
  const gap = (policy: string) =>
    `kubeproxy_sync_proxy_rules_no_local_endpoints_total{traffic_policy="${policy}",ip_family="IPv4"}`;
  const policies = { type: 'NodePort', internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local' };
  const ports = [{ port: 80, nodePort: 30080, protocol: 'TCP' }];
  const object = service('shop/web', { spec: { ...policies, ports } });
  const at = (nodeName: string) => slice('shop/web', { endpoints: [{ ...endpoint('10.1.0.1'), nodeName }] });
  replaceAll(sink, [object, at('n2')]);
  const remote = await untilSample(metrics, gap('internal'), 1);
  t.equal(remote.get(gap('external')), 1);
  put(sink, at('n1'));
  const local = await untilSample(metrics, gap('internal'), 0);
  t.equal(local.get(gap('external')), 0);
  put(sink, service('shop/web', { spec: { ...policies, internalTrafficPolicy: 'Cluster', ports } }), at('n2'));
  const outside = await untilSample(metrics, gap('external'), 1);
  t.equal(outside.get(gap('internal')), 0);
  remove(sink, at('n2'));
  const none = await untilSample(metrics, gap('external'), 0);
  t.equal(none.get(gap('internal')), 0, 'a Service without endpoints does not count');
  await stop();
});

t.test('Metrics report changes by other processes', async (t) => {
  const { metrics, stop } = world();
  t.match(Object.fromEntries(await scrape(metrics)), {
    nftlane_nft_monitor_listening: 0,
    nftlane_ruleset_contested: 0,
  });
  metrics.setRulesetWatch({
    monitor: () => ({ state: 'listening', reason: '', starts: 3 }),
    verification: () => ({ roundEndedMs: 90_000, differences: 2, skipped: 0 }),
    contest: () => ({ program: 'other', pid: 4711, repairs: 12, waitMs: 800 }),
  });
  metrics.observer.foreignCommit?.(summarize(foreignCommit('delete chain ip nftlane a', 'delete chain ip nftlane b')));
  t.match(Object.fromEntries(await scrape(metrics)), {
    nftlane_foreign_changes_total: 1,
    'nftlane_foreign_changed_objects_total{kind="chain"}': 2,
    nftlane_nft_monitor_listening: 1,
    nftlane_nft_monitor_starts_total: 3,
    nftlane_ruleset_contested: 1,
    nftlane_repair_wait_seconds: 0.8,
  });
  await stop();
});

t.test('Metrics report problems with objects, watches and requests', async (t) => {
  const { metrics, sink, stop } = world();
  const broken = service('shop/broken', { spec: { clusterIP: '172.30.0.99', ports: [{ port: 0 }, { port: 99999 }] } });
  replaceAll(sink, [service(), broken, slice()]);
  await untilSample(metrics, SYNCS, 1);
  const state = { phase: 'watching', resourceVersion: '5', lists: 1, watches: 2, events: 3, failures: 4 } as const;
  metrics.setReflectorStates(() => [
    { kind: 'Service', lastReceivedAt: 12_000, ...state },
    { kind: 'Node', ...state, phase: 'waiting' },
  ]);
  metrics.requestObserver({ method: 'GET', host: 'api:6443', status: 200, durationMs: 20 });
  metrics.requestObserver({ method: 'POST', host: 'api:6443', status: undefined, durationMs: 20 });
  metrics.countHealthResponse('healthz', 503);
  metrics.countEvent('sent');
  metrics.conntrack.countFailure('udp');
  metrics.conntrack.observe('udp', { durationMs: 3, deleted: { ip: 2, ip6: 0 } });
  metrics.observer.chainsModified?.(['ip services', 'ip6 services']);
  t.match(Object.fromEntries(await scrape(metrics)), {
    'nftlane_objects_with_invalid_fields{kind="Service"}': 1,
    'nftlane_objects_with_invalid_fields{kind="Node"}': 0,
    'nftlane_watch_connected{kind="Service"}': 1,
    'nftlane_watch_connected{kind="Node"}': 0,
    'nftlane_watch_last_activity_timestamp_seconds{kind="Service"}': 12,
    'nftlane_watch_starts_total{kind="Service"}': 2,
    'nftlane_watch_failures_total{kind="Node"}': 4,
    'rest_client_requests_total{code="200",host="api:6443",method="GET"}': 1,
    'rest_client_requests_total{code="<error>",host="api:6443",method="POST"}': 1,
    'rest_client_request_duration_seconds_bucket{le="0.025",host="api:6443",verb="GET"}': 1,
    'kubeproxy_proxy_healthz_total{code="503"}': 1,
    'kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family="IPv4"}': 2,
    'kubeproxy_conntrack_reconciler_sync_duration_seconds_count{ip_family="IPv6"}': 1,
    'nftlane_events_total{outcome="sent"}': 1,
    nftlane_conntrack_cleanup_failures_total: 1,
    nftlane_foreign_changes_total: 1,
    nftlane_foreign_changed_chains_total: 2,
  });
  const again = await scrape(metrics);
  t.equal(again.get('nftlane_watch_starts_total{kind="Service"}'), 2, 'a scrape adds nothing');
  await stop();
});

t.test("Metrics read the kernel's counters only if connections are to be counted", async (t) => {
  const off = world();
  replaceAll(off.sink, [service(), slice()]);
  await untilSample(off.metrics, SYNCS, 1);
  t.strictSame(off.counted, []);
  t.notMatch(await off.metrics.print(), /^nftlane_(service|endpoint)_connections_total\{/m);
  await off.stop();

  const KEY = '172.30.0.10 . tcp . 80';
  const count = async (): Promise<CounterListing> =>
    new Map([
      ['ip service-ips', [{ key: KEY, data: 'goto cluster-2', comment: 'shop/web:http', packets: 5 }]],
      [
        'ip endpoints',
        [
          { key: `${KEY} . 0`, data: '10.1.0.1 . 8080', comment: 'shop/web:http', packets: 3 },
          { key: `${KEY} . 1`, data: '10.1.0.2 . 8080', comment: 'shop/web:http', packets: 2 },
        ],
      ],
    ]);
  const on = world({ connectionLimit: 1, nftClient: { listElements: count } });
  const labels = 'namespace="shop",service="web",port="http",ip_family="IPv4"';
  const samples = await scrape(on.metrics);
  t.equal(samples.get(`nftlane_service_connections_total{${labels}}`), 5);
  t.equal(samples.get(`nftlane_service_rejected_connections_total{${labels}}`), 0);
  t.equal(samples.get(`nftlane_endpoint_connections_total{${labels},endpoint="10.1.0.1:8080"}`), 3);
  t.notOk(
    [...samples.keys()].some((sample) => sample.includes('10.1.0.2')),
    'only the busiest',
  );
  await on.stop();
});
