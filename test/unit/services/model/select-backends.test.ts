// Tests of src/services/model/select-backends.ts.

import fc from 'fast-check';
import t from 'tap';
import type { Backend } from '../../../../src/services/model/backends.ts';
import {
  type EndpointUsage,
  explainBackend,
  isServingTerminating,
  selectBackends,
} from '../../../../src/services/model/select-backends.ts';
import { backend } from '../../../support/builders/backend.ts';

const NODE = { nodeName: 'n1', zone: 'a' };
const BOTH: EndpointUsage = { cluster: true, local: true };
const CLUSTER: EndpointUsage = { cluster: true, local: false };
const LOCAL: EndpointUsage = { cluster: false, local: true };
const NEITHER: EndpointUsage = { cluster: false, local: false };

const READY = {};
const DRAINING = { ready: false, terminating: true };
const DEAD = { ready: false, serving: false, terminating: true };
const UNREADY = { ready: false, serving: false };
const HERE = { isLocal: true };

/** Hosts of the backends selected: `cluster/local any`. */
function selected(backends: readonly Backend[], usage: EndpointUsage, node = NODE): string {
  const { cluster, local, hasAnyEndpoints } = selectBackends(backends, { usage, node });
  const hosts = (list: readonly Backend[]) => list.map(({ address }) => address.slice('10.1.0.'.length)).join(',');
  return `${hosts(cluster)}/${hosts(local)} ${hasAnyEndpoints ? 'any' : 'none'}`;
}

type State = Partial<Backend>;
const CASES: readonly [about: string, states: State[], both: string, cluster: string, local: string][] = [
  ['no backends', [], '/ none', '/ none', '/ none'],
  ['ready elsewhere', [READY], '1/ any', '1/ any', '/ any'],
  ['ready here', [HERE], '1/1 any', '1/ any', '/1 any'],
  ['unready', [UNREADY, { ...UNREADY, ...HERE }], '/ none', '/ none', '/ none'],
  ['unready but serving', [{ ready: false }, { ready: false, ...HERE }], '/ none', '/ none', '/ none'],
  ['dead', [DEAD, { ...DEAD, ...HERE }], '/ none', '/ none', '/ none'],
  ['draining elsewhere', [DRAINING], '1/ any', '1/ any', '/ any'],
  ['draining here', [{ ...DRAINING, ...HERE }], '1/1 any', '1/ any', '/1 any'],
  ['ready beats draining', [READY, DRAINING], '1/ any', '1/ any', '/ any'],
  ['each falls back alone', [READY, { ...DRAINING, ...HERE }], '1/2 any', '1/ any', '/2 any'],
  ['ready here beats draining here', [HERE, { ...DRAINING, ...HERE }], '1/1 any', '1/ any', '/1 any'],
  ['ready and terminating is ready', [{ terminating: true }, READY], '1,2/ any', '1,2/ any', '/ any'],
  ['ready and not serving is ready', [{ serving: false }], '1/ any', '1/ any', '/ any'],
];

t.test('selectBackends() prefers ready backends and falls back to terminating ones', async (t) => {
  for (const [about, states, both, cluster, local] of CASES) {
    const backends = states.map((state, index) => backend(index + 1, state));
    t.equal(selected(backends, BOTH), both, `${about}, both`);
    t.equal(selected(backends, CLUSTER), cluster, `${about}, cluster`);
    t.equal(selected(backends, LOCAL), local, `${about}, local`);
    t.equal(selected(backends, NEITHER), '/ none', `${about}, neither`);
  }
});

const zone = (...zoneHints: string[]): State => ({ zoneHints });
const nodes = (...nodeHints: string[]): State => ({ nodeHints });

const HINTS: readonly [about: string, states: State[], expected: string][] = [
  ['this zone only', [zone('a'), zone('b'), zone('c'), zone('a')], '1,4'],
  ['several zones', [zone('a', 'b'), zone('b', 'c'), zone('c', 'a')], '1,3'],
  ['one without a hint', [zone('a'), zone('b'), READY], '1,2,3'],
  ['none for this zone', [zone('b'), zone('c')], '1,2'],
  ['one of this zone unready', [{ ...zone('a'), ...UNREADY }, zone('b'), zone('a')], '3'],
  ['all of this zone unready', [{ ...zone('a'), ...UNREADY }, zone('b')], '2'],
  ['an unready one without a hint', [zone('a'), zone('b'), UNREADY], '1'],
  ['a draining one without a hint', [zone('a'), zone('b'), DRAINING], '1'],
  ['draining ones of other zones', [{ ...zone('b'), ...DRAINING }], '1'],
  ['this node', [nodes('n1'), nodes('n2')], '1'],
  ['other nodes', [nodes('n2'), nodes('n3')], '1,2'],
  [
    'the node before the zone',
    [
      { ...nodes('n1'), ...zone('b') },
      { ...nodes('n2'), ...zone('a') },
    ],
    '1',
  ],
  [
    'the zone where no node fits',
    [
      { ...nodes('n3'), ...zone('b') },
      { ...nodes('n2'), ...zone('a') },
    ],
    '2',
  ],
  ['the zone where a node hint is missing', [{ ...nodes('n1'), ...zone('b') }, zone('a')], '2'],
];

t.test('selectBackends() applies hints that are complete', async (t) => {
  for (const [about, states, expected] of HINTS) {
    const backends = states.map((state, index) => backend(index + 1, state));
    t.equal(selected(backends, CLUSTER), `${expected}/ any`, about);
  }
});

