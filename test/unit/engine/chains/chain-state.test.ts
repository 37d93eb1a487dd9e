// Tests of src/engine/chains/chain-state.ts.

import t from 'tap';
import { ChainState } from '../../../../src/engine/chains/chain-state.ts';
import { listedChains } from '../../../../src/engine/structure/compare-tables.ts';
import { declareTables } from '../../../../src/engine/transaction.ts';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import { buildNodeView } from '../../../../src/nftables/compile/node-view.ts';
import { type ObjectRef, type RefKey, refKey } from '../../../../src/nftables/syntax/object-ref.ts';
import { objectRefs } from '../../../support/builders/object-refs.ts';
import { DEFAULT_OPTIONS } from '../../../support/builders/proxy-options.ts';
import { FakeNftables } from '../../../support/fakes/fake-nftables.ts';

function view(...cidrs: string[]) {
  const serviceCidrs = cidrs.flatMap((cidr) => parsePrefix(cidr) ?? []);
  return buildNodeView({ ...DEFAULT_OPTIONS, nodeName: 'n1' }, { node: undefined, hostAddresses: [], serviceCidrs });
}

const RESETTING = buildNodeView(
  { ...DEFAULT_OPTIONS, nodeName: 'n1', resetsConnections: true },
  { node: undefined, hostAddresses: [], serviceCidrs: [] },
);

const keysOf = (chains: readonly ObjectRef[]) => chains.map(refKey);

t.test('ChainState writes chains before those that jump to them', async (t) => {
  const written = new Set<string>();
  for (const { chain, operations } of new ChainState().writes(view(), objectRefs('ip cluster-3'))) {
    const { family } = chain;
    written.add(refKey(chain));
    for (const { line } of operations) {
      for (const [, name] of line.matchAll(/\b(?:jump|goto) (\S+)/g)) t.ok(written.has(`${family} ${name}`), line);
    }
  }
  t.ok(written.has('ip cluster-3'));
});

t.test('ChainState writes only what differs', async (t) => {
  const state = new ChainState();
  state.committed(state.writes(view(), objectRefs('ip cluster-1')));
  t.strictSame(state.writes(view(), objectRefs('ip cluster-1')), []);
  const targets = state
    .writes(view('10.96.0.0/12'), objectRefs('ip cluster-1', 'ip6 local-2'))
    .map(({ chain }) => refKey(chain));
  t.strictSame(targets, ['ip cluster-ips-check', 'ip6 local-2']);
});

t.test('ChainState rewrites chains whose rules are unknown', async (t) => {
  const state = new ChainState();
  const all = state.writes(view(), objectRefs('ip cluster-1'));
  state.committed(all);
  state.rebase(all.map(({ chain }) => chain));
  t.equal(state.writes(view(), objectRefs('ip cluster-1')).length, all.length);
});

t.test('ChainState writes only those listed chains whose rules differ', async (t) => {
  const name = 'ip affinity-nodeport-local/a/x/udp/';
  const companion = { family: 'ip', name: 'direct-affinity-nodeport-local/a/x/udp/' } as const;
  const targets = () => objectRefs('ip cluster-1', name);
  const all = new ChainState().writes(view(), targets());
  const kernel = new FakeNftables();
  kernel.run(declareTables(view()).map(({ line }) => line));
  kernel.run(all.flatMap(({ operations }) => operations.map(({ line }) => line)));
  const refs = kernel.list().chains;
  const listed = listedChains(kernel.listTables());

  const state = new ChainState();
  state.rebase(refs, listed);
  t.strictSame(state.writes(view(), targets()), [], 'all are as we write them');
  state.observeChange({ family: 'ip', name: 'services' });
  t.strictSame(keysOf(state.writes(view(), targets()).map(({ chain }) => chain)), ['ip services']);

  state.rebase(refs, listed);
  state.observeChange(companion);
  t.strictSame(keysOf(state.writes(view(), targets()).map(({ chain }) => chain)), [name], 'with its companion');

  state.rebase(refs, listed);
  state.observeTableDeletion('ip6');
  const written = keysOf(state.writes(view(), targets()).map(({ chain }) => chain));
  t.ok(written.length > 0);
  t.ok(
    written.every((key) => key.startsWith('ip6 ')),
    'the other table is unchanged',
  );

  kernel.run(['add rule ip nftlane cluster-1 drop', 'flush chain ip6 nftlane filter-input']);
  state.rebase(kernel.list().chains, listedChains(kernel.listTables()));
  const differing = keysOf(state.writes(view(), targets()).map(({ chain }) => chain));
  t.strictSame(differing.sort(), ['ip cluster-1', 'ip6 filter-input']);
});

