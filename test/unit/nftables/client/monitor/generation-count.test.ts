// Tests of src/nftables/client/monitor/generation-count.ts.

import t from 'tap';
import { GenerationCount } from '../../../../../src/nftables/client/monitor/generation-count.ts';

/** A kernel that numbers transactions, and a count that reads some of the notifications. */
function given({ generation = 100 } = {}) {
  let failures = 0;
  let number = 7;
  let alone: number | undefined;
  const count = new GenerationCount(() => ({ failures, alone }));
  const next = () => {
    generation = (generation + 1) >>> 0;
    return generation;
  };
  return {
    count,
    own: () => {
      alone = number++;
      return count.observe({ kind: 'own', generation: next(), number: alone });
    },
    /** Two that run at the same time, of which the second is committed first. */
    ownTogether: () => {
      alone = undefined;
      number += 2;
      return [number - 1, number - 2].map((each) => count.observe({ kind: 'own', generation: next(), number: each }));
    },
    foreign: () => count.observe({ kind: 'foreign', generation: next() }),
    other: () => count.observe({ kind: 'other', generation: next() }),
    /** These happen, and are not read. */
    unreadOwn: () => void [next(), number++],
    unreadOther: () => void next(),
    failed: () => void [failures++, number++],
  };
}

t.test('GenerationCount misses nothing while all transactions are read', async (t) => {
  const { own, foreign, other, failed } = given({ generation: 2 ** 32 - 3 });
  t.notOk(own(), 'the number before the first one is not known');
  failed();
  for (const transaction of [foreign, own, other, other, own, foreign, own]) t.notOk(transaction());
});

t.test('GenerationCount finds a transaction that was not read, once', async (t) => {
  const { count, own, other, unreadOther } = given();
  own();
  unreadOther();
  t.ok(other());
  t.notOk(own());
  unreadOther();
  count.reset();
  t.notOk(own(), 'the caller knows');
});

t.test('GenerationCount distinguishes ours from those of others that were not read during a pause', async (t) => {
  const { count, own, foreign, other, unreadOwn, unreadOther, failed } = given();
  const pause = (during: () => void) => {
    count.pause();
    during();
    return own();
  };
  own();
  other();
  own();
  t.notOk(pause(() => {}));
  t.notOk(
    pause(() => {
      for (let n = 0; n < 5; n++) unreadOwn();
      failed();
    }),
    'only ours',
  );
  t.ok(pause(unreadOther));
  t.notOk(pause(unreadOwn), 'reported once');
  count.pause();
  unreadOwn();
  t.notOk(foreign(), 'one that is read after the pause, before one of ours');
  t.notOk(own());
  count.pause();
  t.notOk(other());
  unreadOther();
  t.ok(own());
  t.notOk(own());
});

t.test('GenerationCount reports a pause that began before it had a number to count from', async (t) => {
  const { count, own, unreadOwn, unreadOther } = given();
  own();
  count.reset();
  count.pause();
  unreadOwn();
  unreadOther();
  t.ok(own(), 'as after lost notifications, when the repair of what they were about is large');
  count.pause();
  unreadOwn();
  t.notOk(own());
});

t.test('GenerationCount does not judge by transactions that run at the same time', async (t) => {
  const { count, own, ownTogether, unreadOther } = given();
  t.strictSame(ownTogether(), [false, false]);
  own();
  count.pause();
  unreadOther();
  t.strictSame(ownTogether(), [false, false]);
  t.ok(own(), 'the next one that runs alone');
  count.pause();
  t.strictSame(ownTogether(), [false, false]);
  t.notOk(own());
});
