// Tests of src/fastpath/sync/plan-sync.ts.

import t from 'tap';
import type { DesiredFrontend } from '../../../../src/fastpath/eligibility/eligibility-index.ts';
import { MapState } from '../../../../src/fastpath/maps/map-state.ts';
import type { PodLocation } from '../../../../src/fastpath/node/pod-location.ts';
import { planDeviceRemoval, planSync, type SyncInput } from '../../../../src/fastpath/sync/plan-sync.ts';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import { FakeBpfMaps } from '../../../support/builders/fake-bpf-maps.ts';

const [ETH0, ETH1, VETH1, VETH2] = [2, 3, 21, 22];
const NO_DEVICES = { pod: new Set<number>(), uplink: new Set<number>() };
const UPLINKS = [
  { name: 'eth0', ifindex: ETH0, mtu: 1500, reason: undefined },
  { name: 'eth1', ifindex: ETH1, mtu: 1500, reason: 'it has qdisc ingress' },
];

function locationOf(ifindex: number): PodLocation {
  const macs = { mac: new Uint8Array(6).fill(ifindex), gatewayMac: new Uint8Array(6) };
  return { device: `veth${ifindex}`, ifindex, l3if: ifindex, mtu: 1500, ...macs };
}

const LOCATIONS = new Map([
  ['10.1.0.1', locationOf(VETH1)],
  ['10.1.0.2', locationOf(VETH2)],
]);

function frontend(addresses: readonly string[], { protocol = 'tcp' as 'tcp' | 'udp', port = 30_080 } = {}) {
  return {
    ...{ name: 'shop/web:http', servicePort: `shop/web:http ip ${protocol}`, kind: 'node-port' },
    key: { address: '192.0.2.1', port, protocol },
    endpoints: addresses.map((address) => ({ address, port: 8080 })),
  } satisfies DesiredFrontend;
}

/** Plans over maps that are empty at first. Each plan starts a second after the one before it. */
function planner() {
  const maps = new MapState(new FakeBpfMaps().installed(), 0);
  let now = 10_000;
  return {
    maps,
    plan: (frontends: readonly DesiredFrontend[], input: Partial<SyncInput> = {}) => {
      now += 1000;
      return planSync(
        {
          ...{ now, desired: { frontends, skipped: [] }, nodeConflict: undefined, uplinks: UPLINKS },
          ...{ locations: LOCATIONS, devices: new Set([ETH0, ETH1, VETH1, VETH2]), excludedSources: [] },
          ...{ attached: NO_DEVICES, flows: undefined, servesUdp: true, suspended: new Set() },
          ...input,
        },
        maps,
      );
    },
  };
}

t.test('planSync() attaches pods before uplinks, and only what is missing', async (t) => {
  const { plan } = planner();
  const { attach, maps, detach, inactiveReason } = plan([frontend(['10.1.0.1', '10.1.0.2'])]);
  t.strictSame(attach, [
    { role: 'pod', ifindex: VETH1 },
    { role: 'pod', ifindex: VETH2 },
    { role: 'uplink', ifindex: ETH0 },
  ]);
  t.strictSame(detach, []);
  t.equal(inactiveReason, undefined);
  t.match(maps.lines[0], /^put uplinks 02000000 /);
  const attached = { pod: new Set([VETH1, VETH2]), uplink: new Set([ETH0]) };
  const again = plan([frontend(['10.1.0.1', '10.1.0.2'])], { attached });
  t.match(again, { attach: [], detach: [], maps: { lines: [] } }, 'there is nothing left to do');
});

t.test('planSync() has nothing to do on a node without frontends and uplinks', async (t) => {
  const plan = planner().plan([], { uplinks: [] });
  t.match(plan, { attach: [], detach: [], maps: { lines: [] }, frontends: [], unresolved: [] });
  t.equal(plan.inactiveReason, 'no usable uplink');
});

t.test('planSync() takes no flows on a node with a conflict, and says why', async (t) => {
  const { plan } = planner();
  const { attach, frontends, unresolved, inactiveReason } = plan([frontend(['10.1.0.1'])], { nodeConflict: 'Calico' });
  t.strictSame(attach, []);
  t.strictSame(frontends, []);
  t.match(unresolved, [{ cause: 'node', reason: 'Calico' }]);
  t.equal(inactiveReason, 'Calico');
});

