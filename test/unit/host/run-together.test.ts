// Tests of src/host/run-together.ts.

import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { runTogether } from '../../../src/host/run-together.ts';
import { untilAborted } from '../../../src/lib/until-aborted.ts';

t.test('runTogether() stops all tasks when one fails, and rejects with its error', async (t) => {
  const ended: string[] = [];
  const tasks = {
    watching: async (signal: AbortSignal) => {
      await untilAborted(signal);
      ended.push('watching');
    },
    failing: async () => {
      await delay(1);
      throw new Error('no memory');
    },
  };
  const options = { signal: new AbortController().signal, onLate: () => t.fail('late') };
  await t.rejects(runTogether(tasks, options), { message: 'no memory' });
  t.strictSame(ended, ['watching'], 'after the others have ended');
});

t.test('runTogether() names the tasks that do not stop', async (t) => {
  const stop = new AbortController();
  const late: (readonly string[])[] = [];
  const tasks = { prompt: untilAborted, hanging: () => delay(50) };
  const running = runTogether(tasks, { signal: stop.signal, onLate: (names) => late.push(names), lateMs: 5 });
  stop.abort();
  await running;
  t.strictSame(late, [['hanging']]);
  await runTogether(
    { hanging: () => delay(20) },
    { signal: stop.signal, onLate: (names) => late.push(names), lateMs: 5 },
  );
  t.equal(late.length, 2, 'also after a signal before the start');
});
