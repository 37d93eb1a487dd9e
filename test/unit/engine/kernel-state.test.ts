// Tests of src/engine/kernel-state.ts.

import t from 'tap';
import { KernelState } from '../../../src/engine/kernel-state.ts';
import { BATCH_SIZE, linesOf, operationsOf } from '../../../src/engine/transaction.ts';
import { runSteps } from '../../../src/lib/steps.ts';
import { buildNodeView } from '../../../src/nftables/compile/node-view.ts';
import { SETS_AND_MAPS } from '../../../src/nftables/compile/sets-and-maps.ts';
import type { Element } from '../../../src/nftables/syntax/element.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';

const NODE = buildNodeView(
  { ...DEFAULT_OPTIONS, nodeName: 'n1' },
  { node: undefined, hostAddresses: [], serviceCidrs: [] },
);
const EMPTY = { elements: new Map(), chains: [] };
const SLOTS = SETS_AND_MAPS.ip.endpoints;
const VERDICTS = SETS_AND_MAPS.ip['service-ips'];

function element(object: Element['object'], key: string, data: string): Element {
  return { object, key, data, comment: 'a/x', owner: 'a/x' };
}

t.test('KernelState is known from a listing until it is invalidated', async (t) => {
  const kernel = new KernelState();
  t.notOk(kernel.isKnown);
  runSteps(kernel.adopt(EMPTY));
  t.ok(kernel.isKnown);
  t.ok(kernel.wasEmpty);
  kernel.invalidate();
  t.notOk(kernel.isKnown);
  const elements = new Map([['ip endpoints', new Map([['k', { data: 'x', comment: '' }]])]] as const);
  runSteps(kernel.adopt({ elements, chains: [] }));
  t.notOk(kernel.wasEmpty);
});

t.test('KernelState returns the slots found at the start until they are released', async (t) => {
  const installed = new Map([
    ['f . 0', { data: 'a', comment: '' }],
    ['f . 1', { data: 'b', comment: '' }],
  ]);
  const kernel = new KernelState();
  runSteps(kernel.adopt({ elements: new Map([['ip endpoints', installed]]), chains: [] }));
  t.strictSame(kernel.slots(SLOTS, 'f'), ['a', 'b']);
  kernel.setElements('a/x', [element(SLOTS, 'f . 0', 'c')]);
  t.strictSame(kernel.slots(SLOTS, 'f'), ['c'], 'desired slots come first');
  kernel.setElements('a/x', []);
  kernel.releaseSlots();
  t.strictSame(kernel.slots(SLOTS, 'f'), []);
});

t.test('KernelState plans until the kernel has the desired state', async (t) => {
  const kernel = new KernelState();
  runSteps(kernel.adopt(EMPTY));
  kernel.setElements('a/x', [element(VERDICTS, 'f', 'goto cluster-1'), element(SLOTS, 'f . 0', 'a')]);
  t.equal(kernel.differences().length, 2);
  const [transaction, ...rest] = runSteps(kernel.plan(NODE)).flat();
  t.strictSame(rest, []);
  if (transaction === undefined) throw new Error('Cannot commit: nothing is planned');
  t.ok(linesOf(transaction).includes('add chain ip nftlane cluster-1'));
  kernel.committed(transaction);
  t.strictSame(runSteps(kernel.plan(NODE)), []);
  t.strictSame(kernel.differences(), []);
  kernel.setElements('a/x', []);
  t.strictSame(kernel.staleChains().chains, [{ family: 'ip', name: 'cluster-1' }]);
  kernel.removed(kernel.staleChains().chains);
  t.strictSame(kernel.staleChains().chains, []);
});

t.test('planSlots() declares tables before the first full batch of slots', async (t) => {
  const kernel = new KernelState();
  runSteps(kernel.adopt(EMPTY));
  const slots = Array.from({ length: BATCH_SIZE }, (_, index) => element(SLOTS, `f . ${index}`, 'a'));
  kernel.setElements('a/x', [...slots, element(VERDICTS, 'f', 'drop')]);
  t.strictSame(kernel.planSlots(NODE), [], 'no full batch');
  kernel.setElements('b/y', [{ ...element(SLOTS, 'g . 0', 'a'), owner: 'b/y' }]);
  const [declarations, batch, ...rest] = kernel.planSlots(NODE);
  t.strictSame(rest, []);
  t.ok(declarations?.declarations.length);
  t.equal(batch && operationsOf(batch).length, BATCH_SIZE);
  if (declarations !== undefined) kernel.committed(declarations);
  t.equal(kernel.planSlots(NODE).length, 1, 'tables are declared once');
});