t.test('selectBackends() ignores zone hints on a node without a zone', async (t) => {
  const backends = [backend(1, zone('a')), backend(2, zone('b'))];
  const cluster = (node: { nodeName: string; zone: string | undefined }) =>
    selectBackends(backends, { usage: CLUSTER, node }).cluster;
  t.equal(cluster({ nodeName: 'n1', zone: undefined }).length, 2);
  t.equal(cluster({ nodeName: 'n1', zone: '' }).length, 2);
  t.equal(cluster({ nodeName: 'n1', zone: 'b' }).length, 1);
});

t.test('selectBackends() applies no hints to the local list', async (t) => {
  const backends = [backend(1, { ...zone('b'), ...HERE }), backend(2, zone('a'))];
  t.equal(selected(backends, BOTH), '2/1 any');
  t.equal(selected(backends, LOCAL), '/1 any');
  t.equal(
    selectBackends(backends, { usage: LOCAL, node: NODE }).topologyMode,
    'all',
    'no frontend uses the cluster list',
  );
  t.equal(selectBackends(backends, { usage: BOTH, node: NODE }).topologyMode, 'same-zone');
});

const anyBackend = fc.record({
  ready: fc.boolean(),
  serving: fc.boolean(),
  terminating: fc.boolean(),
  isLocal: fc.boolean(),
  zoneHints: fc.constantFrom([], ['a'], ['b'], ['a', 'b']),
  nodeHints: fc.constantFrom([], [], ['n1'], ['n2']),
});
const anyBackends = fc
  .array(anyBackend, { maxLength: 5 })
  .map((states) => states.map((state, index) => backend(index + 1, state)));
const anyUsage = fc.record({ cluster: fc.boolean(), local: fc.boolean() });

t.test('selectBackends() selects a backend whenever one is usable', async (t) => {
  const property = fc.property(anyBackends, anyUsage, (backends, usage) => {
    const { cluster, local, hasAnyEndpoints } = selectBackends(backends, { usage, node: NODE });
    const usable = backends.filter((backend) => backend.ready || isServingTerminating(backend));
    if (usage.cluster) t.equal(cluster.length > 0, usable.length > 0);
    else t.strictSame(cluster, []);
    if (usage.local)
      t.equal(
        local.length > 0,
        usable.some((backend) => backend.isLocal),
      );
    else t.strictSame(local, []);
    if (usage.cluster || usage.local) t.equal(hasAnyEndpoints, usable.length > 0);
    for (const list of [cluster, local]) {
      t.ok(list.every((backend) => usable.includes(backend)));
      t.ok(list.every((backend) => backend.ready) || list.every((backend) => !backend.ready || backend.terminating));
      t.strictSame(
        list,
        backends.filter((backend) => list.includes(backend)),
        'in order',
      );
    }
    t.ok(local.every((backend) => backend.isLocal));
  });
  fc.assert(property, { numRuns: 200, seed: 1 });
});

const REASONS: readonly [about: string, states: State[], usage: EndpointUsage, reason: string][] = [
  ['ready', [READY], CLUSTER, 'ready'],
  ['draining', [DRAINING], CLUSTER, 'terminating, but still serving, and no endpoint is ready'],
  ['draining beside ready', [DRAINING, READY], CLUSTER, 'terminating, and there are ready endpoints'],
  ['dead', [DEAD], CLUSTER, 'terminating and no longer serving'],
  ['unready', [UNREADY], CLUSTER, 'not ready'],
  ['another zone', [zone('b'), zone('a')], CLUSTER, 'hinted for other zones than a'],
  ['another node', [nodes('n2'), nodes('n1')], CLUSTER, 'hinted for other nodes than n1'],
  ['elsewhere', [READY], LOCAL, 'on node n2, and internalTrafficPolicy is Local'],
  ['draining elsewhere', [DRAINING], LOCAL, 'on node n2, and internalTrafficPolicy is Local'],
  ['here', [HERE], LOCAL, 'ready, for clients under the Local policy'],
  ['here, of another zone', [{ ...zone('b'), ...HERE }, zone('a')], BOTH, 'ready, for clients under the Local policy'],
  [
    'draining here',
    [{ ...DRAINING, ...HERE }, READY],
    BOTH,
    'terminating, but still serving, and no endpoint of this node is ready, for clients under the Local policy',
  ],
  ['on no node', [{ nodeName: '' }], LOCAL, 'on node (none), and internalTrafficPolicy is Local'],
];

t.test('explainBackend() explains why a backend is used or not', async (t) => {
  for (const [about, states, usage, reason] of REASONS) {
    const backends = states.map((state, index) => backend(index + 1, state));
    const [first = backend(1)] = backends;
    t.equal(
      explainBackend(first, {
        selection: selectBackends(backends, { usage, node: NODE }),
        usage,
        node: NODE,
      }),
      reason,
      about,
    );
  }
});

t.test('explainBackend() agrees with selectBackends()', async (t) => {
  const property = fc.property(anyBackends, anyUsage, (backends, usage) => {
    const selection = selectBackends(backends, { usage, node: NODE });
    for (const backend of backends) {
      const reason = explainBackend(backend, { selection, usage, node: NODE });
      const used = selection.cluster.includes(backend) || selection.local.includes(backend);
      t.equal(/^ready|still serving/.test(reason), used, reason);
    }
  });
  fc.assert(property, { numRuns: 200, seed: 2 });
});
