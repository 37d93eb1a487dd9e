// Tests of src/services/objects/balance-annotations.ts, by way of readService().

import t from 'tap';
import { annotated } from './read-service.ts';

t.test('readService() reads the balance annotation', async (t) => {
  for (const balance of ['random', 'source-hash', 'maglev']) {
    t.match(annotated({ 'nftlane.io/balance': balance }), { value: { balance }, issues: [] });
  }
  for (const balance of ['', 'Maglev', 'rr', 5]) {
    const { value, issues } = annotated({ 'nftlane.io/balance': balance });
    t.equal(value?.balance, 'random');
    t.strictSame(issues, [`metadata.annotations["nftlane.io/balance"] ${JSON.stringify(balance)}: using random`]);
  }
});

const WEIGHTS: readonly [text: unknown, expected: Record<string, number>, faulty: string[]][] = [
  ['', {}, []],
  ['10.1.0.1=3', { '10.1.0.1': 3 }, []],
  [' 10.1.0.1 = 0 ,fd00:0::1=100,', { '10.1.0.1': 0, 'fd00::1': 100 }, []],
  ['10.1.0.1=1,10.1.0.1=2', { '10.1.0.1': 2 }, []],
  ['web=1,10.1.0.1=2', { '10.1.0.1': 2 }, ['web=1']],
  ['10.1.0.1=101', {}, ['10.1.0.1=101']],
  ['10.1.0.1=-1', {}, ['10.1.0.1=-1']],
  ['10.1.0.1=1.5', {}, ['10.1.0.1=1.5']],
  ['10.1.0.1=', {}, ['10.1.0.1=']],
  ['10.1.0.1', {}, ['10.1.0.1']],
  ['10.1.0.1=1=2', {}, ['10.1.0.1=1=2']],
  ['=5', {}, ['=5']],
  [5, {}, []],
];

t.test('readService() reads the weights annotation and ignores only invalid weights', async (t) => {
  for (const [weights, expected, faulty] of WEIGHTS) {
    const { value, issues } = annotated({ 'nftlane.io/weights': weights });
    t.strictSame(value?.weights, expected, String(weights));
    const field = 'metadata.annotations["nftlane.io/weights"]';
    const left = faulty.map((entry) => `${field} "${entry}": ignoring this weight`);
    t.strictSame(issues, left, String(weights));
  }
});
