// Tests of src/fastpath/flows/flow-collector.ts.

import t from 'tap';
import { FlowCollector } from '../../../../src/fastpath/flows/flow-collector.ts';
import type { SlotCount } from '../../../../src/fastpath/loader/loader-client.ts';
import { MapState, type ResolvedFrontend } from '../../../../src/fastpath/maps/map-state.ts';
import { FakeBpfMaps } from '../../../support/builders/fake-bpf-maps.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';

const DEVICE = 7;
const FRONTENDS = ['192.0.2.1', '192.0.2.2'].map(
  (address): ResolvedFrontend => ({
    key: { address, port: 30080, protocol: 'tcp' },
    servicePort: 'shop/web',
    suspended: false,
    backends: [
      {
        ...{ address: '10.1.0.1', port: 8080, protocol: 'tcp', flags: 0, ifindex: DEVICE, l3if: DEVICE, mtu: 1500 },
        ...{ mac: new Uint8Array(6), gatewayMac: new Uint8Array(6) },
      },
    ],
  }),
);

/** A collector over maps with two frontends of a Service port, whose pod has slot 1. */
function begin() {
  const maps = new MapState(new FakeBpfMaps().installed(), -2000);
  const desired = { frontends: FRONTENDS, excludedSources: [], uplinks: new Map(), devices: new Set([DEVICE]) };
  maps.plan(desired, { now: 0, flows: undefined });
  const slots = new Map<number, SlotCount>();
  const collected = {
    ...{ scanned: 6, deleted: 2, remaining: { ip: 4, ip6: 0 } },
    bySlot: new Map([[1, 2]]),
  };
  const packets = [{ reason: 'FORWARDED', outcome: 'forwarded', count: 9, description: 'to its backend' }] as const;
  const loader = { collect: async () => collected, stats: async () => [...packets], slotCounts: async () => slots };
  const { log, lines } = recordLog();
  const collector = new FlowCollector({ loader, log });
  return {
    lines,
    collector,
    collected,
    packets,
    collect: (now: number) => collector.collect(maps, { frontends: FRONTENDS, now }),
    slots,
  };
}

t.test('collect() collects every three seconds and adds up totals', async (t) => {
  const { collector, collected, packets, collect } = begin();
  t.equal(collector.last, undefined);
  for (const now of [10_000, 11_000, 13_000, 16_000]) t.equal(await collect(now), false);
  t.strictSame(collector.totals, { collections: 3, scanned: 18, deleted: 6, fallbacks: 0 });
  t.strictSame(collector.last, { collected, packets });
  t.strictSame(collector.flows, { at: 16_000, bySlot: new Map([[1, 2]]) });
  collector.reset();
  t.equal(collector.flows, undefined);
});

t.test('collect() suspends a Service port without replies once, for ten minutes', async (t) => {
  const { collector, collect, slots, lines } = begin();
  await collect(10_000);
  slots.set(1, { created: 100, answered: 0 });
  t.equal(await collect(14_000), false, 'replies may still come');
  t.equal(await collect(18_000), true);
  t.equal(collector.totals.fallbacks, 1, 'one Service port, with two frontends');
  t.strictSame([...collector.suspendedAt(18_001)], ['shop/web']);
  t.notOk(collector.suspendedAt(18_001).has('shop/api'));
  t.strictSame([...collector.suspendedAt(18_001 + 600_000)], []);
  slots.clear();
  for (let now = 21_000; now < 640_000; now += 3_000) await collect(now);
  t.strictSame(lines, [
    {
      level: 'warn',
      message: 'no replies through the fast path; nftables takes over',
      details: { servicePort: 'shop/web' },
    },
    { level: 'info', message: 'fast path serves a Service port again', details: { servicePort: 'shop/web' } },
  ]);
});
