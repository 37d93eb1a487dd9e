// Tests of src/fastpath/maps/map-state.ts: how long slots, frontends and port bits stay.

import t from 'tap';
import type { FastPathProtocol } from '../../../../src/fastpath/maps/entries.ts';
import { BACKEND_NEIGH, BACKEND_REPLY_ONLY } from '../../../../src/fastpath/maps/layout.ts';
import { type DesiredMaps, MapState, type ResolvedFrontend } from '../../../../src/fastpath/maps/map-state.ts';
import { FakeBpfMaps } from '../../../support/builders/fake-bpf-maps.ts';

const DEVICE = 7;

function frontend(
  pods: readonly number[],
  { port = 30080, protocol = 'tcp' as FastPathProtocol, flags = 0, deviceOf = (_: number): number => DEVICE } = {},
): ResolvedFrontend {
  const backends = pods.map((pod) => ({
    ...{ address: `10.1.0.${pod}`, port: 8080, protocol, flags, l3if: DEVICE, mtu: 1500 },
    ifindex: deviceOf(pod),
    ...{ mac: new Uint8Array(6).fill(pod), gatewayMac: new Uint8Array(6) },
  }));
  return { key: { address: '192.0.2.1', port, protocol }, servicePort: `web ${protocol}`, backends, suspended: false };
}

/** A state over empty maps, with a clock. */
function start() {
  const maps = new FakeBpfMaps();
  const clock = { now: 10_000 };
  const state = new MapState(maps.installed(), clock.now - 2000);
  const apply = (
    frontends: readonly ResolvedFrontend[],
    more: Partial<DesiredMaps> & { busy?: readonly number[] } = {},
  ) => {
    const { busy, ...rest } = more;
    clock.now += 10;
    const desired = { frontends, excludedSources: [], uplinks: new Map(), devices: new Set([DEVICE]), ...rest };
    const flows = busy && { at: clock.now - 1, bySlot: new Map(busy.map((slot) => [slot, 1])) };
    const plan = state.plan(desired, { now: clock.now, flows });
    maps.apply(plan.lines, clock.now);
    return plan;
  };
  const used = () => [...state.slots.used].map(({ index }) => index).sort();
  const keepDevices = (...devices: readonly number[]) =>
    maps.apply(state.removeDevices(new Set(devices), clock.now), clock.now);
  return { maps, clock, apply, used, keepDevices, state };
}

t.test('a TCP backend keeps its slot until its last flow ends', async (t) => {
  const { apply, used, maps } = start();
  apply([frontend([1, 2])]);
  t.strictSame(used(), [1, 2]);
  apply([frontend([2])]);
  t.strictSame(used(), [1, 2], 'not counted yet');
  apply([frontend([2])], { busy: [1] });
  t.strictSame(used(), [1, 2], 'flows are live');
  apply([frontend([2])], { busy: [] });
  t.strictSame(used(), [2]);
  t.strictSame(maps.violations, []);
});

t.test('a backend that returns while it has flows gets the same slot', async (t) => {
  const { apply, used } = start();
  apply([frontend([1, 2])]);
  apply([frontend([2])], { busy: [1] });
  apply([frontend([1, 2])], { busy: [1] });
  t.strictSame(used(), [1, 2]);
});

t.test('a pod with a changed MAC address keeps its slots and flows', async (t) => {
  const { apply, used, maps } = start();
  const at = (mac: number, address: number) => {
    const one = frontend([address], { protocol: 'udp' });
    return { ...one, backends: one.backends.map((backend) => ({ ...backend, mac: new Uint8Array(6).fill(mac) })) };
  };
  apply([at(1, 1)]);
  apply([at(2, 1)], { busy: [1] });
  t.strictSame(used(), [1]);
  t.match(maps.installed().backends.get(1), { gen: 1, mac: new Uint8Array(6).fill(2) });
  t.strictSame(apply([at(2, 1)]).lines, []);
  apply([at(2, 3)], { busy: [1] });
  t.strictSame(used(), [1, 2], 'another address is another backend');
  t.strictSame(maps.violations, []);
});

