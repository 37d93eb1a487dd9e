// Tests of src/nftables/compile/sets-and-maps.ts.

import t from 'tap';
import { allSetsAndMaps, roleOf, SETS_AND_MAPS } from '../../../../src/nftables/compile/sets-and-maps.ts';

t.test('allSetsAndMaps() returns the same sets and maps for both families', async (t) => {
  t.strictSame(Object.keys(SETS_AND_MAPS.ip), Object.keys(SETS_AND_MAPS.ip6));
  t.equal(allSetsAndMaps().length, 2 * Object.keys(SETS_AND_MAPS.ip).length);
  for (const { family, body } of allSetsAndMaps()) {
    t.match(body, /^typeof .+;$/);
    t.notMatch(body, family === 'ip' ? /\bip6\b/ : /\bip\b/);
  }
});

t.test('roleOf() returns the role of each set and map', async (t) => {
  const roles = Object.entries(Object.groupBy(Object.values(SETS_AND_MAPS.ip), roleOf));
  t.strictSame(Object.fromEntries(roles.map(([role, objects]) => [role, objects?.map(({ name }) => name)])), {
    verdicts: ['service-ips', 'service-nodeports'],
    slots: [
      ...['endpoints', 'nodeport-endpoints', 'local-endpoints', 'local-nodeport-endpoints'],
      ...['firewall-ips', 'source-ranges', 'nodeport-ips', 'hairpin-connections'],
    ],
    'inner-verdicts': [
      ...['short-circuit-ips', 'short-circuit-nodeports', 'local-service-ips', 'local-service-nodeports'],
      ...['affinity-ips', 'affinity-nodeports'],
    ],
    rejects: ['no-endpoint-services', 'no-endpoint-nodeports', 'cluster-ips'],
  });
});
