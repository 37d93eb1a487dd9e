// Tests of src/health/node-eligibility.ts.
import t from 'tap';
import { NodeEligibility } from '../../../src/health/node-eligibility.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { node } from '../../support/builders/node.ts';
import { put, remove } from '../../support/builders/put-objects.ts';

const LEAVING = { spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler' }] } };

t.test('OwnNode is eligible when it is known and does not leave', async (t) => {
  const engine = engineOf();
  const own = new NodeEligibility(engine);
  t.equal(own.eligible, false);
  put(engine, node('n2'));
  t.equal(own.eligible, false, 'that is another one');
  put(engine, node('n1'));
  t.equal(own.eligible, true);
  put(engine, node('n1', LEAVING));
  t.equal(own.eligible, false);
  put(engine, node('n1'));
  t.equal(own.eligible, true);
});

t.test('OwnNode that vanishes stays what it was at the last sync', async (t) => {
  for (const [overrides, eligible] of [
    [{}, true],
    [LEAVING, false],
  ] as const) {
    const engine = engineOf([node('n1')]);
    const own = new NodeEligibility(engine);
    t.equal(own.eligible, true);
    put(engine, node('n1', overrides));
    own.committed();
    remove(engine, node('n1'));
    t.equal(own.eligible, eligible);
  }
});
