// Tests of src/nftables/compile/kernel-services.ts.

import t from 'tap';
import { linesOf } from '../../../../src/engine/transaction.ts';
import { runSteps } from '../../../../src/lib/steps.ts';
import { kernelServices } from '../../../../src/nftables/compile/kernel-services.ts';
import { engineOf } from '../../../support/builders/engine.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import { endpoint, slice, UNREADY } from '../../../support/builders/slice.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';
import { FakeNftables } from '../../../support/fakes/fake-nftables.ts';

/** The Services in the kernel of a daemon with these objects, by family. */
function found(...objects: readonly ApiObject[]): Record<string, string[]> {
  const kernel = new FakeNftables();
  for (const transaction of engineOf(objects).plan().flat()) kernel.run(linesOf(transaction));
  const services = runSteps(kernelServices(kernel.list().elements));
  return Object.fromEntries([...services].map(([family, names]) => [family, [...names].sort()]));
}

t.test('kernelServices() finds the Services with endpoints, family by family', async (t) => {
  const six = { spec: clusterIps('10.96.0.2', 'fd00::2') };
  const sixSlice = slice('shop/six', {
    metadata: { name: 'six-6' },
    addressType: 'IPv6',
    endpoints: [endpoint('fd01::1')],
  });
  t.strictSame(found(service('shop/web'), slice('shop/web'), service('shop/six', six), sixSlice), {
    ip: ['shop/web'],
    ip6: ['shop/six'],
  });
});

t.test('kernelServices() does not count Services without endpoints', async (t) => {
  const unready = slice('shop/web', { endpoints: [endpoint('10.1.0.1', UNREADY)] });
  t.strictSame(found(service('shop/web'), unready)['ip'] ?? [], []);
  t.strictSame(found(), {});
});
