// Tests of who is suspected of never answering by way of the programs.
import t from 'tap';
import { ReplyWatchdog } from '../../../../src/fastpath/flows/reply-watchdog.ts';

const counts = (created: number, answered: number) => new Map([[1, { created, answered }]]);
const SLOTS = new Map([[1, 5]]);

t.test('many connections and no answer for a while are suspect', async (t) => {
  const watchdog = new ReplyWatchdog();
  t.strictSame(watchdog.findUnanswered(SLOTS, { counts: counts(0, 0), now: 0 }), []);
  t.strictSame(watchdog.findUnanswered(SLOTS, { counts: counts(10, 0), now: 3000 }), []);
  t.strictSame(watchdog.findUnanswered(SLOTS, { counts: counts(40, 0), now: 6000 }), [1]);
});

t.test('few connections, answers, and a slot of somebody else are not', async (t) => {
  const cases = [
    { words: 'few', later: counts(10, 0), slots: SLOTS },
    { words: 'answered', later: counts(400, 1), slots: SLOTS },
    { words: 'another generation', later: counts(400, 0), slots: new Map([[1, 6]]) },
  ];
  for (const { words, later, slots } of cases) {
    const watchdog = new ReplyWatchdog();
    watchdog.findUnanswered(SLOTS, { counts: counts(0, 0), now: 0 });
    t.strictSame(watchdog.findUnanswered(slots, { counts: later, now: 10_000 }), [], words);
  }
});
