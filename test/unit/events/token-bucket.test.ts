// Tests of src/events/token-bucket.ts.

import t from 'tap';
import { TokenBucket } from '../../../src/events/token-bucket.ts';

t.test('TokenBucket allows a burst, and then one token per interval', async (t) => {
  let now = 0;
  const bucket = new TokenBucket({ burst: 2, intervalMs: 100 }, { now: () => now });
  for (const nextAt of [0, 0, 100]) {
    t.equal(bucket.nextAt, nextAt);
    bucket.take();
  }
  t.equal(bucket.nextAt, 200, 'a token may be used in advance');
  now = 150;
  t.equal(bucket.nextAt, 200);
  now = 10_000;
  t.equal(bucket.nextAt, now);
  bucket.take();
  bucket.take();
  t.equal(bucket.nextAt, now + 100, 'unused tokens beyond the burst are lost');
  now = 9_000;
  t.equal(bucket.nextAt, 9_100, 'a clock that goes back adds no tokens');
});
