// Tests of src/sources/manifests/background-reads.ts.

import t from 'tap';
import { BackgroundReads } from '../../../../src/sources/manifests/background-reads.ts';

/** Reads that end when the test says so. */
function slowReads() {
  let done = 0;
  const reads = new BackgroundReads<string>(() => {
    done += 1;
  });
  const start = async (name: string, stamp = '1') => {
    const { promise, resolve } = Promise.withResolvers<string>();
    let signal: AbortSignal | undefined;
    const read = (given: AbortSignal) => {
      signal = given;
      return promise;
    };
    const result = await reads.run(name, { stamp, read });
    return { result, finish: resolve, isAborted: () => signal?.aborted };
  };
  return { reads, start, done: () => done };
}

t.test('BackgroundReads returns the result of a fast read', async (t) => {
  const { reads, done } = slowReads();
  t.equal(await reads.run('a', { stamp: '1', read: async () => 'x' }), 'x');
  t.strictSame([reads.count, reads.take().size, done()], [0, 0, 0]);
});

t.test('BackgroundReads continues a slow read, and tells when it ends', async (t) => {
  const { reads, start, done } = slowReads();
  const { result, finish } = await start('a');
  t.equal(result, undefined);
  t.strictSame([reads.isReading('a', '1'), reads.isReading('a', '2'), reads.count], [true, false, 1]);
  finish('x');
  await new Promise(setImmediate);
  t.equal(done(), 1);
  t.strictSame([...reads.take()], [['a', 'x']]);
  t.strictSame([...reads.take()], []);
});

t.test('BackgroundReads ends the read of an older version, and forgets its result', async (t) => {
  const { reads, start, done } = slowReads();
  const first = await start('a', '1');
  const second = await start('a', '2');
  t.strictSame([first.isAborted(), second.isAborted()], [true, false]);
  first.finish('old');
  second.finish('new');
  await new Promise(setImmediate);
  t.strictSame([...reads.take()], [['a', 'new']]);
  t.equal(done(), 1);
});

t.test('BackgroundReads is full at four reads, until they end or are aborted', async (t) => {
  const { reads, start } = slowReads();
  const all = await Promise.all(['a', 'b', 'c', 'd'].map((name) => start(name)));
  t.equal(reads.isFull, true);
  reads.abort('a');
  t.equal(reads.isFull, false);
  reads.abortAll();
  t.strictSame([reads.count, all.every(({ isAborted }) => isAborted())], [0, true]);
});
