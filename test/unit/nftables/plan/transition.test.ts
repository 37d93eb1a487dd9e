// Tests of src/nftables/plan/transition.ts.

import t from 'tap';
import { runSteps } from '../../../../src/lib/steps.ts';
import { Ledger } from '../../../../src/nftables/plan/ledger.ts';
import { Transition } from '../../../../src/nftables/plan/transition.ts';
import type { Element, SetOrMap } from '../../../../src/nftables/syntax/element.ts';

const SLOTS: SetOrMap = { family: 'ip', name: 'endpoints', kind: 'map', body: '', interval: false };
const VERDICTS: SetOrMap = { ...SLOTS, name: 'service-ips' };

function element(object: SetOrMap, key: string, data: string): Element {
  return { object, key, data, comment: '', owner: 'a/x' };
}

/** A frontend with these endpoints. */
function frontend(...endpoints: readonly string[]): Element[] {
  const slots = endpoints.map((data, slot) => element(SLOTS, `f . ${slot}`, data));
  return [...slots, element(VERDICTS, 'f', `goto cluster-${endpoints.length}`)];
}

function start(before: readonly Element[], after: readonly Element[]) {
  const ledger = new Ledger([SLOTS, VERDICTS]);
  ledger.setElements('a/x', before);
  ledger.committed([...ledger.changes()]);
  const input = { ledger, owner: 'a/x', elements: after, isSlot: (object: SetOrMap) => object === SLOTS };
  const transition = runSteps(Transition.prepare(input));
  /** What differs in the kernel since the last call. */
  const changed = (): string[] => {
    const changes = [...ledger.changes()];
    ledger.committed(changes);
    return changes.map(({ key, installed, desired }) => `${key}: ${installed?.data ?? '-'} ${desired?.data ?? '-'}`);
  };
  return { ledger, transition, changed };
}

t.test('Transition adds slots, then changes verdicts, then removes slots', async (t) => {
  const { transition, changed } = start(frontend('a', 'b', 'c'), frontend('d', 'e'));
  const pieces: string[][] = [];
  while (!transition.isDone) {
    t.ok(transition.advance(1) > 0);
    pieces.push(changed());
  }
  t.strictSame(pieces, [['f . 0: a d'], ['f . 1: b e'], ['f: goto cluster-3 goto cluster-2'], ['f . 2: c -']]);
});

t.test('Transition changes all verdicts in one piece', async (t) => {
  const verdicts = (data: string) => ['f', 'g', 'h'].map((key) => element(VERDICTS, key, data));
  const { transition, changed } = start(verdicts('drop'), verdicts('goto cluster-1'));
  t.equal(transition.advance(1), 3);
  t.equal(changed().length, 3);
  t.ok(transition.isDone);
});

t.test('Transition does nothing for equal elements', async (t) => {
  const { transition, changed } = start(frontend('a', 'b'), frontend('a', 'b'));
  t.ok(transition.isDone);
  t.strictSame(changed(), []);
});

t.test('Transition can stop anywhere, and the owner can get any other elements', async (t) => {
  const [before, after, last] = [frontend('a', 'b', 'c', 'd'), frontend('x', 'b', 'y'), frontend('z', 'y')];
  for (let pieces = 0; pieces <= 4; pieces++) {
    const { ledger, transition } = start(before, after);
    for (let piece = 0; piece < pieces; piece++) transition.advance(1);
    transition.stop();
    ledger.setElements('a/x', last);
    const found = [SLOTS, VERDICTS].flatMap((object) =>
      ledger.elements(object).map(({ key, data }) => `${key} ${data}`),
    );
    t.strictSame(found, ['f . 0 z', 'f . 1 y', 'f goto cluster-2'], `after ${pieces} pieces`);
    ledger.setElements('a/x', []);
    t.ok(ledger.isEmpty);
    t.equal(ledger.size(SLOTS) + ledger.size(VERDICTS), 0);
  }
});
