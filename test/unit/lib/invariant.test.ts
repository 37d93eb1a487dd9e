// Tests of src/lib/invariant.ts.
import t from 'tap';
import { invariant, unreachable } from '../../../src/lib/invariant.ts';

t.test('invariant() throws an error with the condition', async (t) => {
  t.doesNotThrow(() => invariant(true, 'the sky is blue'));
  t.throws(() => invariant(false, 'the sky is blue'), new Error('Invariant broken: the sky is blue'));
});

t.test('unreachable() throws with the unexpected value', async (t) => {
  t.throws(() => unreachable('x' as never), new Error('Invariant broken: unexpected value "x"'));
});
