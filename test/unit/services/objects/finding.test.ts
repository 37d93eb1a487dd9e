// Tests of src/services/objects/finding.ts.
import t from 'tap';
import { describeFinding } from '../../../../src/services/objects/finding.ts';

t.test('describeFinding() is one line', async (t) => {
  const finding = {
    object: 'Service a/b',
    field: 'spec.ports[0].port',
    value: '0',
    reason: 'is bad',
    effect: 'no port',
  };
  t.equal(describeFinding(finding), 'Service a/b: spec.ports[0].port 0: is bad; no port');
});
