// Tests of src/admin/state/daemon-status.ts.

import t from 'tap';
import { describeProblems } from '../../../../src/admin/state/daemon-status.ts';
import { daemonStatus } from '../../../support/builders/daemon-status.ts';

t.test('describeProblems() lists those of the source before those of syncs', async (t) => {
  t.strictSame(describeProblems(daemonStatus()), []);
  const problems = [{ cause: 'unreachable', subject: 'API server', forMs: 60_000, reason: 'refused' }] as const;
  const status = daemonStatus({
    source: { name: 'test', resources: [], problems },
    sync: { commits: 1, syncedMs: 9_000_000, failing: { forMs: 600_000, lastMs: 180_000, reason: 'no space' } },
  });
  t.strictSame(describeProblems(status), [
    'API server unreachable for 1m: refused',
    'last sync failed 3m ago, failing for 10m: no space',
  ]);
});

t.test('describeProblems() reports a change that waits', async (t) => {
  t.strictSame(describeProblems(daemonStatus({ sync: { commits: 1, waitingMs: 9_999 } })), []);
  t.strictSame(describeProblems(daemonStatus({ sync: { commits: 1, waitingMs: 61_000 } })), [
    'a change has been waiting for the kernel for 1m',
  ]);
});

t.test('describeProblems() reports a process that undoes repairs, and missing notifications', async (t) => {
  const monitor = { state: 'listening', reason: '', starts: 1 } as const;
  t.strictSame(describeProblems(daemonStatus({ ruleset: { monitor } })), []);
  const contest = { program: 'other', pid: 4711, repairs: 12, waitMs: 800 };
  const silent = { state: 'silent', reason: 'ended by SIGKILL', starts: 3 } as const;
  t.strictSame(describeProblems(daemonStatus({ ruleset: { monitor: silent, contest } })), [
    'process other (4711) has undone 12 repairs of the ruleset in a row',
    'no kernel notifications of ruleset changes: ended by SIGKILL',
  ]);
});
