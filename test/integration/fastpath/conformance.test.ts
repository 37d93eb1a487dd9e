// A representative part of the conformance grid's cells of the Local policies: with the fast path as with nft alone.
import t from 'tap';
import { createConformanceWorld } from '../../conformance/conformance-world.ts';
import { FAST_PATH_RUNS, runWithFastPath } from '../../conformance/fast-path-run.ts';
import { line } from '../../conformance/report.ts';
import { describeRun } from '../../conformance/report-fast-path.ts';
import { runGrid, SETUPS } from '../../conformance/run-grid.ts';
import { gridServices, hasLocalPolicy } from '../../conformance/services.ts';

const LOCAL = gridServices().filter(hasLocalPolicy);
const PLAIN = LOCAL.filter(({ policy }) => policy === 'internal Cluster, external Local');

/** Every eleventh meets all policies and features; of those that are the fast path's own, more. */
const SERVICES = LOCAL.filter((service, index) => index % 11 === 1 || PLAIN.indexOf(service) % 4 === 1);

/** The defaults, where a pod of another node is told by its address from others that come in by the uplink. */
const [SETUP] = SETUPS;

t.setTimeout(110_000);

t.test('every way to set up nftlane is run with the fast path, with offloads and without, by clsact too', async (t) => {
  t.strictSame(new Set(FAST_PATH_RUNS.map(({ setup }) => setup)), new Set(SETUPS));
  const ways = new Set(FAST_PATH_RUNS.map(({ variant: { attach, offloads } }) => `${attach} ${offloads}`));
  t.strictSame(ways, new Set(['best on', 'best off', 'clsact off']));
});

t.test('the cells of the Local policies meet the same with the fast path, which decides its own', async (t) => {
  if (SETUP === undefined) throw new Error('There is no set-up');
  const world = await createConformanceWorld();
  t.teardown(() => world.close());
  const withoutFastPath = await runGrid(world, SERVICES, SETUP);
  for (const { variant } of FAST_PATH_RUNS.filter(({ setup }) => setup === SETUP)) {
    const run = await runWithFastPath(world, SERVICES, { setup: SETUP, variant, withoutFastPath });
    const decided = run.results.filter(({ byFastPath }) => byFastPath).length;
    t.comment(`${describeRun(run)}: ${run.results.length} cells, ${decided} by the fast path, ${run.flows} flows`);
    if (variant.attach !== 'best') t.equal(run.attachedBy, variant.attach);
    t.equal(run.results.length, withoutFastPath.length, 'each cell of the Local policies');
    t.ok(decided > 100, 'the fast path has decided some of them');
    for (const result of run.results.filter(({ differences }) => differences.length > 0)) t.fail(line(result));
    t.strictSame(run.miscounts, []);
  }
});
