// Tests of src/nftables/client/transaction-marker.ts.

import t from 'tap';
import {
  listedNumbers,
  markerLines,
  nextMarker,
  OwnMarkers,
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

t.test('listedNumbers() reads a listing', async (t) => {
  const text =
    'table ip nftlane {\n\tset last-transaction {\n\t\telements = { 0x0001e240, 0x8000015f,\n\t\t 0x00000007 }';
  t.strictSame(listedNumbers(text), new Set([123456, 0x8000015f, 7]));
  t.strictSame(listedNumbers(''), new Set());
});

t.test('OwnMarkers takes each number of ours once', async (t) => {
  const markers = new OwnMarkers();
  const event = (number: number) =>
    `add element ip nftlane last-transaction { 0x${number.toString(16).padStart(8, '0')} }`;
  const { number } = nextMarker(['flush set ip nftlane x']);
  t.notOk(markers.take(event(number + 1)), 'not sent yet');
  t.equal(markers.take(event(number)), number);
  t.notOk(markers.take(event(number)), 'another program restored it');
  t.notOk(markers.take('add element ip nftlane services { 10.0.0.1 }'));
  const later = Array.from({ length: 20_000 }, () => nextMarker(['flush set ip nftlane x']).number);
  t.ok(later.every((next) => markers.take(event(next))));
  t.notOk(
    [number, ...later].some((next) => markers.take(event(next))),
    'nor any of the many since',
  );
});
