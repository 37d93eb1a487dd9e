// Fuzzes everything that reads input which others write:
//
//   FUZZ_INPUTS=1000000 FUZZ_SEED=17 FUZZ_TARGET=objects node test/fuzz/main.ts
//
// Failing inputs are added to test/fuzz/corpus. Exits with 1 when there are any.

import { keepInput, runFuzz } from './run-fuzz.ts';
import { TARGETS } from './targets.ts';

const { env } = process;
const seed = Number(env['FUZZ_SEED'] ?? Date.now() % 2 ** 32);
const only = env['FUZZ_TARGET'];
const inputs = Number(env['FUZZ_INPUTS'] ?? 1_000_000);
const targets = TARGETS.filter(({ name }) => only === undefined || name === only);
console.log(`seed ${seed}, ${inputs} inputs`);
const { failures, ...figures } = await runFuzz({ targets, inputs, seed });
console.log(figures);
for (const failure of failures) {
  console.log(`${await keepInput(failure)}\n  ${failure.target}: ${failure.reason.slice(0, 1500)}`);
}
console.log(`${failures.length} failures, seed ${seed}`);
process.exit(failures.length > 0 ? 1 : 0);
