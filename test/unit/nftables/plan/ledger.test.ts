// Tests of src/nftables/plan/ledger.ts.

import t from 'tap';
import { runSteps } from '../../../../src/lib/steps.ts';
import { Ledger, slotsIn } from '../../../../src/nftables/plan/ledger.ts';
import type { Element, SetOrMap } from '../../../../src/nftables/syntax/element.ts';
import { refKey } from '../../../../src/nftables/syntax/object-ref.ts';

const MAP: SetOrMap = { family: 'ip', name: 'm', kind: 'map', body: '', interval: false };
const SET: SetOrMap = { family: 'ip6', name: 's', kind: 'set', body: '', interval: false };

function element(key: string, data: string, { owner = 'a/x', object = MAP }: Partial<Element> = {}): Element {
  return { object, key, data, comment: owner, owner };
}

/** Changes as `object key: installed -> desired`. */
function changes(ledger: Ledger): string[] {
  const text = (element: { data: string } | undefined) => (element === undefined ? '-' : `"${element.data}"`);
  return [...ledger.changes()]
    .map(({ object, key, installed, desired }) => `${object.name} ${key}: ${text(installed)} -> ${text(desired)}`)
    .sort();
}

function targets(ledger: Ledger): string[] {
  return [...ledger.targetChains.keys()].sort();
}

function settled(...elements: Element[]): Ledger {
  const ledger = new Ledger([MAP, SET]);
  ledger.setElements('a/x', elements);
  ledger.committed(ledger.changes());
  return ledger;
}

t.test('Ledger tracks the differences since the last commit', async (t) => {
  const ledger = settled(element('k', 'drop'), element('l', 'drop'));
  t.strictSame(changes(ledger), []);
  t.equal(changes(ledger).length, 0);
  ledger.setElements('a/x', [element('k', 'goto c'), element('m', 'drop')]);
  t.strictSame(changes(ledger), ['m k: "drop" -> "goto c"', 'm l: "drop" -> -', 'm m: - -> "drop"']);
  t.equal(changes(ledger).length, 3);
});

t.test('Ledger drops a change that was reverted', async (t) => {
  const ledger = settled(element('k', 'drop'));
  ledger.setElements('a/x', [element('k', 'goto c'), element('l', 'drop')]);
  ledger.setElements('a/x', []);
  t.strictSame(changes(ledger), ['m k: "drop" -> -']);
  ledger.setElements('a/x', [element('k', 'drop')]);
  t.strictSame(changes(ledger), []);
});

t.test('Ledger keeps a shared element as long as it has an owner', async (t) => {
  const ledger = new Ledger([MAP, SET]);
  const shared = (owner: string) => element('k', '', { owner, object: SET });
  ledger.setElements('b/y', [shared('b/y')]);
  ledger.setElements('a/x', [shared('a/x')]);
  ledger.committed(ledger.changes());
  t.match(ledger.elements(SET), [{ owner: 'a/x' }], 'the first owner by name');
  ledger.setElements('b/y', []);
  t.strictSame(changes(ledger), []);
  ledger.setElements('b/y', [shared('b/y')]);
  ledger.setElements('a/x', []);
  t.match([...ledger.changes()], [{ installed: { comment: 'a/x' }, desired: { comment: 'b/y' } }]);
  ledger.setElements('b/y', []);
  t.strictSame(changes(ledger), ['s k: "" -> -']);
  t.ok(ledger.isEmpty);
});

t.test('Ledger compares comments, too', async (t) => {
  const ledger = settled(element('k', 'drop'));
  ledger.setElements('a/x', [{ ...element('k', 'drop'), comment: 'other' }]);
  t.equal(changes(ledger).length, 1);
});

t.test('Ledger takes a listing as the installed elements', async (t) => {
  const ledger = settled(element('k', 'drop'), element('l', 'drop'), element('m', 'drop'));
  const installed = new Map([
    ['k', { data: 'drop', comment: 'a/x' }],
    ['l', { data: 'drop', comment: 'foreign' }],
    ['foreign', { data: 'drop', comment: '' }],
  ]);
  runSteps(ledger.rebase(new Map([[refKey(MAP), installed]])));
  t.strictSame(changes(ledger), ['m foreign: "drop" -> -', 'm l: "drop" -> "drop"', 'm m: - -> "drop"']);
  ledger.committed(ledger.changes());
  t.strictSame(changes(ledger), []);
  runSteps(ledger.rebase(new Map()));
  t.equal(changes(ledger).length, 3);
});

t.test('Ledger counts the elements that refer to a chain', async (t) => {
  const ledger = settled(element('k', 'goto c'), element('l', 'goto c'), element('m', 'drop'));
  t.strictSame(targets(ledger), ['ip c']);
  ledger.setElements('a/x', [element('k', 'goto d'), element('l', 'goto c')]);
  t.strictSame(targets(ledger), ['ip c', 'ip d']);
  ledger.setElements('a/x', [element('k', 'goto d')]);
  t.strictSame(targets(ledger), ['ip d']);
  t.strictSame(ledger.targetChains.get('ip d'), { family: 'ip', name: 'd' });
  t.notOk(ledger.targetChains.has('ip6 d'));
  ledger.setElements('a/x', []);
  t.strictSame(targets(ledger), []);
});

t.test('Ledger returns slots in order, up to the first gap', async (t) => {
  const ledger = settled(element('k . 1', 'b'), element('k . 0', 'a'), element('k . 3', 'd'));
  t.strictSame([...ledger.slots(MAP, 'k')], ['a', 'b']);
  t.strictSame([...ledger.slots(MAP, 'l')], []);
  const listing = new Map([[refKey(MAP), new Map([['k . 0', { data: 'x', comment: '' }]])]]);
  t.strictSame([...slotsIn(listing, MAP, 'k')], ['x']);
  t.strictSame([...slotsIn(listing, SET, 'k')], []);
});

t.test('Ledger returns elements sorted by key', async (t) => {
  const ledger = settled(element('b', ''), element('a', ''));
  t.strictSame(
    ledger.elements(MAP).map(({ key }) => key),
    ['a', 'b'],
  );
  t.equal(ledger.size(MAP), 2);
  t.equal(ledger.size(SET), 0);
  t.throws(() => ledger.size({ ...MAP, name: 'other' }), /Invariant broken: no object "ip other"/);
});

t.test('Ledger observes what another process did to single elements', async (t) => {
  const ledger = settled(element('k', 'drop'), element('l', 'drop'));
  ledger.observe(MAP, 'k', undefined);
  ledger.observe(MAP, 'l', { data: 'accept', comment: '' });
  ledger.observe(MAP, 'foreign', { data: 'drop', comment: '' });
  t.strictSame(changes(ledger), ['m foreign: "drop" -> -', 'm k: - -> "drop"', 'm l: "accept" -> "drop"']);
  t.equal(ledger.installedCount(MAP), 2);
  ledger.observe(MAP, 'k', { data: 'drop', comment: 'a/x' });
  ledger.observe(MAP, 'foreign', undefined);
  t.strictSame(changes(ledger), ['m l: "accept" -> "drop"'], 'what it put back does not differ');
});

t.test('Ledger observes that another process emptied a map', async (t) => {
  const ledger = settled(element('k', 'drop'), element('l', 'drop'));
  ledger.observe(MAP, 'foreign', { data: 'drop', comment: '' });
  t.equal(ledger.installedCount(MAP), 3);
  ledger.observeEmpty(MAP);
  t.strictSame(changes(ledger), ['m k: - -> "drop"', 'm l: - -> "drop"']);
  t.equal(ledger.installedCount(MAP), 0);
});
