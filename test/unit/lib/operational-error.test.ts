// Tests of src/lib/operational-error.ts.

import t from 'tap';
import { EnvironmentError, OperationalError } from '../../../src/lib/operational-error.ts';

t.test('OperationalError has a kind, a message and a cause', async (t) => {
  const cause = new Error('inner');
  const error = new OperationalError('input', 'Cannot read "x": no such file', { cause });
  t.match(error, { name: 'OperationalError', kind: 'input', message: 'Cannot read "x": no such file', cause });
  t.ok(error instanceof Error);
});

t.test('EnvironmentError is of kind environment, and so are its subclasses', async (t) => {
  class Specific extends EnvironmentError {
    override readonly name = 'Specific';
  }
  t.match(new EnvironmentError('x'), { name: 'EnvironmentError', kind: 'environment' });
  const specific = new Specific('x');
  t.match(specific, { name: 'Specific', kind: 'environment' });
  t.ok(specific instanceof OperationalError);
});
