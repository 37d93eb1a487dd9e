// Tests of src/host/files/system-error.ts.

import { readFile } from 'node:fs/promises';
import t from 'tap';
import { failureReason, isSystemError } from '../../../../src/host/files/system-error.ts';

t.test('failureReason() names neither call nor path of a system error', async (t) => {
  const error = await readFile('/nonexistent').catch((error: unknown) => error);
  t.ok(isSystemError(error));
  t.equal(failureReason(error), 'no such file or directory');
});

t.test('failureReason() returns the message of any other error', async (t) => {
  t.notOk(isSystemError(new Error('out of order')));
  t.equal(failureReason(new Error('out of order')), 'out of order');
  t.equal(failureReason('text'), 'text');
});
