// Tests of src/lib/backoff.ts.

import t from 'tap';
import { Backoff, backoffMs } from '../../../src/lib/backoff.ts';

t.test('Backoff doubles up to 30 s and restarts after a reset', async (t) => {
  const rounds = Array.from({ length: 11 });
  const longest = new Backoff({ random: () => 1 });
  t.strictSame(
    rounds.map(() => longest.next()),
    [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000],
  );
  longest.reset();
  t.equal(longest.next(), 100);
  const shortest = new Backoff({ random: () => 0 });
  t.strictSame(
    rounds.map(() => shortest.next()),
    [100, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000],
  );
});

t.test('Backoff without jitter doubles exactly, between its own limits', async (t) => {
  const backoff = new Backoff({ minMs: 15_000, maxMs: 50_000 });
  t.strictSame([backoff.next(), backoff.next(), backoff.next(), backoff.next()], [15_000, 30_000, 50_000, 50_000]);
  t.equal(new Backoff().next(), 100);
});

t.test('backoffMs() is the wait after a number of failures', async (t) => {
  t.strictSame(
    [0, 1, 2, 20].map((failures) => backoffMs(failures)),
    [100, 200, 400, 30_000],
  );
});
