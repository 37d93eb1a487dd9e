// Tests of src/sources/status/staleness-reporter.ts.

import t from 'tap';
import type { SourceProblem } from '../../../../src/sources/status/source-status.ts';
import { StalenessReporter } from '../../../../src/sources/status/staleness-reporter.ts';
import { fastClock } from '../../../support/fakes/fast-clock.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const MINUTE = 60_000;
const unreachable = (forMs: number): SourceProblem => ({ cause: 'unreachable', subject: 'API server', forMs });

function given() {
  const { log, lines } = recordLog();
  const events: string[] = [];
  const source: { problems: readonly SourceProblem[] } = { problems: [] };
  const reporter = new StalenessReporter({
    status: () => ({ name: 'API server', resources: [], problems: source.problems }),
    observer: {
      sourceStale: ({ subject, forMs }) => events.push(`stale ${subject} ${forMs}`),
      sourceRecovered: ({ subject, forMs }) => events.push(`recovered ${subject} ${forMs}`),
    },
    clock: fastClock(1_000_000),
    log,
  });
  const check = (...problems: readonly SourceProblem[]) => {
    source.problems = problems;
    reporter.check();
  };
  return { reporter, check, lines, events };
}

t.test('StalenessReporter warns after a minute and again after growing intervals', async (t) => {
  const { check, lines, events } = given();
  for (let seconds = 5; seconds <= 24 * 3_600; seconds += 5) check(unreachable(seconds * 1000));
  const minutes = lines.map(({ details }) => Number(details['durationMs']) / MINUTE);
  t.strictSame(minutes.slice(0, 9), [1, 2, 4, 8, 16, 32, 64, 124, 184], 'at most an hour apart');
  t.strictSame(events, ['stale API server 60000'], 'once');
  t.match(lines[0], {
    level: 'warn',
    message: 'objects are not current; the kernel keeps the last known state',
    details: { source: 'API server', reason: 'API server unreachable for 1m' },
  });
});

t.test('StalenessReporter reports the recovery of what it has reported', async (t) => {
  const { check, lines, events } = given();
  check(unreachable(59_000));
  check();
  t.strictSame(lines, [], 'a restart of the API server');
  check(unreachable(2 * MINUTE), { cause: 'kept', subject: 'Services', forMs: 9 * MINUTE });
  check(unreachable(3 * MINUTE - 1));
  check();
  check();
  t.strictSame(events, ['stale API server 120000', 'recovered API server 179999']);
  t.strictSame(
    lines.map(({ level, message }) => `${level} ${message}`),
    ['warn objects are not current; the kernel keeps the last known state', 'info objects are current again'],
  );
  check(unreachable(MINUTE));
  t.equal(events.length, 3, 'another problem later');
});

t.test('StalenessReporter.run() checks until the signal aborts', async (t) => {
  const { reporter, check, events } = given();
  check(unreachable(MINUTE - 1));
  const stop = new AbortController();
  const running = reporter.run(stop.signal);
  check(unreachable(MINUTE));
  await waitUntil('it is reported', () => events.length === 1);
  stop.abort();
  await running;
  t.pass();
});
