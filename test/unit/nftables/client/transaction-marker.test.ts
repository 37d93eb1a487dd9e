// Tests of src/nftables/client/transaction-marker.ts.

import t from 'tap';
import {
  isConfirmation,
  listedNumbers,
  markerLines,
  nextMarker,
} from '../../../../src/nftables/client/transaction-marker.ts';

t.test('each transaction has a number of its own, in a table that it changes', async (t) => {
  const [first, second] = [nextMarker(['add table ip6 nftlane']), nextMarker(['flush set ip nftlane x'])];
  t.not(first.number, second.number);
  t.strictSame([first.object.family, second.object.family], ['ip6', 'ip']);
});

t.test('markerLines() replaces the markers of earlier transactions, or keeps them', async (t) => {
  const marker = nextMarker(['add table ip6 nftlane']);
  const add = `add element ip6 nftlane last-transaction { ${marker.number} }`;
  t.strictSame(markerLines(marker, { keep: false }), ['flush set ip6 nftlane last-transaction', add]);
  t.strictSame(markerLines(marker, { keep: true }), [add]);
});

t.test('isConfirmation() accepts the notification of the same number and family', async (t) => {
  const marker = { ...nextMarker(['add table ip nftlane']), number: 123456 };
  t.ok(isConfirmation('add element ip nftlane last-transaction { 0x0001e240 }', marker));
  for (const line of [
    'add element ip nftlane last-transaction { 0x0001e241 }',
    'add element ip6 nftlane last-transaction { 0x0001e240 }',
    'delete element ip nftlane last-transaction { 0x0001e240 }',
    'add element ip nftlane last-transaction { 123456 }',
  ]) {
    t.notOk(isConfirmation(line, marker), line);
  }
});

t.test('listedNumbers() reads a listing', async (t) => {
  const text =
    'table ip nftlane {\n\tset last-transaction {\n\t\telements = { 0x0001e240, 0x8000015f,\n\t\t 0x00000007 }';
  t.strictSame(listedNumbers(text), new Set([123456, 0x8000015f, 7]));
  t.strictSame(listedNumbers(''), new Set());
});
