// Tests of src/metrics/fast-path-metrics.ts.
import { Registry } from 'prom-client';
import t from 'tap';
import type { FastPathView } from '../../../src/inspect/fast-path-view.ts';
import { registerFastPathMetrics } from '../../../src/metrics/fast-path-metrics.ts';

const FRONTEND = { name: 'shop/web', kind: 'node-port', dialled: '192.0.2.1 30080/tcp', backends: [], flows: 3 };
const VIEW: FastPathView = {
  mode: 'auto',
  state: 'on',
  uplinks: [{ name: 'eth0' }, { name: 'eth1', reason: 'it is not used' }],
  pods: ['veth1', 'veth2', 'veth3'],
  frontends: [FRONTEND, { ...FRONTEND, passes: 'no answers' }],
  left: [{ name: 'shop/dns', dialled: '192.0.2.1 30053/udp', reason: 'affinity' }],
  flows: { ip: 4, ip6: 5 },
  slots: { used: 7, draining: 6 },
  reasons: { PORT: 8, TAKEN: 9, ANSWERED: 10, REROUTED: 11 },
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
    ...['on 1', 'uplinks 1', 'pods 3', 'frontends 2', 'passing_frontends 1', 'left_frontends 1', 'slots 7'],
    ...['draining_slots 6', 'flows{ip_family="IPv4"} 4', 'flows{ip_family="IPv6"} 5'],
    ...['taken_packets_total{reason="taken"} 9', 'taken_packets_total{reason="answered"} 10'],
    'passed_packets_total{reason="port"} 8',
  ];
  t.strictSame(await samples(VIEW), wanted.sort());
});

t.test('off by itself is 0, and switched off is nothing', async (t) => {
  t.ok((await samples({ ...VIEW, state: 'off' })).includes('on 0'));
  t.strictSame(await samples({ ...VIEW, mode: 'off', state: 'off' }), []);
  t.strictSame(await samples(undefined), []);
});
