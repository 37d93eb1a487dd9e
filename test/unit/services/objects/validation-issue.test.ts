// Tests of src/services/objects/validation-issue.ts.

import t from 'tap';
import { formatIssue } from '../../../../src/services/objects/validation-issue.ts';

t.test('formatIssue() returns one line', async (t) => {
  const issue = {
    object: 'Service a/b',
    field: 'spec.ports[0].port',
    value: '0',
    reason: 'is bad',
    effect: 'no port',
  };
  t.equal(formatIssue(issue), 'Service a/b: spec.ports[0].port 0: is bad; no port');
});
