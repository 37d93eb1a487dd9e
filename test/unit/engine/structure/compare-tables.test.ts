// Tests of src/engine/structure/compare-tables.ts.

import t from 'tap';
import type { Engine } from '../../../../src/engine/engine.ts';
import { linesOf } from '../../../../src/engine/transaction.ts';
import type { ListedTable } from '../../../../src/nftables/syntax/listed-table.ts';
import { engineOf } from '../../../support/builders/engine.ts';
import { service } from '../../../support/builders/service.ts';
import { slice } from '../../../support/builders/slice.ts';
import { FakeNftables } from '../../../support/fakes/fake-nftables.ts';

const LOCAL_SLOT_0 = 'dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 1 map @local-endpoints';
const affinity = { spec: { sessionAffinity: 'ClientIP' } };

function loaded(): { engine: Engine; kernel: FakeNftables } {
  const engine = engineOf([service('shop/web', affinity), slice('shop/web')]);
  const kernel = new FakeNftables();
  for (const transaction of engine.plan().flat()) {
    kernel.run(linesOf(transaction));
    engine.committed(transaction);
  }
  return { engine, kernel };
}

/** The differences as `state family kind name`. */
function compare(engine: Engine, tables: readonly ListedTable[]): string[] {
  return engine.foreignChanges
    .compareTables(tables, engine.node)
    .map(({ state, family, kind, name }) => `${state} ${family} ${kind} ${name}`.trim());
}

function change(tables: readonly ListedTable[], edit: (table: ListedTable) => Partial<ListedTable>): ListedTable[] {
  return tables.map((table) => (table.family === 'ip' ? { ...table, ...edit(table) } : table));
}

t.test('compareTable() finds nothing in the tables that we write', async (t) => {
  const { engine, kernel } = loaded();
  t.strictSame(compare(engine, kernel.listTables()), []);
  t.strictSame(compare(engine, []), ['missing ip table', 'missing ip6 table']);
  const owned = change(kernel.listTables(), () => ({ flags: ['owner', 'persist'] }));
  t.strictSame(compare(engine, owned), [], 'ownership does not change what packets do');
});

t.test('compareTable() accepts stale endpoint chains with their maps only while they have our rules', async (t) => {
  const { engine, kernel } = loaded();
  kernel.run([
    'add chain ip nftlane cluster-7',
    'add rule ip nftlane cluster-7 drop',
    'add chain ip nftlane local-1',
    `add rule ip nftlane local-1 ${LOCAL_SLOT_0}`,
    `add rule ip nftlane local-1 ${LOCAL_SLOT_0}`,
    'add chain ip nftlane evil/x { type filter hook input priority 0; policy drop; }',
    'add chain ip nftlane affinity-other/a/b/tcp/x',
    'add chain ip nftlane toString-3',
    'add map ip nftlane affinity/a/b/tcp/x { typeof ip saddr : ip daddr; }',
  ]);
  t.strictSame(compare(engine, kernel.listTables()), [
    ...['cluster-7', 'evil/x', 'affinity-other/a/b/tcp/x', 'toString-3'].map((name) => `unexpected ip chain ${name}`),
    'unexpected ip map affinity/a/b/tcp/x',
  ]);
});

t.test('compareTable() tells what must be replaced', async (t) => {
  const { engine, kernel } = loaded();
  const replaced = (tables: readonly ListedTable[]) =>
    engine.foreignChanges
      .compareTables(tables, engine.node)
      .map(({ name, needsReplacement }) => [name, needsReplacement]);
  const withHook = (hook: Partial<NonNullable<ListedTable['chains'][number]['hook']>>) =>
    change(kernel.listTables(), ({ chains }) => ({
      chains: chains.map((chain) =>
        chain.hook?.hook === 'forward' ? { ...chain, hook: { ...chain.hook, ...hook } } : chain,
      ),
    }));
  t.strictSame(replaced(withHook({ policy: 'drop' })), [['filter-forward', false]]);
  for (const hook of [{ priority: 5 }, { type: 'route' }, { hook: 'input' }, { rest: 'device "lo"' }])
    t.strictSame(replaced(withHook(hook)), [['filter-forward', true]]);
  const declared = change(kernel.listTables(), ({ setsAndMaps }) => ({
    setsAndMaps: setsAndMaps.map((object) => ({ ...object, properties: [...object.properties, 'size 5'] })),
  }));
  t.ok(replaced(declared).every(([, needsReplacement]) => needsReplacement));
  t.equal(replaced(declared).length, 22, 'with both affinity maps');
});

t.test('compareTable() reports missing objects, and others of any kind', async (t) => {
  const { engine, kernel } = loaded();
  const tables = change(kernel.listTables(), ({ chains, setsAndMaps }) => ({
    chains: chains.filter(({ name }) => name !== 'services'),
    setsAndMaps: [
      ...setsAndMaps.filter(({ name }) => name !== 'endpoints'),
      { kind: 'set', name: 'x', properties: [] },
    ],
    others: [{ kind: 'flowtable', name: 'ft' }],
  }));
  t.strictSame(compare(engine, tables), [
    'missing ip chain services',
    'missing ip map endpoints',
    'unexpected ip set x',
    'unexpected ip flowtable ft',
  ]);
});
