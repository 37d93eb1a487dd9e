// Tests that no tool says that all is well where packets go astray, after random changes of the ruleset by others.
// `make truth` does the same for longer.

import t from 'tap';
import { runTruth } from '../../truth/run-truth.ts';

/** A few seconds on a quiet machine. */
const STATES = 20;

t.test('diff, doctor and explain tell the truth about a ruleset that others have changed', async (t) => {
  const seed = Number(process.env['TRUTH_SEED'] ?? Date.now() % 2 ** 31);
  const { states, changes, claims, lies } = await runTruth({ seed, count: STATES });
  t.comment(`TRUTH_SEED=${seed}: ${states} states after ${changes} changes, ${claims} flows called forwarded`);
  t.strictSame(lies, [], `seed ${seed}`);
  t.ok(claims > STATES, 'some flows were called forwarded, and dialed');
});
