// Tests of src/nftables/compile/endpoint-loss.ts.

import t from 'tap';
import type { Engine } from '../../../../src/engine/engine.ts';
import { linesOf } from '../../../../src/engine/transaction.ts';
import { engineOf } from '../../../support/builders/engine.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import { endpoint, slice, UNREADY } from '../../../support/builders/slice.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';
import { FakeNftables } from '../../../support/fakes/fake-nftables.ts';

const web = (n: number) => service(`shop/s${n}`, { spec: clusterIps(`10.96.0.${n}`) });
const SERVICES = [1, 2, 3].map(web);
const SLICES = [1, 2, 3].map((n) => slice(`shop/s${n}`));

/** An engine with these objects, and the kernel of another one with all of them. */
function restarted(...objects: readonly ApiObject[]): Engine {
  const kernel = new FakeNftables();
  for (const transaction of engineOf([...SERVICES, ...SLICES])
    .plan()
    .flat())
    kernel.run(linesOf(transaction));
  const engine = engineOf(objects);
  engine.adopt(kernel.list());
  engine.compile();
  return engine;
}

t.test('endpointLoss() counts the Services that lose all endpoints, and those that have some', async (t) => {
  t.strictSame(restarted(...SERVICES, ...SLICES).endpointLoss(), { lost: 0, present: 0 });
  t.strictSame(restarted().endpointLoss(), { lost: 3, present: 0 });
  t.strictSame(restarted(web(1), slice('shop/s1')).endpointLoss(), { lost: 2, present: 1 });
  t.strictSame(restarted(...SERVICES).endpointLoss(), { lost: 3, present: 0 }, 'no slices');
  const unready = slice('shop/s1', { endpoints: [endpoint('10.1.0.1', UNREADY)] });
  t.strictSame(restarted(...SERVICES, unready, ...SLICES.slice(1)).endpointLoss(), { lost: 1, present: 2 });
  const moved = service('shop/s1', { spec: clusterIps('10.96.0.77') });
  t.strictSame(restarted(moved, ...SERVICES.slice(1), ...SLICES).endpointLoss(), { lost: 0, present: 3 }, 'moved');
});
