// Tests of src/doctor/object-checks.ts.

import t from 'tap';
import type { DoctorContext } from '../../../src/doctor/check.ts';
import { checkObjects } from '../../../src/doctor/object-checks.ts';

const ISSUE = { object: 'Service a/b', field: 'spec.x', value: '"\u202e"', reason: 'is bad', effect: 'ignoring it' };

function check(issues: readonly (typeof ISSUE)[]) {
  return checkObjects({ daemon: { daemon: 'running', state: { issues } } } as unknown as DoctorContext);
}

t.test('checkObjects() shows the first issues of the daemon', async (t) => {
  t.match(await check([]), [{ status: 'ok' }]);
  const [few, many] = await Promise.all([check([ISSUE]), check(Array(8).fill(ISSUE))]);
  t.match(few, [{ status: 'warning', message: 'Service a/b: spec.x "\\u202e": is bad; ignoring it' }]);
  t.match(many, [{ message: /; and 3 others$/ }]);
  t.strictSame(await checkObjects({ daemon: { daemon: 'absent' } } as unknown as DoctorContext), []);
});
