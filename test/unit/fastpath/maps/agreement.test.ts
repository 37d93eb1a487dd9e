// Property test: the maps of the fast path select from exactly the endpoints that the ruleset selects from.

import fc from 'fast-check';
import t from 'tap';
import { Engine } from '../../../../src/engine/engine.ts';
import type { FlowOutcome } from '../../../../src/explain/flow/flow-outcome.ts';
import { diffOutcomes, mergeDestinations } from '../../../../src/explain/flow/flow-outcome.ts';
import type { Packet } from '../../../../src/explain/flow/packet.ts';
import { resolveFlow } from '../../../../src/explain/services/resolve-flow.ts';
import { trace } from '../../../../src/explain/trace/trace.ts';
import { EligibilityIndex } from '../../../../src/fastpath/eligibility/eligibility-index.ts';
import { excludedSources } from '../../../../src/fastpath/eligibility/excluded-sources.ts';
import { resolveBackends } from '../../../../src/fastpath/eligibility/resolve-backends.ts';
import type { BackendValue, FrontendKey } from '../../../../src/fastpath/maps/entries.ts';
import { MapState } from '../../../../src/fastpath/maps/map-state.ts';
import { familyOf } from '../../../../src/net/address.ts';
import type { Host } from '../../../../src/net/host.ts';
import { isHostAddress } from '../../../../src/net/host.ts';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import type { ProxyOptions } from '../../../../src/nftables/compile/node-view.ts';
import { applyEvent, type ObjectEvent, objectEvents } from '../../../support/builders/arbitrary-events.ts';
import { type AimedPacket, aimedPackets, atFrontend, hosts } from '../../../support/builders/arbitrary-packets.ts';
import { FakeBpfMaps } from '../../../support/builders/fake-bpf-maps.ts';
import { DEFAULT_OPTIONS } from '../../../support/builders/proxy-options.ts';
import { rulesetOf, serviceTableOf } from '../../../support/builders/rulesets.ts';
import { type ApiObject, merge } from '../../../support/deployment/merge.ts';

const SEED = Number(process.env['SEED'] ?? 31);
const STATES = Number(process.env['STATES'] ?? 400);
const STEPS = 6;
const UPLINK = 'lan';

const PODS = ['10.1.0.0/16', 'fd01::/64'].flatMap((text) => parsePrefix(text) ?? []);
const NODE_BLOCKS = ['192.0.2.0/24', 'fd00::/64'].flatMap((text) => parsePrefix(text) ?? []);

const OPTIONS: fc.Arbitrary<Partial<ProxyOptions>> = fc.record({
  strictSourceRanges: fc.boolean(),
  masqueradeAll: fc.boolean(),
  detectLocal: fc.constantFrom<ProxyOptions['detectLocal']>(
    { mode: 'ClusterCIDR', cidrs: PODS },
    { mode: 'ClusterCIDR', cidrs: [] },
    { mode: 'InterfaceNamePrefix', name: 'pod-' },
  ),
  nodePortAddresses: fc.constantFrom<ProxyOptions['nodePortAddresses']>(['primary'], NODE_BLOCKS),
});

/** External clients, two pods, and a client with an address similar to a pod's. */
const SOURCES = {
  ip: ['203.0.113.5', '10.1.0.77', '10.1.0.1', '10.2.0.1'],
  ip6: ['2001:db8::5', 'fd01::77', 'fd02::1'],
};

/** Changes an event so that the fast path is eligible: Local policy, local endpoints, no feature that needs nftables. */
function toEligible({ verb, object }: ObjectEvent): ObjectEvent {
  if (object['kind'] === 'EndpointSlice') {
    const endpoints = (object['endpoints'] as readonly ApiObject[]).map((endpoint) => ({
      ...endpoint,
      nodeName: 'n1',
    }));
    return { verb, object: { ...object, endpoints } };
  }
  if (object['kind'] !== 'Service') return { verb, object };
  const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', sessionAffinity: 'None' };
  return { verb, object: merge(object, { spec, metadata: { annotations: { 'nftlane.io/balance': 'random' } } }) };
}

/** The path to a pod, from the last digit of its address. */
function backendAt(address: string): Omit<BackendValue, 'gen' | 'svc' | 'port' | 'protocol'> {
  const digit = Number(address.at(-1));
  const ifindex = 100 + digit;
  const mac = new Uint8Array([2, 0, 0, 0, 0, digit]);
  return { address, flags: 0, ifindex, l3if: ifindex, mtu: 1500, mac, gatewayMac: mac };
}

const NOT_FOUND = { cause: 'pod', reason: 'no device' } as const;

/** The outcome of a packet that the maps take, for comparison with `resolveFlow` and `trace`. */
function outcomeOf(backends: readonly BackendValue[]): FlowOutcome {
  const share = 1 / backends.length;
  const destinations = backends.map(({ address, port }) => ({ address, port, share, masquerade: false }));
  return { outcome: 'forward', destinations: mergeDestinations(destinations) };
}

