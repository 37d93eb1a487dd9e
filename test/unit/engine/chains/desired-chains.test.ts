// Tests of src/engine/chains/desired-chains.ts.

import t from 'tap';
import { desiredChains } from '../../../../src/engine/chains/desired-chains.ts';
import { buildNodeView, type NodeOptions } from '../../../../src/nftables/compile/node-view.ts';
import { staticChains } from '../../../../src/nftables/compile/static-chains.ts';
import type { RefKey } from '../../../../src/nftables/syntax/object-ref.ts';
import { objectRefs } from '../../../support/builders/object-refs.ts';
import { DEFAULT_OPTIONS } from '../../../support/builders/proxy-options.ts';

function view(options: Partial<NodeOptions> = {}) {
  const facts = { node: undefined, hostAddresses: [], serviceCidrs: [] };
  return buildNodeView({ ...DEFAULT_OPTIONS, nodeName: 'n1', ...options }, facts);
}

function names(targets: readonly RefKey[], options: Partial<NodeOptions> = {}) {
  const { chains, dynamicSets } = desiredChains('ip', view(options), objectRefs(...targets).values());
  return { chains: chains.map(({ name }) => name), dynamicSets: dynamicSets.map(({ name }) => name) };
}

const STATIC = staticChains('ip', view()).map(({ name }) => name);

t.test('desiredChains() returns static chains, then the targets of the family by name', async (t) => {
  t.strictSame(names(['ip local-2', 'ip6 cluster-9', 'ip cluster-3', 'ip reject-chain']), {
    chains: [...STATIC, 'cluster-3', 'local-2'],
    dynamicSets: [],
  });
});

t.test('desiredChains() returns companions and affinity maps once', async (t) => {
  const id = 'shop/web/tcp/';
  t.strictSame(names([`ip affinity-external-local/${id}`, `ip affinity-update-10/${id}`]), {
    chains: [
      ...STATIC,
      `direct-affinity-external-local/${id}`,
      `affinity-external-local/${id}`,
      `affinity-update-10/${id}`,
    ],
    dynamicSets: [`affinity/${id}`, `local-affinity/${id}`],
  });
});

t.test('desiredChains() returns the set for reset connections, and nothing of a missing family', async (t) => {
  t.strictSame(names([], { resetsConnections: true }).dynamicSets, ['reset-connections']);
  t.strictSame(names(['ip cluster-3'], { families: ['ip6'] }), { chains: [], dynamicSets: [] });
});
