// Tests of src/nftables/compile/objects.ts.
import t from 'tap';
import { allObjects, OBJECTS, roleOf } from '../../../../src/nftables/compile/objects.ts';

t.test('allObjects() has the same objects in both families', async (t) => {
  t.strictSame(Object.keys(OBJECTS.ip), Object.keys(OBJECTS.ip6));
  t.equal(allObjects().length, 2 * Object.keys(OBJECTS.ip).length);
  for (const { family, body } of allObjects()) {
    t.match(body, /^typeof .+;$/);
    t.notMatch(body, family === 'ip' ? /\bip6\b/ : /\bip\b/);
  }
});

t.test('roleOf() says when each object changes', async (t) => {
  const roles = Object.entries(Object.groupBy(Object.values(OBJECTS.ip), roleOf));
  t.strictSame(Object.fromEntries(roles.map(([role, objects]) => [role, objects?.map(({ name }) => name)])), {
    verdicts: ['service-ips', 'service-nodeports'],
    slots: [
      ...['endpoints', 'nodeport-endpoints', 'local-endpoints', 'local-nodeport-endpoints'],
      ...['guarded-ips', 'source-ranges', 'nodeport-ips', 'hairpin'],
    ],
    'inner-verdicts': [
      ...['short-circuit-ips', 'short-circuit-nodeports', 'local-service-ips', 'local-service-nodeports'],
      ...['affinity-ips', 'affinity-nodeports'],
    ],
    refusals: ['no-endpoints', 'no-endpoint-nodeports', 'cluster-ips'],
  });
});