t.test('ChainState deletes stale chains, but no static ones', async (t) => {
  const state = new ChainState();
  state.writes(view(), objectRefs());
  state.rebase([...objectRefs('ip services', 'ip cluster-1', 'ip cluster-2', 'ip foreign').values()]);
  t.strictSame(keysOf(state.staleChains((target) => target === 'ip cluster-2').chains), ['ip cluster-1', 'ip foreign']);
  state.removed(objectRefs('ip cluster-1', 'ip foreign').values());
  t.strictSame(keysOf(state.staleChains(() => false).chains), ['ip cluster-2']);
});

t.test('ChainState deletes affinity maps with the last chain that uses them', async (t) => {
  const state = new ChainState();
  const targets: RefKey[] = [
    'ip affinity-cluster/a/x/tcp/',
    'ip affinity-external-local/a/x/tcp/',
    'ip affinity-update-10/a/x/tcp/',
  ];
  const linesFor = (...desired: string[]) => {
    const { chains, operations } = state.staleChains((target) => desired.includes(target));
    state.removed(chains);
    return operations.map(({ line }) => line.replace(' ip nftlane', ''));
  };
  state.committed(state.writes(view(), objectRefs(...targets)));
  t.strictSame(linesFor(...targets), []);
  t.strictSame(linesFor('ip affinity-cluster/a/x/tcp/', 'ip affinity-update-10/a/x/tcp/'), [
    'delete chain affinity-external-local/a/x/tcp/',
    'delete chain direct-affinity-external-local/a/x/tcp/',
  ]);
  t.strictSame(linesFor(), [
    'delete chain affinity-cluster/a/x/tcp/',
    'delete chain affinity-update-10/a/x/tcp/',
    'delete map affinity/a/x/tcp/',
    'delete map local-affinity/a/x/tcp/',
  ]);
});

t.test('ChainState declares affinity maps before the chains that use them', async (t) => {
  const target = 'ip6 affinity-nodeport-local/a/x/udp/dns';
  const write = new ChainState().writes(view(), objectRefs(target)).find(({ chain }) => refKey(chain) === target);
  const lines = write?.operations.map(({ line }) => line) ?? [];
  const declared = lines.filter((line) => /^add (map|chain) /.test(line)).map((line) => line.split(' ')[4]);
  const name = 'affinity-nodeport-local/a/x/udp/dns';
  t.strictSame(declared, ['affinity/a/x/udp/dns', 'local-affinity/a/x/udp/dns', `direct-${name}`, name]);
});

t.test('ChainState treats a companion as part of its owner', async (t) => {
  const state = new ChainState();
  const name = 'ip affinity-nodeport-local/a/x/udp/';
  const companion = 'ip direct-affinity-nodeport-local/a/x/udp/';
  state.writes(view(), objectRefs());
  state.rebase([...objectRefs(companion, name).values()]);
  t.strictSame(keysOf(state.staleChains(() => false).chains), [name], 'deleted with its owner');
  state.rebase([...objectRefs(companion).values()]);
  t.strictSame(keysOf(state.staleChains((target) => target === name).chains), [], 'kept when the owner is desired');
  t.strictSame(keysOf(state.staleChains(() => false).chains), [companion], 'deleted without an owner');
});

t.test('ChainState declares the set reset-connections with its chain, and before it', async (t) => {
  const targets = new ChainState().writes(RESETTING, objectRefs()).map(({ chain }) => refKey(chain));
  t.strictSame(
    targets.filter((target) => / (?:reset-connections-check|filter-prerouting-pre-dnat)$/.test(target)),
    [
      'ip reset-connections-check',
      'ip filter-prerouting-pre-dnat',
      'ip6 reset-connections-check',
      'ip6 filter-prerouting-pre-dnat',
    ],
  );
  const write = new ChainState()
    .writes(RESETTING, objectRefs())
    .find(({ chain }) => refKey(chain) === 'ip6 reset-connections-check');
  t.match(
    write?.operations.map(({ line }) => line),
    [
      /^add set ip6 nftlane reset-connections \{ typeof ip6 saddr \. th sport \. ip6 daddr \. th dport; .*timeout 5m; \}$/,
      'add chain ip6 nftlane reset-connections-check',
      'flush chain ip6 nftlane reset-connections-check',
      /^add rule ip6 nftlane reset-connections-check .* @reset-connections reject with tcp reset$/,
    ],
  );
});

t.test('ChainState deletes the set reset-connections with its chain, once no rule jumps there', async (t) => {
  const state = new ChainState();
  state.committed(state.writes(RESETTING, objectRefs()));
  t.strictSame(keysOf(state.staleChains(() => false).chains), []);
  const after = state.writes(view(), objectRefs());
  t.strictSame(
    after.map(({ chain }) => refKey(chain)),
    ['ip filter-prerouting-pre-dnat', 'ip6 filter-prerouting-pre-dnat'],
  );
  t.strictSame(
    state.staleChains(() => false).operations.map(({ line }) => line),
    ['ip', 'ip6']
      .map((family) => `delete chain ${family} nftlane reset-connections-check`)
      .concat(['ip', 'ip6'].map((family) => `delete set ${family} nftlane reset-connections`)),
  );
});
