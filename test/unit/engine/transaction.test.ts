// Tests of src/engine/transaction.ts.

import t from 'tap';
import {
  additionsInBatches,
  BATCH_SIZE,
  declareTables,
  inStages,
  linesOf,
  operationsOf,
  type Transaction,
} from '../../../src/engine/transaction.ts';
import { runSteps } from '../../../src/lib/steps.ts';
import { SETS_AND_MAPS } from '../../../src/nftables/compile/sets-and-maps.ts';
import type { Change } from '../../../src/nftables/plan/ledger.ts';

const EMPTY: Transaction = { declarations: [], chains: [], changes: [] };
const FIRST: Transaction = { ...EMPTY, declarations: [{ line: 'add table ip nftlane', owner: '' }] };
const SLOTS = SETS_AND_MAPS.ip.endpoints;
const VERDICTS = SETS_AND_MAPS.ip['service-ips'];

function change(
  key: string,
  { object = SLOTS, before, after }: { object?: typeof SLOTS; before?: string; after?: string },
): Change {
  return {
    object,
    key,
    installed: before === undefined ? undefined : { data: before, comment: '' },
    desired: after === undefined ? undefined : { object, key, data: after, comment: '', owner: 'a/x' },
  };
}

const planned = (first: Transaction, changes: readonly Change[]) => runSteps(inStages(first, changes));

const many = (count: number, object = SLOTS) =>
  Array.from({ length: count }, (_, index) => change(String(index), { object, after: 'x' }));

const sizes = (stages: readonly (readonly Transaction[])[]) =>
  stages.map((stage) => stage.map((transaction) => operationsOf(transaction).length));

t.test('operationsOf() and linesOf() agree: one line per operation, deletions first', async (t) => {
  const changes = [change('a', { before: 'x', after: 'y' }), change('b', { before: 'x' }), change('c', { after: 'z' })];
  const transaction = { ...FIRST, changes };
  t.strictSame(operationsOf(transaction), [
    { line: 'add table ip nftlane', owner: '' },
    { line: 'delete element ip nftlane endpoints { a }', owner: 'a/x' },
    { line: 'delete element ip nftlane endpoints { b }', owner: '' },
    { line: 'add element ip nftlane endpoints { a : y }', owner: 'a/x' },
    { line: 'add element ip nftlane endpoints { c : z }', owner: 'a/x' },
  ]);
  t.strictSame(linesOf(transaction), [
    'add table ip nftlane',
    'delete element ip nftlane endpoints { a,',
    'b,',
    '}; add element ip nftlane endpoints { a : y,',
    'c : z, }',
  ]);
});

t.test('declareTables() declares the sets and maps of the families of the node', async (t) => {
  const lines = declareTables({ families: ['ip6'] }).map(({ line }) => line);
  t.equal(lines[0], 'add table ip6 nftlane');
  t.equal(lines.length, 2 + Object.keys(SETS_AND_MAPS.ip6).length, 'with the set of the last transaction');
  t.notOk(lines.some((line) => / ip nftlane/.test(line)));
});

t.test('inStages() needs no transaction for nothing, and one for few changes', async (t) => {
  t.strictSame(planned(EMPTY, []), []);
  t.strictSame(sizes(planned(FIRST, many(10))), [[11]]);
  t.strictSame(sizes(planned(EMPTY, many(BATCH_SIZE))), [[BATCH_SIZE]]);
});

t.test('inStages() splits many changes by step, and steps by size', async (t) => {
  const changes = [...many(10, VERDICTS), ...many(BATCH_SIZE + 1)];
  t.strictSame(sizes(planned(FIRST, changes)), [[1], [BATCH_SIZE, 1], [10]], 'slots before verdicts');
  const replaced = Array.from({ length: BATCH_SIZE }, (_, i) => change(String(i), { before: 'x', after: 'y' }));
  t.strictSame(sizes(planned(EMPTY, replaced)), [[BATCH_SIZE, BATCH_SIZE]], 'a change is two operations here');
});

t.test('additionsInBatches() returns full batches of new elements only', async (t) => {
  t.strictSame(additionsInBatches(many(BATCH_SIZE)), []);
  const changes = [change('a', { before: 'x', after: 'y' }), change('b', { before: 'x' }), ...many(BATCH_SIZE + 1)];
  t.strictSame(sizes([additionsInBatches(changes)]), [[BATCH_SIZE]]);
});
