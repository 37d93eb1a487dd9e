// Tests of src/fastpath/sync/sync-failures.ts.

import t from 'tap';
import { SyncFailures } from '../../../../src/fastpath/sync/sync-failures.ts';
import type { Clock } from '../../../../src/host/clock.ts';
import type { Log } from '../../../../src/host/log.ts';

t.test('SyncFailures counts failures in a row and logs each reason and the recovery once', async (t) => {
  const records: string[] = [];
  const record = (message: string, details?: Readonly<Record<string, unknown>>) => {
    records.push(`${message}: ${JSON.stringify(details)}`);
  };
  const log: Log = { debug: record, info: record, warn: record, error: record };
  let now = Date.UTC(2026, 0, 2, 3, 4, 5);
  const clock: Pick<Clock, 'now' | 'wallTime'> = { now: () => now, wallTime: (at) => at };
  const failures = new SyncFailures({ log, clock });
  failures.succeeded();
  t.equal(failures.failing, undefined);
  for (const reason of ['no loader', 'no loader', 'no bridge']) {
    failures.failed(reason, 100);
    now += 1000;
  }
  t.strictSame(failures.failing, { reason: 'no bridge', since: '2026-01-02T03:04:05.000Z', attempts: 3 });
  failures.succeeded();
  failures.succeeded();
  t.equal(failures.failing, undefined);
  t.equal(failures.failures, 3, 'all failures are counted');
  t.match(records, [/no loader/, /no bridge/, /in sync again.*"attempts":3/]);
  t.equal(records.length, 3, 'a repeated reason is logged once');
  failures.failed('no loader', 100);
  t.match(failures.failing, { attempts: 1, since: '2026-01-02T03:04:08.000Z' });
});
