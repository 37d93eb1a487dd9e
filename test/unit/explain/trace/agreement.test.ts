// Tests that resolveFlow(), from the objects, and trace(), from the compiled ruleset, agree on random packets.

import fc from 'fast-check';
import t from 'tap';
import type { Engine } from '../../../../src/engine/engine.ts';
import { explain } from '../../../../src/explain/explanation.ts';
import { diffOutcomes, type Outcome } from '../../../../src/explain/flow/flow-outcome.ts';
import type { Packet } from '../../../../src/explain/flow/packet.ts';
import { printExplanation } from '../../../../src/explain/print-explanation.ts';
import { resolveFlow } from '../../../../src/explain/services/resolve-flow.ts';
import { trace } from '../../../../src/explain/trace/trace.ts';
import { FAMILIES } from '../../../../src/net/family.ts';
import type { Host } from '../../../../src/net/host.ts';
import { type Prefix, parsePrefix } from '../../../../src/net/prefix.ts';
import type { ProxyOptions } from '../../../../src/nftables/compile/node-view.ts';
import { ClusterObjects, objectEvents } from '../../../support/builders/arbitrary-events.ts';
import { type AimedPacket, aimedPackets, atFrontend, hosts } from '../../../support/builders/arbitrary-packets.ts';
import { engineOf } from '../../../support/builders/engine.ts';
import { node } from '../../../support/builders/node.ts';
import { rulesetOf, serviceTableOf } from '../../../support/builders/rulesets.ts';
import { service } from '../../../support/builders/service.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';
import { contradictions } from '../../../support/masquerade-sentences.ts';

/** Override these to search with other seeds, or longer. */
const SEED = Number(process.env['SEED'] ?? 20_251);
const STATES = Number(process.env['STATES'] ?? 400);
const PACKETS = 40;

function blocks(...texts: readonly string[]): Prefix[] {
  return texts.flatMap((text) => parsePrefix(text) ?? []);
}

const PODS = blocks('10.1.0.0/16', 'fd01::/64');

const OPTIONS: fc.Arbitrary<Partial<ProxyOptions>> = fc.record({
  masqueradeAll: fc.constantFrom(false, false, true),
  strictSourceRanges: fc.boolean(),
  keepRouteSource: fc.boolean(),
  routeSources: fc.constantFrom(
    [],
    ['192.0.2.1', 'fd00::1', '10.1.0.1'].flatMap((address) =>
      ['lan', 'pod-a', 'pod-b'].map((link) => ({ address, link })),
    ),
  ),
  resetsConnections: fc.boolean(),
  detectLocal: fc.constantFrom<ProxyOptions['detectLocal']>(
    { mode: 'ClusterCIDR', cidrs: PODS },
    { mode: 'ClusterCIDR', cidrs: PODS },
    { mode: 'ClusterCIDR', cidrs: [] },
    { mode: 'BridgeInterface', name: 'pod-a' },
    { mode: 'InterfaceNamePrefix', name: 'pod-' },
  ),
  nodePortAddresses: fc.constantFrom<ProxyOptions['nodePortAddresses']>(
    ['primary'],
    ['all', 'localhost'],
    ['primary', 'localhost'],
    ['localhost'],
    blocks('192.0.2.0/24', 'fd00::/64'),
    blocks('0.0.0.0/0', '::/0'),
  ),
});

/** Describes each packet on which resolveFlow() and trace() differ. */
function disagreements(engine: Engine, host: Host, sent: readonly AimedPacket[], seen: Map<Outcome, number>): string[] {
  const table = serviceTableOf(engine, host);
  const [ip, ip6] = FAMILIES.map((family) => rulesetOf(engine, family));
  const frontends = [...table.entries.values()].map(({ frontend }) => frontend);
  return sent.flatMap((aimed) => {
    const packet = atFrontend(aimed, frontends);
    const ruleset = packet.family === 'ip' ? ip : ip6;
    if (ruleset === undefined) return ['no ruleset'];
    const resolved = resolveFlow(packet, table);
    const traced = trace(packet, ruleset, host);
    seen.set(resolved.outcome, (seen.get(resolved.outcome) ?? 0) + 1);
    const found = diffOutcomes(resolved, traced, { a: 'resolveFlow', b: 'trace' });
    if (traced.otherOutcomes.length > 0) found.push(`other paths end differently: ${traced.otherOutcomes}`);
    found.push(...contradictions(resolved.steps, traced));
    if (found.length === 0) return [];
    const steps = traced.steps.map((step) => `  ${step.hook} ${step.chain}: ${step.rule} ${step.element ?? ''}`);
    return [[JSON.stringify(packet), ...found, `  ${resolved.reason}`, ...resolved.steps, ...steps].join('\n')];
  });
}

