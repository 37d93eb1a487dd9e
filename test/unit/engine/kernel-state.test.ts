// Tests of src/engine/kernel-state.ts.

import t from 'tap';
import { KernelState } from '../../../src/engine/kernel-state.ts';
import { BATCH_SIZE, linesOf, operationsOf } from '../../../src/engine/transaction.ts';
import { runSteps } from '../../../src/lib/steps.ts';
import { buildNodeView } from '../../../src/nftables/compile/node-view.ts';
import { SETS_AND_MAPS } from '../../../src/nftables/compile/sets-and-maps.ts';
import type { Element } from '../../../src/nftables/syntax/element.ts';
import type { RulesetCommit } from '../../../src/nftables/syntax/notification.ts';
import { foreignCommit } from '../../support/builders/foreign-commit.ts';
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

t.test('KernelState returns the Services found at the start until the first compilation', async (t) => {
  const installed = new Map([['f', { data: 'goto cluster-1', comment: 'a/x:http' }]]);
  const elements = new Map([['ip service-ips', installed]] as const);
  const kernel = new KernelState();
  t.equal(runSteps(kernel.servicesFound()).size, 0, 'before a listing');
  // Another version has declared the table differently: it will be deleted, but until then it has these Services.
  const map = { kind: 'map', name: 'service-ips', properties: ['type ipv4_addr : verdict'] } as const;
  const table = { family: 'ip', name: 'nftlane', flags: [], chains: [], setsAndMaps: [map], others: [] };
  runSteps(kernel.adopt({ elements, chains: [], tables: [table] }));
  t.strictSame(runSteps(kernel.servicesFound()), new Map([['ip', new Set(['a/x'])]]));
  t.notOk(kernel.wasEmpty, 'nothing is loaded before all objects are known');
  kernel.releaseSlots();
  t.equal(runSteps(kernel.servicesFound()).size, 0);
});

t.test('KernelState returns the slots found at the start until they are released', async (t) => {
  const installed = new Map([
    ['f . 0', { data: 'a', comment: '' }],
    ['f . 1', { data: 'b', comment: '' }],
  ]);
  const kernel = new KernelState();
  runSteps(kernel.adopt({ elements: new Map([['ip endpoints', installed]]), chains: [] }));
  t.strictSame([...kernel.slots(SLOTS, 'f')], ['a', 'b']);
  kernel.setElements('a/x', [element(SLOTS, 'f . 0', 'c')]);
  t.strictSame([...kernel.slots(SLOTS, 'f')], ['c'], 'desired slots come first');
  kernel.setElements('a/x', []);
  kernel.releaseSlots();
  t.strictSame([...kernel.slots(SLOTS, 'f')], []);
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

/** A kernel with one frontend, as desired. */
function settledKernel(): KernelState {
  const kernel = new KernelState();
  runSteps(kernel.adopt(EMPTY));
  kernel.setElements('a/x', [element(VERDICTS, 'f', 'goto cluster-1'), element(SLOTS, 'f . 0', 'a')]);
  for (const transaction of runSteps(kernel.plan(NODE)).flat()) kernel.committed(transaction);
  return kernel;
}

/** The operations that repair what another process did, by the lines of `nft monitor`. */
function repairOf(kernel: KernelState, ...lines: readonly string[]): string[] {
  kernel.observe(foreignCommit(...lines));
  return runSteps(kernel.plan(NODE)).flat().flatMap(linesOf);
}

t.test('KernelState repairs elements without a listing', async (t) => {
  const repair = repairOf(
    settledKernel(),
    'delete element ip nftlane service-ips { f counter packets 0 bytes 0 comment "a/x" : goto cluster-1 }',
    'add element ip nftlane service-ips { g counter packets 0 bytes 0 : drop }',
    'add element ip nftlane affinity/x { 10.0.0.1 : 10.0.0.2 . 80 }',
  );
  t.strictSame(repair, [
    'delete element ip nftlane service-ips { g,',
    '}; add element ip nftlane service-ips { f comment "a/x" : goto cluster-1, }',
  ]);
});

t.test('KernelState writes chains again whose rules or policy were changed, or that were deleted', async (t) => {
  const rewritten = ['add chain ip nftlane cluster-1', 'flush chain ip nftlane cluster-1'];
  for (const line of [
    'add rule ip nftlane cluster-1 drop',
    'delete rule ip nftlane cluster-1 handle 8',
    'add chain ip nftlane cluster-1',
    'delete chain ip nftlane cluster-1',
  ]) {
    const repair = repairOf(settledKernel(), line);
    t.strictSame(repair.slice(0, 2), rewritten, line);
    t.ok(
      repair.slice(2).every((text) => text.startsWith('add rule ip nftlane cluster-1 ')),
      line,
    );
  }
  const policy = repairOf(
    settledKernel(),
    'add chain ip nftlane filter-input { type filter hook input priority 0; policy drop; }',
  );
  t.match(policy[0], /^add chain ip nftlane filter-input \{ .* policy accept; \}$/);
});

t.test('KernelState declares a table again whose flags were changed', async (t) => {
  const repair = repairOf(settledKernel(), 'add table ip nftlane { flags dormant; }');
  t.equal(repair[0], 'add table ip nftlane');
  t.notOk(repair.some((line) => line.includes('element') || line.includes('chain')));
});

t.test('KernelState builds a deleted table again, and no other', async (t) => {
  const repair = repairOf(settledKernel(), 'delete chain ip nftlane cluster-1', 'delete table ip nftlane');
  t.ok(repair.includes('add chain ip nftlane cluster-1'));
  t.ok(repair.some((line) => line.includes('service-ips { f comment "a/x" : goto cluster-1')));
  t.notOk(repair.some((line) => line.startsWith('add chain ip6')));
});

t.test('KernelState fills a deleted map again', async (t) => {
  const repair = repairOf(settledKernel(), 'delete set ip nftlane endpoints');
  t.ok(repair.includes(`add map ip nftlane endpoints { ${SLOTS.body} }`));
  t.ok(repair.some((line) => line.includes('endpoints { f . 0 comment "a/x" : a')));
});

t.test('KernelState knows that a map is empty by the number of its deleted elements', async (t) => {
  const omitted = (added: number, deleted: number): RulesetCommit => ({
    ...foreignCommit(),
    omitted: new Map([['ip endpoints', { object: SLOTS, added, deleted }]]),
  });
  const flushed = settledKernel();
  flushed.observe(omitted(0, 1));
  t.match(flushed.differences(), [{ key: 'f . 0', installed: undefined }]);
  for (const [added, deleted] of [
    [1, 1],
    [0, 0],
    [0, 2],
  ] as const) {
    const kernel = settledKernel();
    kernel.observe(omitted(added, deleted));
    t.notOk(kernel.isKnown, `${added} added and ${deleted} deleted`);
  }
});