t.test(
  'the maps select from the same endpoints as the ruleset, and every write keeps the rules for writers',
  async (t) => {
    let taken = 0;
    let changes = 0;
    const history = fc.array(
      fc.record({
        events: fc
          .array(fc.boolean(), { minLength: 12, maxLength: 12, size: 'max' })
          .chain((eligible) =>
            objectEvents(12).map((events) => events.map((event, i) => (eligible[i] ? toEligible(event) : event))),
          ),
        /** Pods that have a device. */
        podsWithDevice: fc.oneof(
          fc.constant<number[]>([1, 2, 3, 4]),
          fc.subarray<number>([1, 2, 3, 4], { minLength: 2 }),
        ),
        flows: fc.subarray(Array.from({ length: 12 }, (_, i) => i + 1)),
        pauseMs: fc.constantFrom(10, 700, 5000),
        restarted: fc.constantFrom(false, false, false, true),
        sent: fc.array(aimedPackets(), { minLength: 10, maxLength: 10, size: 'max' }),
      }),
      { minLength: STEPS, maxLength: STEPS, size: 'max' },
    );
    const property = fc.property(
      fc.record({ history, options: OPTIONS, host: hosts() }),
      ({ history, options, host }) => {
        const engine = new Engine({ ...DEFAULT_OPTIONS, nodeName: 'n1', ...options });
        engine.setHostAddresses(host.addresses);
        const index = new EligibilityIndex(engine);
        for (const kind of ['Service', 'EndpointSlice', 'Node', 'ServiceCIDR'] as const) engine.replace(kind, []);
        engine.adopt({ elements: new Map(), chains: [] });
        const maps = new FakeBpfMaps();
        let now = 1_000_000;
        const readMaps = () => new MapState(maps.installed(), now);
        let state = readMaps();
        for (const { events, podsWithDevice, flows, pauseMs, restarted, sent } of history) {
          for (const event of events) applyEvent(engine, event);
          engine.compile();
          index.update(engine.changes.take());
          now += pauseMs;
          if (restarted) state = readMaps();
          const desired = index.desired(host.addresses);
          const { frontends } = resolveBackends(desired.frontends, ({ address, port, protocol }) =>
            podsWithDevice.includes(Number(address.at(-1))) ? { ...backendAt(address), port, protocol } : NOT_FOUND,
          );
          const { addresses: hostAddresses } = host;
          const sources = excludedSources(engine.node, { hostAddresses, podCidrs: [] });
          const devices = new Set(podsWithDevice.map((digit) => 100 + digit));
          const counted = { at: now - 1, bySlot: new Map(flows.map((slot) => [slot, 1])) };
          const { lines } = state.plan(
            { frontends, excludedSources: sources, uplinks: new Map([[2, 1500]]), devices },
            { now, flows: counted },
          );
          changes += lines.length;
          maps.apply(lines, now);
          if (maps.violations.length > 0) throw new Error(maps.violations.join('\n'));
          const { frontendKeys } = state;
          taken += compareAll(engine, host, { maps, frontends: frontendKeys, sent });
        }
      },
    );
    fc.assert(property, { numRuns: STATES, seed: SEED });
    t.comment(`${taken} packets taken, ${changes} changes of maps`);
    t.ok(taken > 800, `${taken} packets taken`);
  },
);

interface Sent {
  readonly maps: FakeBpfMaps;
  readonly frontends: readonly FrontendKey[];
  readonly sent: readonly AimedPacket[];
}

/** Packets to every frontend in the maps from every kind of source. */
function packetsTo(frontends: readonly FrontendKey[]): Packet[] {
  return frontends.flatMap(({ address: destination, port: destinationPort, protocol }) => {
    const family = familyOf(destination);
    return SOURCES[family].map((source) => ({
      ...{ family, protocol, source, sourcePort: 40_000, destination, destinationPort, inInterface: UPLINK },
    }));
  });
}

/** Throws if the maps take a packet with another outcome than the ruleset. Returns how many packets they take. */
function compareAll(engine: Engine, host: Host, { maps, frontends, sent }: Sent): number {
  const table = serviceTableOf(engine, host);
  const rulesets = { ip: rulesetOf(engine, 'ip'), ip6: rulesetOf(engine, 'ip6') };
  const allFrontends = [...table.entries.values()].map(({ frontend }) => frontend);
  let taken = 0;
  const aimedElsewhere = sent.map((aimed): Packet => ({ ...atFrontend(aimed, allFrontends), inInterface: UPLINK }));
  for (const packet of [...packetsTo(frontends), ...aimedElsewhere]) {
    // The programs see packets from outside only, which never have an address of this node as their source.
    if (isHostAddress(host, packet.source)) continue;
    const choice = maps.backendsFor(packet);
    // The reverse route to a backend does not use the uplink, so the programs do not take a packet from its address.
    if (choice === undefined || choice.some(({ address }) => address === packet.source)) continue;
    taken++;
    const outcome = outcomeOf(choice);
    const found = [
      ...diffOutcomes(outcome, resolveFlow(packet, table), { a: 'maps', b: 'route' }),
      ...diffOutcomes(outcome, trace(packet, rulesets[packet.family], host), { a: 'maps', b: 'trace' }),
    ];
    if (found.length > 0) throw new Error([JSON.stringify(packet), ...found].join('\n'));
  }
  return taken;
}
