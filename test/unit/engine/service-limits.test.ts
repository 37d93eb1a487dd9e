// Tests of src/engine/service-limits.ts: Services that exceed a limit.

import fc from 'fast-check';
import t from 'tap';
import { engineFromState, engineState } from '../../../src/admin/state/daemon-state.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { render } from '../../../src/engine/render.ts';
import { explain } from '../../../src/explain/explanation.ts';
import { printServices } from '../../../src/inspect/print-services.ts';
import { viewServices } from '../../../src/inspect/service-view.ts';
import { DEFAULT_LIMITS, type Limits } from '../../../src/nftables/plan/budget.ts';
import { applyEvent, ClusterObjects, objectEvents } from '../../support/builders/arbitrary-events.ts';
import { elementsOf, engineOf } from '../../support/builders/engine.ts';
import { put, remove } from '../../support/builders/put-objects.ts';
import { rulesetOf } from '../../support/builders/rulesets.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';

/** Limits with these numbers of elements. */
function limitsOf(elements: { readonly service: number; readonly total: number }): Limits {
  return {
    service: { ...DEFAULT_LIMITS.service, elements: elements.service },
    total: { ...DEFAULT_LIMITS.total, elements: elements.total },
  };
}

/** A Service with a number of ports and endpoints; each endpoint is listed once. */
function large(name: string, { ports, endpoints, ...overrides }: ApiObject & { ports: number; endpoints: number }) {
  const names = Array.from({ length: ports }, (_, index) => ({ name: `p${index}`, protocol: 'TCP' }));
  return [
    service(name, {
      spec: { ...clusterIps('10.96.0.9'), ports: names.map((port, index) => ({ ...port, port: 1000 + index })) },
      ...overrides,
    }),
    slice(name, {
      ports: names.map((port) => ({ ...port, port: 8080 })),
      endpoints: Array.from({ length: endpoints }, (_, index) => endpoint(`10.2.${index >> 8}.${index & 255}`)),
    }),
  ];
}

const MAGLEV = { metadata: { annotations: { 'nftlane.io/balance': 'maglev' } } };
const SMALL = [service('shop/web'), slice('shop/web')];

function limitedOf(engine: Engine): string[] {
  return engine.limited().map(({ service, effect }) => `${service} ${effect}`);
}

t.test('a maglev Service that exceeds the limit is balanced by source hash', async (t) => {
  const objects = [...SMALL, ...large('tenant/greedy', { ports: 100, endpoints: 340, ...MAGLEV })];
  const engine = engineOf(objects);
  t.strictSame(engine.limited(), [
    {
      service: 'tenant/greedy',
      effect: 'source-hash',
      reason: 'needs 6552201 elements, but limits.service.elements is 200000',
    },
  ]);
  t.equal(elementsOf(engine).filter((element) => element.includes('10.96.0.9 . tcp . 1000')).length, 341);
  t.ok(elementsOf(engine).includes('ip service-ips: 10.96.0.9 . tcp . 1000 : goto cluster-source-340'));
  t.match(printServices(viewServices(engine, new Map(), 'tenant/greedy')), /6552201 elements.*source-hash instead$/m);
});

t.test('a Service that is still too large is left out, and is served again when it shrinks', async (t) => {
  const limits = limitsOf({ service: 500, total: 5000 });
  const engine = engineOf([...SMALL, ...large('tenant/greedy', { ports: 10, endpoints: 60, ...MAGLEV })], { limits });
  t.strictSame(limitedOf(engine), ['tenant/greedy left-out']);
  const own = () => elementsOf(engine).filter((element) => element.includes('10.96.0.9'));
  t.strictSame(own(), ['ip cluster-ips: 10.96.0.9'], 'connections to its cluster IP are refused');
  t.ok(
    elementsOf(engine).some((element) => element.startsWith('ip service-ips: 10.96.0.1 ')),
    'others are served',
  );
  t.match(printServices(viewServices(engine, new Map(), 'tenant/greedy')), /needs 611 elements, but limits\.service/);
  put(engine, ...large('tenant/greedy', { ports: 10, endpoints: 4 }));
  engine.compile();
  t.strictSame(limitedOf(engine), []);
  t.ok(own().some((element) => element.endsWith('goto cluster-4')));
});

