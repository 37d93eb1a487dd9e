// Tests of src/health/sync-status.ts.

import t from 'tap';
import { describeSyncProblems } from '../../../src/health/sync-status.ts';

t.test('describeSyncProblems() reports failures and changes that wait', async (t) => {
  t.strictSame(describeSyncProblems({ commits: 1, syncedMs: 9_000_000, waitingMs: 9_999 }), []);
  t.strictSame(describeSyncProblems({ commits: 1, waitingMs: 61_000 }), [
    'a change has been waiting for the kernel for 1m',
  ]);
  const failing = { forMs: 600_000, lastMs: 180_000, reason: 'no space' };
  t.strictSame(describeSyncProblems({ commits: 1, waitingMs: 61_000, failing }), [
    'last sync failed 3m ago, failing for 10m: no space',
  ]);
});
