// A short run of `make chaos`.

import t from 'tap';
import { runChaos } from './run-chaos.ts';

t.test('no connection is lost under faults of every kind', { timeout: 300_000 }, async (t) => {
  const seed = Date.now() % 2 ** 32;
  const results = await runChaos({ seed, seconds: 40, faults: 50, print: (line) => t.comment(line) });
  const { lost, broken, crashes, leftovers, ...figures } = results;
  t.comment(JSON.stringify(figures));
  t.ok(results.faults >= 50 && results.checkpoints >= 1 && results.newConnections > 500, `seed ${seed}`);
  t.strictSame({ lost, broken, crashes, leftovers }, { lost: [], broken: [], crashes: [], leftovers: [] });
});
