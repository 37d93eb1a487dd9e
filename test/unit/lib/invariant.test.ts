// Tests of src/lib/invariant.ts.

import t from 'tap';
import { invariant, unreachable } from '../../../src/lib/invariant.ts';

t.test('invariant() throws an error with the condition', async (t) => {
  t.doesNotThrow(() => invariant(true, 'the list is sorted'));
  t.throws(() => invariant(false, 'the list is sorted'), new Error('Invariant broken: the list is sorted'));
});

t.test('unreachable() throws with the unexpected value', async (t) => {
  t.throws(() => unreachable('x' as never), new Error('Invariant broken: unexpected value "x"'));
});
