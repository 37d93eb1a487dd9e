// Tests of slots over time: what is kept for flows, what is given up at once, and what comes back.
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

/** Tables over empty maps, with a clock of their own. */
function begin() {
  const maps = new FakeBpfMaps();
  const clock = { now: 10_000 };
  const tables = new MapState(maps.installed(), clock.now - 2000);
  const go = (
    frontends: readonly ResolvedFrontend[],
    more: Partial<DesiredMaps> & { busy?: readonly number[] } = {},
  ) => {
    const { busy, ...rest } = more;
    clock.now += 10;
    const wanted = { frontends, excludedSources: [], uplinks: new Map(), devices: new Set([DEVICE]), ...rest };
    const flows = busy && { at: clock.now - 1, bySlot: new Map(busy.map((slot) => [slot, 1])) };
    const plan = tables.plan(wanted, { now: clock.now, flows });
    maps.apply(plan.lines, clock.now);
    return plan;
  };
  const used = () => [...tables.slots.used].map(({ index }) => index).sort();
  const leave = (...devices: readonly number[]) =>
    maps.apply(tables.removeDevices(new Set(devices), clock.now), clock.now);
  return { maps, clock, go, used, leave, tables };
}

t.test('a TCP backend keeps its slot until its flows are over', async (t) => {
  const { go, used, maps } = begin();
  go([frontend([1, 2])]);
  t.strictSame(used(), [1, 2]);
  go([frontend([2])]);
  t.strictSame(used(), [1, 2], 'not counted yet');
  go([frontend([2])], { busy: [1] });
  t.strictSame(used(), [1, 2], 'there are flows');
  go([frontend([2])], { busy: [] });
  t.strictSame(used(), [2]);
  t.strictSame(maps.violations, []);
});

t.test('a backend that comes back while it has flows gets its slot back', async (t) => {
  const { go, used } = begin();
  go([frontend([1, 2])]);
  go([frontend([2])], { busy: [1] });
  go([frontend([1, 2])], { busy: [1] });
  t.strictSame(used(), [1, 2]);
});

t.test('a pod with another MAC address keeps its slots, and with them its flows', async (t) => {
  const { go, used, maps } = begin();
  const at = (mac: number, address: number) => {
    const one = frontend([address], { protocol: 'udp' });
    return { ...one, backends: one.backends.map((backend) => ({ ...backend, mac: new Uint8Array(6).fill(mac) })) };
  };
  go([at(1, 1)]);
  go([at(2, 1)], { busy: [1] });
  t.strictSame(used(), [1]);
  t.match(maps.installed().backends.get(1), { gen: 1, mac: new Uint8Array(6).fill(2) });
  t.strictSame(go([at(2, 1)]).lines, []);
  go([at(2, 3)], { busy: [1] });
  t.strictSame(used(), [1, 2], 'another address is another backend');
  t.strictSame(maps.violations, []);
});

t.test('UDP backends leave at once and are given up after a second, whatever flows they have', async (t) => {
  const { go, used, maps, clock } = begin();
  const isLeaving = () => ((maps.installed().backends.get(1)?.flags ?? 0) & BACKEND_REPLY_ONLY) !== 0;
  const udp = frontend([1], { protocol: 'udp' });
  go([udp]);
  go([], { busy: [1] });
  t.ok(isLeaving());
  t.strictSame(go([], { busy: [1] }).lines, [], 'nothing is done twice');
  go([udp], { busy: [1] });
  t.notOk(isLeaving(), 'it comes back');
  go([], { busy: [1] });
  t.strictSame(used(), [1]);
  clock.now += 1000;
  go([], { busy: [1] });
  t.strictSame(used(), []);
  t.strictSame(maps.violations, []);
});

t.test('backends whose device has gone are given up at once', async (t) => {
  const { go, used, maps } = begin();
  go([frontend([1], { protocol: 'udp' }), frontend([3])]);
  go([], { busy: [1, 2], devices: new Set() });
  t.strictSame(used(), []);
  t.strictSame(maps.violations, []);
});

t.test('pods whose devices have gone are left before anything else is planned', async (t) => {
  const { go, used, leave, maps, tables } = begin();
  const deviceOf = (pod: number) => 20 + pod;
  const [two, one] = [frontend([1, 2], { deviceOf }), frontend([1], { deviceOf, port: 30_081 })];
  const devices = new Set([21, 22]);
  go([two, one], { devices });
  t.strictSame(used(), [1, 2]);
  leave(21);
  t.strictSame(
    tables.frontendKeys.map(({ port }) => port),
    [30_081],
    'nft has the frontend that led there',
  );
  t.strictSame(used(), [1], 'and nobody the slot');
  leave(21);
  t.strictSame(used(), [1]);
  go([frontend([1], { deviceOf }), one], { devices: new Set([21]) });
  t.strictSame(
    tables.frontendKeys.map(({ port }) => port),
    [30_080, 30_081],
  );
  t.strictSame(maps.violations, []);
});

t.test('a frontend without room stays out', async (t) => {
  const tables = new MapState(new FakeBpfMaps().installed(), 0);
  const crowd = Array.from({ length: 4096 }, (_, i) => ({ ...frontend([1], { port: i + 1 }), servicePort: `s${i}` }));
  const wanted = { frontends: crowd, excludedSources: [], uplinks: new Map(), devices: new Set([DEVICE]) };
  const { overflow } = tables.plan(wanted, { now: 2000, flows: undefined });
  t.strictSame([...overflow.values()], ['slots']);
});

t.test('a queue that comes up on the way to a pod holds for flows that live, too', async (t) => {
  const { go, used, maps } = begin();
  go([frontend([1, 2])]);
  go([frontend([1, 2], { flags: BACKEND_NEIGH })], { busy: [1, 2] });
  t.strictSame(used(), [1, 2], 'in the slots that they have');
  const flags = () => [...maps.installed().backends.values()].flatMap(({ gen, flags }) => (gen === 0 ? [] : flags));
  t.strictSame(flags(), [BACKEND_NEIGH, BACKEND_NEIGH]);
  go([frontend([1, 2])]);
  t.strictSame(flags(), [0, 0]);
  t.strictSame(maps.violations, []);
});

t.test('nothing is done twice', async (t) => {
  const { go } = begin();
  go([frontend([1, 2])]);
  t.strictSame(go([frontend([1, 2])]).lines, []);
});

t.test("a frontend's port is looked at until its last flow is over", async (t) => {
  const { go, maps } = begin();
  go([frontend([1])]);
  go([], { busy: [1] });
  t.not(maps.installed().ports.get(30080 >> 6), 0n);
  go([], { busy: [] });
  t.equal(maps.installed().ports.get(30080 >> 6), 0n);
});
