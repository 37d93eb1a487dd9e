// Tests of src/fastpath/status/build-status.ts.

import t from 'tap';
import type { DesiredFrontend } from '../../../../src/fastpath/eligibility/eligibility-index.ts';
import { BACKEND_NEIGH } from '../../../../src/fastpath/maps/layout.ts';
import { MapState, type ResolvedFrontend } from '../../../../src/fastpath/maps/map-state.ts';
import { failingStatus, inactiveStatus, statusOf } from '../../../../src/fastpath/status/build-status.ts';
import type { SyncResult } from '../../../../src/fastpath/sync/reconciler.ts';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import { FakeBpfMaps } from '../../../support/builders/fake-bpf-maps.ts';
import { FAST_PATH_STATUS } from '../../../support/builders/fast-path-status.ts';

const VETH = {
  ...{ ifindex: 7, name: 'veth7', mtu: 1500, mac: '02:00:00:00:00:07', type: 'ether', kind: 'veth' },
  ...{ master: undefined, hasPeerInOtherNetns: true },
};

function frontend(port: number): DesiredFrontend {
  return {
    ...{ name: `shop/web:${port}`, servicePort: `shop/web:${port} ip tcp`, kind: 'node-port' },
    key: { address: '192.0.2.1', port, protocol: 'tcp' },
    endpoints: [{ address: '10.1.0.1', port: 8080 }],
  };
}

function resolved({ key, servicePort }: DesiredFrontend, suspended = false): ResolvedFrontend {
  const path = { flags: BACKEND_NEIGH, ifindex: 7, l3if: 7, mtu: 1500, mac: new Uint8Array(6) };
  const backend = { address: '10.1.0.1', port: 8080, protocol: 'tcp', gatewayMac: new Uint8Array(6), ...path } as const;
  return { key, servicePort, backends: [backend], suspended };
}

/** The result of a sync with two served frontends, and one of each kind that is not. */
function syncResult(overrides: Partial<SyncResult['plan']> = {}): SyncResult {
  const [served, suspended] = [frontend(80), frontend(81)];
  const [unresolved, overflow] = [frontend(82), frontend(83)];
  const maps = new MapState(new FakeBpfMaps().installed(), -2000);
  const desired = { frontends: [resolved(served), resolved(suspended, true)], excludedSources: [] };
  maps.plan({ ...desired, uplinks: new Map(), devices: new Set([7]) }, { now: 0, flows: undefined });
  const servicePort = { name: 'dns', protocol: 'sctp', port: 53, nodePort: 30_053 } as const;
  const ineligible = { family: 'ip', kind: 'node-port', address: undefined, port: 30_053, policy: 'Local' } as const;
  return {
    input: {
      ...{ now: 0, nodeConflict: undefined, locations: new Map(), devices: new Set([7]), flows: undefined },
      ...{ servesUdp: true, suspended: new Set(), attached: { pod: new Set(), uplink: new Set() } },
      desired: {
        frontends: [served, suspended, unresolved, overflow],
        skipped: [
          {
            ...{ name: 'shop/dns:dns', cause: 'protocol', reason: 'SCTP', addresses: ['192.0.2.1', '192.0.2.2'] },
            frontend: { ...ineligible, servicePort },
          },
        ],
      },
      uplinks: [
        { name: 'eth0', ifindex: 2, mtu: 1500, reason: undefined },
        { name: 'eth1', ifindex: 3, mtu: 1500, reason: 'no such device' },
      ],
      excludedSources: ['10.1.0.0/16'].flatMap((text) => parsePrefix(text) ?? []),
    },
    plan: {
      ...{ inactiveReason: undefined, frontends: [], attach: [], detach: [] },
      unresolved: [{ frontend: unresolved, cause: 'pod', reason: 'no route to the pod' }],
      maps: { lines: [], overflow: new Map([['192.0.2.1 83 tcp', 'slots']]) },
      ...overrides,
    },
    maps,
    network: {
      links: new Map([['veth7', VETH]]),
      ...{ neighbors: new Map(), stale: new Set(), bridgePorts: new Map(), defaultRouteDevices: [] },
    },
    attached: { pod: new Set([9, 7]), uplink: new Set([2]) },
    servesUdp: true,
    maxFlows: 100,
    flows: { at: 0, bySlot: new Map([[1, 4]]) },
    lastCollection: {
      collected: { scanned: 10, deleted: 0, remaining: { ip: 8, ip6: 2 }, bySlot: new Map() },
      packets: FAST_PATH_STATUS.packets,
    },
  };
}

