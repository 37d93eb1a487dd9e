// Tests of src/nftables/syntax/script.ts.

import t from 'tap';
import { toScript, toSingleLine } from '../../../../src/nftables/syntax/script.ts';

const LINES = [
  'add table ip nftlane',
  'delete element ip nftlane a { 1,',
  '2,',
  '}; delete element ip nftlane b { 3 . 4,',
  '}; add element ip nftlane a { 1 comment "x/y" : goto c,',
  '2 : drop, }',
  'flush set ip nftlane s',
  'add element ip nftlane s { 7 }',
  'add element ip nftlane b { 5, }',
];

t.test('toScript() defines elements first, and uses them in one piece that ends the script', async (t) => {
  const { parts } = toScript(LINES);
  t.strictSame(parts, [
    `${[
      'define elements1 = { 1,',
      '2, }',
      'define elements2 = { 3 . 4, }',
      'define elements3 = { 1 comment "x/y" : goto c,',
      '2 : drop, }',
      'define elements6 = { 5, }',
    ].join('\n')}\n`,
    `${[
      'add table ip nftlane',
      'delete element ip nftlane a $elements1',
      'delete element ip nftlane b $elements2',
      'add element ip nftlane a $elements3',
      'flush set ip nftlane s',
      'add element ip nftlane s { 7 }',
      'add element ip nftlane b $elements6',
    ].join('\n')}\n`,
  ]);
});

t.test('toScript() knows the operation of each line', async (t) => {
  const { parts, operationAt } = toScript(LINES);
  const lines = parts.join('').trimEnd().split('\n');
  t.strictSame(
    lines.map((_, index) => operationAt(index + 1)),
    [2, 3, 4, 5, 6, 9, 1, 2, 4, 5, 7, 8, 9],
  );
  t.equal(operationAt(0), 0, 'no line');
});

t.test('toScript() has one part without elements, and none without operations', async (t) => {
  t.strictSame(toScript(['add table ip nftlane']).parts, ['add table ip nftlane\n']);
  t.strictSame(toScript([]).parts, []);
});

t.test('toSingleLine() separates commands, and knows the operation of each column', async (t) => {
  const { text, operationAt } = toSingleLine(LINES);
  t.equal(
    text,
    'add table ip nftlane; delete element ip nftlane a { 1, 2, }; delete element ip nftlane b { 3 . 4, ' +
      '}; add element ip nftlane a { 1 comment "x/y" : goto c, 2 : drop, }; flush set ip nftlane s; ' +
      'add element ip nftlane s { 7 }; add element ip nftlane b { 5, }',
  );
  const places = ['add table', 'delete element ip nftlane a', '2,', 'goto c', '2 : drop', '{ 7 }', '5, }'];
  t.strictSame(
    places.map((place) => operationAt(text.indexOf(place))),
    [1, 2, 3, 5, 6, 8, 9],
  );
  t.equal(operationAt(text.length), 0, 'behind the line');
});
