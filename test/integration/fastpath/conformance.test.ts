// Runs a sample of the conformance grid's cells of the Local policies, with the fast path and with nftables alone.

import t from 'tap';
import { createConformanceWorld } from '../../conformance/conformance-world.ts';
import { FAST_PATH_RUNS, runWithFastPath } from '../../conformance/fast-path-run.ts';
import { line } from '../../conformance/report.ts';
import { describeRun } from '../../conformance/report-fast-path.ts';
import { runGrid, SETUPS } from '../../conformance/run-grid.ts';
import { gridServices, hasLocalPolicy } from '../../conformance/services.ts';

const LOCAL = gridServices().filter(hasLocalPolicy);
const ELIGIBLE = LOCAL.filter(({ policy }) => policy === 'internal Cluster, external Local');

/** Every eleventh covers all policies and features; more of those that the fast path serves. */
const SERVICES = LOCAL.filter((service, index) => index % 11 === 1 || ELIGIBLE.indexOf(service) % 4 === 1);

/** The defaults, which distinguish pods of other nodes from other clients on the uplink by their addresses. */
const [SETUP] = SETUPS;

t.setTimeout(110_000);

t.test('every setup is run with the fast path, with and without offloads, and with clsact', async (t) => {
  t.strictSame(new Set(FAST_PATH_RUNS.map(({ setup }) => setup)), new Set(SETUPS));
  const variants = new Set(FAST_PATH_RUNS.map(({ variant: { attach, offloads } }) => `${attach} ${offloads}`));
  t.strictSame(variants, new Set(['best on', 'best off', 'clsact off']));
});

t.test(
  'cells of the Local policies have the same results with the fast path, which decides exactly its own',
  async (t) => {
    if (SETUP === undefined) throw new Error('Cannot run the grid: there is no setup');
    const world = await createConformanceWorld();
    t.teardown(() => world.close());
    const withoutFastPath = await runGrid(world, SERVICES, SETUP);
    for (const { variant } of FAST_PATH_RUNS.filter(({ setup }) => setup === SETUP)) {
      const run = await runWithFastPath(world, SERVICES, { setup: SETUP, variant, withoutFastPath });
      const decided = run.results.filter(({ byFastPath }) => byFastPath).length;
      t.comment(`${describeRun(run)}: ${run.results.length} cells, ${decided} by the fast path, ${run.flows} flows`);
      if (variant.attach !== 'best') t.equal(run.attachedBy, variant.attach);
      t.equal(run.results.length, withoutFastPath.length, 'every cell of the Local policies was run');
      t.ok(decided > 100, 'the fast path decided some of them');
      for (const result of run.results.filter(({ differences }) => differences.length > 0)) t.fail(line(result));
      t.strictSame(run.miscounts, []);
    }
  },
);
