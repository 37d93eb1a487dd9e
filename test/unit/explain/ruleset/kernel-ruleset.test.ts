// Tests of src/explain/ruleset/kernel-ruleset.ts.

import t from 'tap';
import { kernelRuleset } from '../../../../src/explain/ruleset/kernel-ruleset.ts';
import type { KernelListing } from '../../../../src/nftables/syntax/kernel-listing.ts';
import { engineOf } from '../../../support/builders/engine.ts';
import { service } from '../../../support/builders/service.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';

const engine = engineOf([service(), slice('shop/web', { endpoints: [endpoint('10.1.0.1')] })]);
const CLUSTER_IPS = new Map([['10.96.0.1', { data: '', comment: 'shop/web' }]]);

function listing(...names: readonly string[]): KernelListing {
  const chains = names.map((name) => ({ family: 'ip', name }) as const);
  return { elements: new Map([['ip cluster-ips', CLUSTER_IPS]]), chains };
}

t.test('kernelRuleset() has the chains of the kernel, with the rules that this version writes', async (t) => {
  const { chains, find } = kernelRuleset(engine, listing('services', 'cluster-1', 'foreign'), 'ip');
  const desired = new Map(engine.chains('ip').chains.map((chain) => [chain.name, chain]));
  t.strictSame([...chains.keys()].sort(), ['cluster-1', 'services']);
  t.strictSame(chains.get('services'), desired.get('services'));
  t.match(find('cluster-ips', '10.96.0.1'), { comment: 'shop/web' });
});

t.test('kernelRuleset() rebuilds a stale endpoint chain from its name', async (t) => {
  t.notOk(engine.chains('ip').chains.some(({ name }) => name === 'cluster-9'));
  t.ok(kernelRuleset(engine, listing('cluster-9'), 'ip').chains.get('cluster-9'));
});

t.test('kernelRuleset() ignores the other family', async (t) => {
  const { chains } = kernelRuleset(engine, listing('services'), 'ip6');
  t.equal(chains.size, 0);
});
