// A chaos run from the command line:
//
//   CHAOS_SECONDS=600 CHAOS_FAULTS=1000 CHAOS_SEED=17 CHAOS_LOG=/tmp/daemon.log node test/chaos/main.ts
//
// Prints each fault, and the results at the end. Exits with 1 when a promise was broken. The same seed gives the same faults.

import { runChaos } from './run-chaos.ts';

const { env } = process;
const seed = Number(env['CHAOS_SEED'] ?? Date.now() % 2 ** 32);
console.log(`seed ${seed}`);
const results = await runChaos({
  seed,
  seconds: Number(env['CHAOS_SECONDS'] ?? 600),
  faults: Number(env['CHAOS_FAULTS'] ?? 1000),
  logFile: env['CHAOS_LOG'],
  print: (line) => console.log(`${new Date().toISOString()} ${line}`),
});
const { lost, broken, crashes, leftovers, ...figures } = results;
console.log(figures);
const failures = { lost, broken, crashes, leftovers };
for (const [name, list] of Object.entries(failures)) {
  console.log(`${name}: ${list.length}`);
  for (const line of list.slice(0, 50)) console.log(`  ${line}`);
}
console.log(`seed ${seed}`);
process.exit(Object.values(failures).some((list) => list.length > 0) ? 1 : 0);
