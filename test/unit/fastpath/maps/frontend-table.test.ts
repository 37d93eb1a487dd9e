// Tests of src/fastpath/maps/frontend-table.ts and entry-set.ts.

import t from 'tap';
import { EntrySet } from '../../../../src/fastpath/maps/entry-set.ts';
import { type FrontendEntry, FrontendTable } from '../../../../src/fastpath/maps/frontend-table.ts';

function entry(port: number, slots: readonly number[], suspended = false): FrontendEntry {
  return { key: { address: '192.0.2.1', port, protocol: 'tcp' }, value: { svc: 1, suspended, slots } };
}

t.test('FrontendTable.replace() deletes before it adds, and skips unchanged frontends', async (t) => {
  const table = new FrontendTable([entry(80, [1, 2]), entry(81, [3])]);
  t.strictSame([...table.slots], [1, 2, 3]);
  const requests = table.replace([entry(80, [1, 2]), entry(82, [4])]);
  t.match(requests, [/^del frontends \S+005106/, /^put frontends \S+005206/]);
  t.strictSame(table.get(entry(82, []).key)?.slots, [4]);
  t.equal(table.get(entry(81, []).key), undefined);
  t.strictSame(table.replace([...table.entries]), []);
});

t.test('FrontendTable.replace() writes frontends with other slots or state', async (t) => {
  for (const changed of [entry(80, [2, 1]), entry(80, [1]), entry(80, [1, 2], true)]) {
    const table = new FrontendTable([entry(80, [1, 2])]);
    t.match(table.replace([changed]), [/^put frontends /]);
  }
});

t.test('EntrySet.replace() returns what differs', async (t) => {
  const set = new EntrySet(new Map(['a 1', 'b 1', 'c 1'].map((key) => [key, '00'])));
  const desired = new Map([
    ['a 1', '00'],
    ['b 1', '01'],
    ['d 1', '00'],
  ]);
  t.strictSame(set.replace(desired), { puts: ['put b 1 01', 'put d 1 00'], deletes: ['del c 1'] });
  t.strictSame(set.replace(desired), { puts: [], deletes: [] });
});
