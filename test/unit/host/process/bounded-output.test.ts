// Tests of src/host/process/bounded-output.ts.

import t from 'tap';
import { FloodDetector, LineSplitter, maxErrorCharacters } from '../../../../src/host/process/bounded-output.ts';

t.test('LineSplitter splits text into lines, wherever its parts end', async (t) => {
  const text = 'one\n\ntwo\nthree';
  for (let size = 1; size <= text.length; size++) {
    const splitter = new LineSplitter();
    const parts = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
    const lines = parts.flatMap((part) => splitter.split(part));
    t.strictSame([...lines, ...splitter.end()], ['one', '', 'two', 'three']);
    t.strictSame(splitter.end(), []);
  }
});

t.test('LineSplitter says when a line is too long, before it ends', async (t) => {
  const splitter = new LineSplitter(10);
  t.strictSame(splitter.split('0123456789'), []);
  t.notOk(splitter.isTooLong);
  splitter.split('x');
  t.ok(splitter.isTooLong);
  t.strictSame(splitter.split('\n'), ['0123456789x']);
  t.notOk(splitter.isTooLong);
  splitter.split('much longer than ten\nshort');
  t.notOk(splitter.isTooLong);
});

t.test('FloodDetector counts the output of a minute', async (t) => {
  let now = 0;
  const flood = new FloodDetector(100, { now: () => now });
  t.notOk(flood.add(100));
  now = 59_999;
  t.ok(flood.add(1));
  now = 60_000;
  t.notOk(flood.add(100));
});

t.test('maxErrorCharacters() grows with the input, within limits', async (t) => {
  t.equal(maxErrorCharacters(0), 2 ** 20);
  t.ok(maxErrorCharacters(100_000) > 2 * 2 ** 20);
  t.equal(maxErrorCharacters(1e9), 8 * 2 ** 20);
});
