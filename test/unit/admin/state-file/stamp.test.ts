// Tests of src/admin/state-file/stamp.ts.

import t from 'tap';
import { ageOf, stampNow } from '../../../../src/admin/state-file/stamp.ts';

t.test('ageOf() does not depend on the wall clock until a reboot', async (t) => {
  const stamp = { monotonicMs: 5_000, bootId: 'a', wallMs: 1_000_000 };
  const later = { monotonicMs: 8_000, bootId: 'a', wallMs: 1_000_000 };
  for (const wallMs of [0, 1_003_000, 1_000_000_000]) t.equal(ageOf(stamp, { ...later, wallMs }), 3_000);
  t.equal(ageOf(stamp, { monotonicMs: 10, bootId: 'b', wallMs: 1_060_000 }), 60_000);
  t.equal(ageOf(stamp, { monotonicMs: 10, bootId: 'b', wallMs: 0 }), 0, 'the clock was set back over a reboot');
  t.equal(ageOf({ ...stamp, bootId: '' }, { ...later, bootId: '', wallMs: 1_001_000 }), 1_000);
});

t.test('stampNow() is comparable between processes', async (t) => {
  const { monotonicMs, bootId } = stampNow();
  t.match(bootId, /^[0-9a-f-]{36}$/);
  t.ok(Math.abs(monotonicMs - Number(process.hrtime.bigint() / 1_000_000n)) < 10_000);
});
