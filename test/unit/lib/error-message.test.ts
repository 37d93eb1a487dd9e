// Tests of src/lib/error-message.ts.

import t from 'tap';
import { errorMessage } from '../../../src/lib/error-message.ts';

t.test('errorMessage() returns the message of an error, and other values as text', async (t) => {
  t.equal(errorMessage(new TypeError('no such file')), 'no such file');
  t.equal(errorMessage('text'), 'text');
  t.equal(errorMessage(undefined), 'undefined');
});