t.test('others get the elements of a Service that is deleted', async (t) => {
  const limits = limitsOf({ service: 500, total: 500 });
  const created = (year: number) => ({ metadata: { creationTimestamp: `${year}-01-01T00:00:00Z` } });
  const first = large('a/old', { ports: 5, endpoints: 60, ...created(2020) });
  const engine = engineOf([...first, ...large('a/new', { ports: 5, endpoints: 60, ...created(2024) })], { limits });
  t.strictSame(limitedOf(engine), ['a/new left-out']);
  t.match(engine.limited()[0]?.reason, /all Services together may have 500 \(limits\.total\.elements\)/);
  remove(engine, ...first);
  engine.compile();
  t.strictSame(limitedOf(engine), []);
});

t.test('session affinity gives way to source hash', async (t) => {
  const spec = { ...clusterIps('10.96.0.9'), sessionAffinity: 'ClientIP' };
  const affinity = large('tenant/greedy', { ports: 1, endpoints: 2 }).map((object) =>
    object['kind'] === 'Service' ? service('tenant/greedy', { spec }) : slice('tenant/greedy'),
  );
  const limits = { ...DEFAULT_LIMITS, total: { ...DEFAULT_LIMITS.total, affinityPorts: 0 } };
  const engine = engineOf(affinity, { limits });
  t.strictSame(limitedOf(engine), ['tenant/greedy source-hash']);
  t.ok(elementsOf(engine).includes('ip service-ips: 10.96.0.9 . tcp . 80 : goto cluster-source-1'));
  t.strictSame(engine.takeAffinityMaps(), []);
});

t.test('render, explain and a copy of the daemon agree on what is left out', async (t) => {
  const limits = limitsOf({ service: 500, total: 5000 });
  const engine = engineOf([...SMALL, ...large('tenant/greedy', { ports: 10, endpoints: 60 })], { limits });
  const copy = engineFromState(engineState(engine));
  copy.adopt({ elements: new Map(), chains: [] });
  copy.compile();
  t.equal(render(copy), render(engine));
  t.strictSame(copy.limited(), engine.limited());
  const packet = {
    ...({ family: 'ip', protocol: 'tcp', source: '203.0.113.5', sourcePort: 40_000, inInterface: 'eth0' } as const),
    ...{ destination: '10.96.0.9', destinationPort: 1000 },
  };
  const host = { addresses: ['192.0.2.1'], routes: [] };
  const { outcome, reason, differences } = explain(packet, { engine, ruleset: rulesetOf(engine, 'ip'), host });
  t.strictSame({ outcome, differences }, { outcome: 'refuse', differences: [] });
  t.match(reason, /^Service tenant\/greedy needs 611 elements, but limits\.service\.elements is 500; left out/);
});

t.test('with tight limits, an engine arrives at the state of a fresh one', async (t) => {
  const limits = limitsOf({ service: 14, total: 24 });
  const seen = new Set<string>();
  const property = fc.property(
    objectEvents(30),
    fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
    (history, compiles) => {
      const engine = engineOf([], { limits });
      const cluster = new ClusterObjects();
      for (const [index, event] of history.entries()) {
        applyEvent(engine, event);
        cluster.apply(event);
        if (compiles[index % compiles.length]) engine.compile();
      }
      engine.compile();
      const fresh = engineOf(cluster.objects(), { limits });
      const sortedLimits = (each: Engine) => limitedOf(each).sort();
      if (sortedLimits(engine).join() !== sortedLimits(fresh).join()) throw new Error('Other Services are limited');
      const frontends = (each: Engine) => elementsOf(each).filter((element) => !element.includes('endpoints: '));
      if (frontends(engine).join('\n') !== frontends(fresh).join('\n')) throw new Error('Other elements');
      for (const { effect } of engine.limited()) seen.add(effect);
    },
  );
  fc.assert(property, { numRuns: 200, seed: 3 });
  t.strictSame([...seen].sort(), ['left-out', 'source-hash'], 'both effects occur');
});
