// Tests of src/admin/ask-daemon.ts.

import t from 'tap';
import { askDaemon, statusOfAnswer } from '../../../src/admin/ask-daemon.ts';
import { printStatus } from '../../../src/admin/command-status.ts';

t.test('askDaemon() reports that no daemon runs', async (t) => {
  const answer = await askDaemon('/nowhere');
  t.equal(answer.daemon, 'not-running');
  t.match(printStatus(statusOfAnswer(answer)), /^# unknown node; PROBLEM: daemon not running: Cannot read/);
});
