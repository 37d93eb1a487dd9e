// Tests of src/fastpath/flows/reply-watchdog.ts.

import t from 'tap';
import { ReplyWatchdog } from '../../../../src/fastpath/flows/reply-watchdog.ts';

const counts = (created: number, answered: number) => new Map([[1, { created, answered }]]);
const SLOTS = new Map([[1, 5]]);

t.test('findUnanswered() finds a slot with many connections and no reply for a while', async (t) => {
  const watchdog = new ReplyWatchdog();
  t.strictSame(watchdog.findUnanswered(SLOTS, { counts: counts(0, 0), now: 0 }), []);
  t.strictSame(watchdog.findUnanswered(SLOTS, { counts: counts(10, 0), now: 3000 }), []);
  t.strictSame(watchdog.findUnanswered(SLOTS, { counts: counts(40, 0), now: 6000 }), [1]);
});

t.test('findUnanswered() accepts few connections, replies, and a slot with another backend', async (t) => {
  const cases = [
    { message: 'few', later: counts(10, 0), slots: SLOTS },
    { message: 'answered', later: counts(400, 1), slots: SLOTS },
    { message: 'another generation', later: counts(400, 0), slots: new Map([[1, 6]]) },
  ];
  for (const { message, later, slots } of cases) {
    const watchdog = new ReplyWatchdog();
    watchdog.findUnanswered(SLOTS, { counts: counts(0, 0), now: 0 });
    t.strictSame(watchdog.findUnanswered(slots, { counts: later, now: 10_000 }), [], message);
  }
});
