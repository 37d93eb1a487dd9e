// Tests of src/health/node-eligibility.ts.

import t from 'tap';
import { NodeEligibility } from '../../../src/health/node-eligibility.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { node } from '../../support/builders/node.ts';
import { put, remove } from '../../support/builders/put-objects.ts';

const LEAVING = { spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler' }] } };

t.test('NodeEligibility requires a Node that exists and is not being deleted', async (t) => {
  const engine = engineOf();
  const eligibility = new NodeEligibility(engine);
  t.equal(eligibility.isEligible, false);
  put(engine, node('n2'));
  t.equal(eligibility.isEligible, false, 'it is another node');
  put(engine, node('n1'));
  t.equal(eligibility.isEligible, true);
  put(engine, node('n1', LEAVING));
  t.equal(eligibility.isEligible, false);
  put(engine, node('n1'));
  t.equal(eligibility.isEligible, true);
});

t.test('NodeEligibility keeps the state of a Node that disappears', async (t) => {
  for (const [overrides, eligible] of [
    [{}, true],
    [LEAVING, false],
  ] as const) {
    const engine = engineOf([node('n1')]);
    const eligibility = new NodeEligibility(engine);
    t.equal(eligibility.isEligible, true);
    put(engine, node('n1', overrides));
    eligibility.committed();
    remove(engine, node('n1'));
    t.equal(eligibility.isEligible, eligible);
  }
});
