// Runs a representative part of the conformance grid: expected outcomes, the ruleset, and real packets.

import t from 'tap';
import { createConformanceWorld, optionsOf } from '../../conformance/conformance-world.ts';
import { runGrid, SETUPS } from '../../conformance/run-grid.ts';
import { gridServices } from '../../conformance/services.ts';

/** Coprime with the numbers of policies, features and states, so that all of them are covered. */
const EVERY_NTH = 17;

t.test('the setups cover every detection mode and every kind of node port address', async (t) => {
  const options = await Promise.all(SETUPS.map(optionsOf));
  const modes = new Set(options.map(({ detectLocal }) => detectLocal.mode));
  t.strictSame([...modes].sort(), ['BridgeInterface', 'ClusterCIDR', 'InterfaceNamePrefix', 'NodeCIDR']);
  const kinds = options.flatMap(({ nodePortAddresses }) =>
    nodePortAddresses.map((entry) => (typeof entry === 'string' ? entry : entry.length === 0 ? 'everything' : 'block')),
  );
  t.strictSame([...new Set(kinds)].sort(), ['block', 'everything', 'primary']);
  t.ok(options.some(({ masqueradeAll }) => masqueradeAll) && options.some(({ masqueradeAll }) => !masqueradeAll));
});

t.test('resolveFlow(), trace() and packets agree', async (t) => {
  const world = await createConformanceWorld();
  t.teardown(() => world.close());
  for (const setup of SETUPS) {
    const results = await runGrid(world, gridServices(EVERY_NTH), setup);
    t.ok(results.length > 300, `${setup.description}: ${results.length} cells`);
    for (const { cell, differences } of results.filter((result) => result.differences.length > 0)) {
      const { client, destination, policy, endpoints, family, protocol } = cell;
      t.fail(`${[client, destination, policy, endpoints, family, protocol].join(' / ')}: ${differences.join('; ')}`);
    }
  }
});
