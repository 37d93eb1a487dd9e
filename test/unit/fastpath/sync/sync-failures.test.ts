// Tests of what is shown and said of passes of work that fail.
import t from 'tap';
import { SyncFailures } from '../../../../src/fastpath/sync/sync-failures.ts';
import type { Clock } from '../../../../src/host/clock.ts';
import type { Log } from '../../../../src/host/log.ts';

t.test('failures in a row have a beginning, a number, and an end', async (t) => {
  const told: string[] = [];
  const say = (message: string, details?: Readonly<Record<string, unknown>>) => {
    told.push(`${message}: ${JSON.stringify(details)}`);
  };
  const log: Log = { debug: say, info: say, warn: say, error: say };
  let now = Date.UTC(2026, 0, 2, 3, 4, 5);
  const clock: Pick<Clock, 'now'> = { now: () => now };
  const trouble = new SyncFailures({ log, clock });
  trouble.succeeded();
  t.equal(trouble.failing, undefined);
  for (const reason of ['no loader', 'no loader', 'no bridge']) {
    trouble.failed(reason, 100);
    now += 1000;
  }
  t.strictSame(trouble.failing, { reason: 'no bridge', since: '2026-01-02T03:04:05.000Z', attempts: 3 });
  trouble.succeeded();
  trouble.succeeded();
  t.equal(trouble.failing, undefined);
  t.equal(trouble.failures, 3, 'all are counted');
  t.match(told, [/no loader/, /no bridge/, /in step again.*"attempts":3/]);
  t.equal(told.length, 3, 'the same is said once');
  trouble.failed('no loader', 100);
  t.match(trouble.failing, { attempts: 1, since: '2026-01-02T03:04:08.000Z' });
});
