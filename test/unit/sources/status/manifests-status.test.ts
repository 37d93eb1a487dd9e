// Tests of src/sources/status/manifests-status.ts.

import t from 'tap';
import { manifestsStatus, SILENT_AFTER_MS } from '../../../../src/sources/status/manifests-status.ts';

const NOW = 10_000_000;
const common = { name: 'manifests in /m', startedAt: NOW - 5_000, now: NOW };

t.test('manifestsStatus() judges the directory and its files', async (t) => {
  const good = manifestsStatus({ ...common, state: { readAt: NOW - 500, invalidFiles: [] } });
  t.strictSame(good, {
    name: common.name,
    contactMs: 500,
    resources: [{ resource: 'manifests', contactMs: 500 }],
    problems: [],
  });
  const cases = [
    [{ invalidFiles: [] }, 'manifest directory waiting 5000'],
    [{ readAt: NOW - SILENT_AFTER_MS, invalidFiles: [] }, `manifest directory silent ${SILENT_AFTER_MS}`],
    [
      { readAt: NOW - 9_000, missing: { since: NOW - 7_000, reason: 'gone' }, invalidFiles: [] },
      'manifest directory unreachable 7000',
    ],
    [{ readAt: NOW, invalidFiles: [{ file: '/m/a', reason: 'bad', since: NOW - 10 }] }, 'manifest /m/a failing 10'],
  ] as const;
  for (const [state, expected] of cases) {
    const { problems } = manifestsStatus({ ...common, state });
    t.strictSame(
      problems.map(({ subject, cause, forMs }) => `${subject} ${cause} ${forMs}`),
      [expected],
    );
  }
});
