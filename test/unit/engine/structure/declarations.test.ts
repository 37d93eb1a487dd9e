// Tests of src/engine/structure/declarations.ts.

import t from 'tap';
import { AcceptedForms } from '../../../../src/engine/structure/accepted-forms.ts';
import { hasOtherDeclarations, isDeclared } from '../../../../src/engine/structure/declarations.ts';
import { declareTables } from '../../../../src/engine/transaction.ts';
import type { ListedDeclaration } from '../../../../src/nftables/syntax/listed-table.ts';
import { FakeNftables } from '../../../support/fakes/fake-nftables.ts';

function hasOther(declaration: ListedDeclaration): boolean {
  const table = { family: 'ip', name: 'nftlane', flags: [], chains: [], setsAndMaps: [declaration], others: [] };
  return hasOtherDeclarations(table, new AcceptedForms());
}

t.test('hasOtherDeclarations() knows the declaration of each set and map of ours', async (t) => {
  const affinity = ['typeof ip saddr : ip daddr . ct original proto-dst', 'size 262144', 'flags dynamic,timeout'];
  const reset = ['typeof ip saddr . th sport . ip daddr . th dport', 'size 131072', 'timeout 5m'];
  t.notOk(hasOther({ kind: 'set', name: 'cluster-ips', properties: ['typeof ip daddr'] }));
  t.notOk(hasOther({ kind: 'map', name: 'affinity/a/b/tcp/x', properties: affinity }));
  t.notOk(hasOther({ kind: 'set', name: 'reset-connections', properties: reset }));
  t.notOk(hasOther({ kind: 'set', name: 'foreign', properties: ['typeof ip saddr'] }), 'deleting it is enough');
  t.ok(hasOther({ kind: 'map', name: 'cluster-ips', properties: ['typeof ip daddr'] }));
  t.ok(hasOther({ kind: 'set', name: 'cluster-ips', properties: ['typeof ip daddr', 'flags interval'] }));
  t.ok(hasOther({ kind: 'map', name: 'local-affinity/a/b/tcp/x', properties: affinity.slice(0, 2) }));
  t.ok(hasOther({ kind: 'set', name: 'reset-connections', properties: reset.slice(0, 2) }));
});

t.test('isDeclared() is true only with all sets and maps, and without foreign flags', async (t) => {
  const kernel = new FakeNftables();
  kernel.run(declareTables({ families: ['ip'] }).map(({ line }) => line));
  const [table] = kernel.listTables();
  if (table === undefined) throw new Error('Cannot list the table: it was not created');
  const other = { kind: 'map' as const, name: 'affinity/a/b/tcp/x', properties: [] };
  t.ok(isDeclared({ ...table, flags: ['owner', 'persist'], setsAndMaps: [...table.setsAndMaps, other] }));
  t.notOk(isDeclared({ ...table, flags: ['dormant'] }));
  for (const missing of table.setsAndMaps) {
    const setsAndMaps = table.setsAndMaps.filter((object) => object !== missing);
    t.notOk(isDeclared({ ...table, setsAndMaps }), `without ${missing.name}`);
  }
});
