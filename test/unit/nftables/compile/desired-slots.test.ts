// Tests of src/nftables/compile/desired-slots.ts.

import t from 'tap';
import { runSteps } from '../../../../src/lib/steps.ts';
import { DesiredSlots } from '../../../../src/nftables/compile/desired-slots.ts';
import { maglevSize } from '../../../../src/nftables/plan/maglev.ts';
import { readService } from '../../../../src/services/objects/service.ts';
import { backend } from '../../../support/builders/backend.ts';
import { service } from '../../../support/builders/service.ts';

function slots(hosts: readonly number[], { balance = 'random', weights = '' } = {}): string[] {
  const annotations = { 'nftlane.io/balance': balance, 'nftlane.io/weights': weights };
  const { value } = readService(service('shop/web', { metadata: { annotations } }));
  if (value === undefined) throw new Error('Cannot read the Service');
  const backends = hosts.map((host) => backend(host));
  const found = runSteps(new DesiredSlots(value).of(backends));
  return found.map((slot) => slot.replace(/^10\.1\.0\.(\d+) \. 8080$/, '$1'));
}

t.test('DesiredSlots returns one slot per backend, in order', async (t) => {
  for (const balance of ['random', 'source-hash']) t.strictSame(slots([3, 1, 2], { balance }), ['3', '1', '2']);
  t.strictSame(slots([]), []);
});

t.test('DesiredSlots returns as few slots as the weights allow', async (t) => {
  const cases: [weights: string, expected: string[]][] = [
    ['10.1.0.1=3', ['1', '1', '1', '2', '3']],
    ['10.1.0.1=2,10.1.0.2=4,10.1.0.3=6', ['1', '2', '2', '3', '3', '3']],
    ['10.1.0.1=50,10.1.0.2=50,10.1.0.3=50', ['1', '2', '3']],
    ['10.1.0.1=0', ['2', '3']],
    ['10.1.0.9=7', ['1', '2', '3']],
    ['10.1.0.1=0,10.1.0.2=0,10.1.0.3=0', []],
    ['10.1.0.1=0,10.1.0.2=0,10.1.0.3=100', ['3']],
  ];
  for (const [weights, expected] of cases) t.strictSame(slots([1, 2, 3], { weights }), expected, weights);
  t.equal(slots([1, 2], { weights: '10.1.0.1=100' }).length, 101);
});

t.test('DesiredSlots returns the lookup table for maglev', async (t) => {
  const found = slots([1, 2, 3], { balance: 'maglev', weights: '10.1.0.1=0,10.1.0.2=3' });
  t.equal(found.length, maglevSize(2));
  const counts = ['1', '2', '3'].map((name) => found.filter((slot) => slot === name).length);
  t.strictSame(counts, [0, 3070, 1023]);
  t.strictSame(slots([3, 2, 1], { balance: 'maglev' }), slots([1, 2, 3], { balance: 'maglev' }));
  t.strictSame(slots([], { balance: 'maglev' }), []);
});

t.test('DesiredSlots computes one table for all ports with the same endpoints', async (t) => {
  const { value } = readService(service('shop/web', { metadata: { annotations: { 'nftlane.io/balance': 'maglev' } } }));
  if (value === undefined) throw new Error('Cannot read the Service');
  const slots = new DesiredSlots(value);
  const tables = [1, 2, 3].map((count) =>
    runSteps(slots.of([backend(1), backend(2), ...(count > 2 ? [backend(3)] : [])])),
  );
  t.equal(tables[0], tables[1]);
  t.not(tables[0], tables[2]);
});
