// A sample of `make fuzz`, with the inputs that failed once.

import t from 'tap';
import { runFuzz } from './run-fuzz.ts';
import { TARGETS } from './targets.ts';

t.test('no input crashes nftlane, takes long, or gets into its output', async (t) => {
  const { inputs, failures } = await runFuzz({ targets: TARGETS, inputs: 5_000, seed: 1 });
  for (const [target, count] of Object.entries(inputs)) t.ok(count > 5, `${target}: ${count} inputs`);
  t.strictSame(failures, []);
});