t.test('statusOf() lists served frontends with backends and flows', async (t) => {
  const { frontends } = statusOf({ ...syncResult(), mode: 'auto', attach: 'tcx' });
  const backends = ['veth7 10.1.0.1:8080 (through its qdisc or filter)'];
  t.strictSame(frontends, [
    { name: 'shop/web:80', kind: 'node-port', destination: '192.0.2.1:80/tcp', backends, flows: 4 },
    {
      ...{ name: 'shop/web:81', kind: 'node-port', destination: '192.0.2.1:81/tcp', backends, flows: 0 },
      suspended: 'no replies through the fast path',
    },
  ]);
});

t.test('statusOf() lists skipped frontends of every kind', async (t) => {
  const { skipped } = statusOf({ ...syncResult(), mode: 'auto', attach: 'tcx' });
  t.strictSame(
    skipped.map(({ destination, cause, reason }) => `${destination} ${cause} ${reason}`),
    [
      '192.0.2.1:30053/sctp protocol SCTP',
      '192.0.2.2:30053/sctp protocol SCTP',
      '192.0.2.1:82/tcp pod no route to the pod',
      '192.0.2.1:83/tcp capacity no free slots',
    ],
  );
});

t.test('statusOf() shows devices, tables and slots', async (t) => {
  const status = statusOf({ ...syncResult(), mode: 'required', attach: 'clsact' });
  t.match(status, { mode: 'required', state: 'on', attach: 'clsact', udp: true, packets: FAST_PATH_STATUS.packets });
  t.strictSame(status.uplinks, [{ name: 'eth0' }, { name: 'eth1', reason: 'no such device' }]);
  t.strictSame(status.podDevices, ['device 9', 'veth7'], 'a device without a name has its ifindex');
  t.strictSame(status.excludedSources, ['10.1.0.0/16']);
  t.strictSame(status.flows, { ip: 4, ip6: 1 });
  t.strictSame(status.flowTables, { ip: { entries: 8, limit: 200 }, ip6: { entries: 2, limit: 200 } });
  t.strictSame(status.slots, { used: 2, draining: 0 });
});

t.test('statusOf() is off if the plan takes no flows', async (t) => {
  const status = statusOf({ ...syncResult({ inactiveReason: 'Calico' }), mode: 'auto', attach: undefined });
  t.match(status, { state: 'off', reason: 'Calico' });
  t.notOk('attach' in status);
});

t.test('failingStatus() keeps the last status and its own state', async (t) => {
  const failing = { reason: 'the loader exited', since: '2026-01-02T03:04:05.678Z', attempts: 3 };
  const on = failingStatus({ ...FAST_PATH_STATUS, reason: 'old' }, { failing, inactiveReason: undefined });
  t.strictSame(on, { ...FAST_PATH_STATUS, failing });
  const off = failingStatus(FAST_PATH_STATUS, { failing, inactiveReason: 'setup failed' });
  t.strictSame(off, { ...FAST_PATH_STATUS, failing, state: 'off', reason: 'setup failed' });
});

t.test('inactiveStatus() is empty', async (t) => {
  const status = inactiveStatus('off', 'turned off');
  t.match(status, { mode: 'off', state: 'off', reason: 'turned off', frontends: [], slots: { used: 0, draining: 0 } });
  t.ok(Object.values(status.totals).every((count) => count === 0));
});