t.test('planSync() leaves a frontend to nft when one of its pods cannot be reached', async (t) => {
  const { plan } = planner();
  const locations = new Map<string, PodLocation | string>(LOCATIONS).set('10.1.0.2', 'no route to the pod');
  const { attach, frontends, unresolved } = plan(
    [frontend(['10.1.0.1', '10.1.0.2']), frontend(['10.1.0.1'], { port: 30_081 })],
    { locations },
  );
  t.match(unresolved, [{ cause: 'pod', reason: '10.1.0.2: no route to the pod', frontend: { key: { port: 30_080 } } }]);
  t.match(frontends, [{ key: { port: 30_081 } }]);
  t.equal(frontends.length, 1);
  t.strictSame(attach[0], { role: 'pod', ifindex: VETH1 });
});

t.test('planSync() leaves UDP to nft where the programs cannot take it', async (t) => {
  const { unresolved } = planner().plan([frontend(['10.1.0.1'], { protocol: 'udp' })], { servesUdp: false });
  t.match(unresolved, [{ cause: 'kernel', reason: /^UDP/ }]);
});

t.test('planSync() suspends frontends of suspended Service ports', async (t) => {
  const { plan, maps } = planner();
  const [tcp, udp] = [frontend(['10.1.0.1']), frontend(['10.1.0.1'], { protocol: 'udp' })];
  const { frontends } = plan([tcp, udp], { suspended: new Set([tcp.servicePort]) });
  t.strictSame(
    frontends.map(({ suspended }) => suspended),
    [true, false],
  );
  t.equal(maps.frontendOf(tcp.key)?.suspended, true);
});

t.test('planSync() detaches a pod when its last slot is freed, and the uplink when no slot is used', async (t) => {
  const { plan } = planner();
  const attached = { pod: new Set([VETH1, VETH2]), uplink: new Set([ETH0]) };
  plan([frontend(['10.1.0.1', '10.1.0.2'])]);
  const busy = plan([], { attached, nodeConflict: 'Calico', flows: { at: 0, bySlot: new Map() } });
  t.strictSame(busy.detach, [], 'slots may have flows that were not counted yet');
  const flows = { at: 13_500, bySlot: new Map([[2, 1]]) };
  const half = plan([], { attached, nodeConflict: 'Calico', flows });
  t.strictSame(half.detach, [{ role: 'pod', ifindex: VETH1 }]);
  const idle = { at: 14_500, bySlot: new Map() };
  const last = plan([], { attached: { ...attached, pod: new Set([VETH2]) }, nodeConflict: 'Calico', flows: idle });
  t.strictSame(last.detach, [
    { role: 'pod', ifindex: VETH2 },
    { role: 'uplink', ifindex: ETH0 },
  ]);
});

t.test('planSync() detaches programs of devices that do not exist any more', async (t) => {
  const { plan } = planner();
  plan([frontend(['10.1.0.1'])]);
  const { detach } = plan([frontend(['10.1.0.1'])], {
    attached: { pod: new Set([VETH1, 40]), uplink: new Set([ETH0, 41]) },
  });
  t.strictSame(detach, [
    { role: 'pod', ifindex: 40 },
    { role: 'uplink', ifindex: 41 },
  ]);
});

t.test('planSync() excludes sources before anything else, and includes them again last', async (t) => {
  const { plan } = planner();
  const excludedSources = ['10.1.0.0/16'].flatMap((text) => parsePrefix(text) ?? []);
  const { maps } = plan([frontend(['10.1.0.1'])], { excludedSources });
  t.match(maps.lines[0], /^put sources_v4 /);
  t.match(plan([frontend(['10.1.0.2'])]).maps.lines.at(-1), /^del sources_v4 /);
});

t.test('planSync() names frontends that do not fit', async (t) => {
  const { plan } = planner();
  const many = Array.from({ length: 4096 }, (_, i) => ({
    ...frontend(['10.1.0.1'], { port: i + 1 }),
    servicePort: `shop/web${i}`,
  }));
  const { overflow } = plan(many).maps;
  t.strictSame([...overflow], [['192.0.2.1 4096 tcp', 'slots']]);
});

t.test('planDeviceRemoval() frees the slots of pods whose devices were deleted', async (t) => {
  const { plan, maps } = planner();
  plan([frontend(['10.1.0.1']), frontend(['10.1.0.2'], { port: 30_081 })]);
  t.equal(planDeviceRemoval(maps, { devices: new Set([VETH1, VETH2]), now: 12_000 }), undefined);
  const removal = planDeviceRemoval(maps, { devices: new Set([VETH2]), now: 12_000 });
  t.strictSame(removal?.deleted, [VETH1]);
  t.match(removal?.lines, [/^del frontends /, /^put backends 01000000 /]);
  t.equal(planDeviceRemoval(maps, { devices: new Set([VETH2]), now: 12_000 }), undefined);
});
