// Tests of src/lib/backoff.ts.
import t from 'tap';
import { Backoff } from '../../../src/lib/backoff.ts';

t.test('Backoff doubles up to 30 s, and begins anew after a success', async (t) => {
  const rounds = Array.from({ length: 11 });
  const longest = new Backoff(() => 1);
  t.strictSame(
    rounds.map(() => longest.next()),
    [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000],
  );
  longest.reset();
  t.equal(longest.next(), 100);
  const shortest = new Backoff(() => 0);
  t.strictSame(
    rounds.map(() => shortest.next()),
    [100, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000],
  );
});