t.test(
  'a pod is dropped if all endpoints that it may use have weight 0, even if other clients have an endpoint',
  async (t) => {
    const draining = { nodeName: 'n1', conditions: { ready: false, serving: true, terminating: true } };
    const engine = engineOf(
      [
        service('shop/web', {
          metadata: { annotations: { 'nftlane.io/weights': '10.1.0.2=0' } },
          spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local' },
          status: { loadBalancer: { ingress: [{ ip: '192.0.2.7' }] } },
        }),
        slice('shop/web', { endpoints: [endpoint('10.1.0.1', draining), endpoint('10.1.0.2', { nodeName: 'n2' })] }),
      ],
      { detectLocal: { mode: 'ClusterCIDR', cidrs: PODS } },
    );
    const host: Host = { addresses: ['192.0.2.1'], routes: [] };
    const at = { family: 'ip', protocol: 'tcp', sourcePort: 1, destination: '192.0.2.7', destinationPort: 80 } as const;
    const cases = [
      { source: '10.1.0.77', outcome: 'drop' },
      { source: '203.0.113.5', outcome: 'forward' },
    ] as const;
    for (const { source, outcome } of cases) {
      const packet: Packet = { ...at, source, inInterface: 'lan' };
      t.equal(trace(packet, rulesetOf(engine, 'ip'), host).outcome, outcome, source);
      t.equal(resolveFlow(packet, serviceTableOf(engine, host)).outcome, outcome, source);
    }
  },
);

t.test('a connection from a load balancer IP to itself is accepted if the source ranges admit the node', async (t) => {
  const engine = engineOf([
    node('n1'),
    service('shop/web', {
      spec: { type: 'LoadBalancer', loadBalancerSourceRanges: ['192.0.2.1/32'] },
      status: { loadBalancer: { ingress: [{ ip: '198.51.100.8' }] } },
    }),
    slice('shop/web'),
  ]);
  const host: Host = { addresses: ['192.0.2.1', '198.51.100.8'], routes: [] };
  const at = {
    family: 'ip',
    protocol: 'tcp',
    sourcePort: 1,
    destination: '198.51.100.8',
    destinationPort: 80,
  } as const;
  for (const [source, outcome] of [
    ['198.51.100.8', 'forward'],
    ['192.0.2.1', 'forward'],
    ['192.0.2.9', 'drop'],
  ] as const) {
    const packet: Packet = { ...at, source, inInterface: undefined };
    t.equal(trace(packet, rulesetOf(engine, 'ip'), host).outcome, outcome, source);
    t.equal(resolveFlow(packet, serviceTableOf(engine, host)).outcome, outcome, source);
  }
});

t.test('resolveFlow() and trace() agree on random packets in random clusters', async (t) => {
  const seen = new Map<Outcome, number>();
  const state = fc.record({
    history: objectEvents(40),
    options: OPTIONS,
    host: hosts(),
    sent: fc.array(aimedPackets(), { minLength: PACKETS, maxLength: PACKETS, size: 'max' }),
  });
  const property = fc.property(state, ({ history, options, host, sent }) => {
    const cluster = new ClusterObjects();
    for (const event of history) cluster.apply(event);
    const engine = engineOf(cluster.objects(), options);
    engine.setHostAddresses(host.addresses);
    engine.compile();
    const found = disagreements(engine, host, sent, seen);
    if (found.length > 0) throw new Error(found[0]);
  });
  fc.assert(property, { numRuns: STATES, seed: SEED });
  const counts = Object.fromEntries(seen);
  t.comment(JSON.stringify(counts));
  const total = [...seen.values()].reduce((sum, count) => sum + count, 0);
  t.ok(total >= 2_000, `${total} packets`);
  for (const outcome of ['forward', 'refuse', 'drop', 'untouched'] as const)
    t.ok((seen.get(outcome) ?? 0) > 100, `${seen.get(outcome)} end as ${outcome}`);
});

t.test('text and JSON of an explanation say what Services and rules do about masquerading', async (t) => {
  const seen = new Map<string, number>();
  const state = fc.record({
    history: objectEvents(40),
    options: OPTIONS,
    host: hosts(),
    sent: fc.array(aimedPackets(), { minLength: 8, maxLength: 8, size: 'max' }),
  });
  const property = fc.property(state, ({ history, options, host, sent }) => {
    const cluster = new ClusterObjects();
    for (const event of history) cluster.apply(event);
    const engine = engineOf(cluster.objects(), options);
    engine.setHostAddresses(host.addresses);
    engine.compile();
    const frontends = [...serviceTableOf(engine, host).entries.values()].map(({ frontend }) => frontend);
    for (const aimed of sent) {
      const packet = atFrontend(aimed, frontends);
      const explanation = explain(packet, { engine, ruleset: rulesetOf(engine, packet.family), host });
      const [beforeRules = ''] = printExplanation(explanation).split('\nKernel ruleset');
      for (const lines of [explanation.steps, beforeRules.split('\n')]) {
        const found = contradictions(lines, explanation.kernel);
        if (found.length > 0) throw new Error([JSON.stringify(packet), ...found, ...lines].join('\n'));
      }
      const kinds = explanation.endpoints.flatMap(({ masquerade }) => masquerade ?? []);
      const key = new Set(kinds).size === 2 ? 'mixed' : `${kinds[0] ?? 'none'}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
      const { destinations } = explanation.kernel;
      const inJson = explanation.endpoints.filter(({ masquerade }) => masquerade === true).length;
      if (inJson !== destinations.filter(({ masquerade }) => masquerade).length)
        throw new Error(`${JSON.stringify(packet)}: the endpoints of the JSON differ`);
    }
  });
  fc.assert(property, { numRuns: STATES, seed: SEED });
  t.comment(JSON.stringify(Object.fromEntries(seen)));
  for (const key of ['mixed', 'true', 'false', 'none']) t.ok((seen.get(key) ?? 0) > 10, `${key}: ${seen.get(key)}`);
});