t.test('a UDP backend becomes reply-only immediately, and is freed after a second even with flows', async (t) => {
  const { apply, used, maps, clock } = start();
  const isReplyOnly = () => ((maps.installed().backends.get(1)?.flags ?? 0) & BACKEND_REPLY_ONLY) !== 0;
  const udp = frontend([1], { protocol: 'udp' });
  apply([udp]);
  apply([], { busy: [1] });
  t.ok(isReplyOnly());
  t.strictSame(apply([], { busy: [1] }).lines, [], 'there is nothing more to do');
  apply([udp], { busy: [1] });
  t.notOk(isReplyOnly(), 'the backend returns');
  apply([], { busy: [1] });
  t.strictSame(used(), [1]);
  clock.now += 1000;
  apply([], { busy: [1] });
  t.strictSame(used(), []);
  t.strictSame(maps.violations, []);
});

t.test('backends whose device was deleted are freed immediately', async (t) => {
  const { apply, used, maps } = start();
  apply([frontend([1], { protocol: 'udp' }), frontend([3])]);
  apply([], { busy: [1, 2], devices: new Set() });
  t.strictSame(used(), []);
  t.strictSame(maps.violations, []);
});

t.test('removeDevices() removes frontends of deleted pods and frees their slots', async (t) => {
  const { apply, used, keepDevices, maps, state } = start();
  const deviceOf = (pod: number) => 20 + pod;
  const [two, one] = [frontend([1, 2], { deviceOf }), frontend([1], { deviceOf, port: 30_081 })];
  const devices = new Set([21, 22]);
  apply([two, one], { devices });
  t.strictSame(used(), [1, 2]);
  keepDevices(21);
  t.strictSame(
    state.frontendKeys.map(({ port }) => port),
    [30_081],
    'nftables serves the frontend with the deleted pod',
  );
  t.strictSame(used(), [1], 'the slot is free');
  keepDevices(21);
  t.strictSame(used(), [1]);
  apply([frontend([1], { deviceOf }), one], { devices: new Set([21]) });
  t.strictSame(
    state.frontendKeys.map(({ port }) => port),
    [30_080, 30_081],
  );
  t.strictSame(maps.violations, []);
});

t.test('a frontend without a free slot is reported as overflow', async (t) => {
  const state = new MapState(new FakeBpfMaps().installed(), 0);
  const frontends = Array.from({ length: 4096 }, (_, i) => ({
    ...frontend([1], { port: i + 1 }),
    servicePort: `s${i}`,
  }));
  const desired = { frontends, excludedSources: [], uplinks: new Map(), devices: new Set([DEVICE]) };
  const { overflow } = state.plan(desired, { now: 2000, flows: undefined });
  t.strictSame([...overflow.values()], ['slots']);
});

t.test('a qdisc that is added later applies to live flows, too', async (t) => {
  const { apply, used, maps } = start();
  apply([frontend([1, 2])]);
  apply([frontend([1, 2], { flags: BACKEND_NEIGH })], { busy: [1, 2] });
  t.strictSame(used(), [1, 2], 'the slots stay the same');
  const flags = () => [...maps.installed().backends.values()].flatMap(({ gen, flags }) => (gen === 0 ? [] : flags));
  t.strictSame(flags(), [BACKEND_NEIGH, BACKEND_NEIGH]);
  apply([frontend([1, 2])]);
  t.strictSame(flags(), [0, 0]);
  t.strictSame(maps.violations, []);
});

t.test('plan() has nothing to do when nothing changed', async (t) => {
  const { apply } = start();
  apply([frontend([1, 2])]);
  t.strictSame(apply([frontend([1, 2])]).lines, []);
});

t.test("a frontend's port bit stays until its last flow ends", async (t) => {
  const { apply, maps } = start();
  apply([frontend([1])]);
  apply([], { busy: [1] });
  t.not(maps.installed().ports.get(30080 >> 6), 0n);
  apply([], { busy: [] });
  t.equal(maps.installed().ports.get(30080 >> 6), 0n);
});
