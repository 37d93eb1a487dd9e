// Tests of src/sources/api-server/reflector-state.ts.

import t from 'tap';
import { afterFailure, initialState } from '../../../../src/sources/api-server/reflector-state.ts';

const FAILED = { reason: 'refused', isSilence: false, hadSucceeded: false };

t.test('afterFailure() keeps since when attempts fail, until one succeeds', async (t) => {
  const first = afterFailure(initialState('Service'), { ...FAILED, now: 1_000 });
  t.match(first, { phase: 'waiting', lastError: 'refused', failing: { since: 1_000, reason: 'refused' }, failures: 1 });
  const second = afterFailure(first, { ...FAILED, reason: 'forbidden', status: 403, now: 2_000 });
  t.match(second, { failing: { since: 1_000, reason: 'forbidden', status: 403 }, failedAt: 2_000, failures: 2 });
  t.match(afterFailure(second, { ...FAILED, hadSucceeded: true, now: 3_000 }), { failing: { since: 3_000 } });
});

t.test('afterFailure() does not count silence as a failure of the connection', async (t) => {
  const silence = { ...FAILED, isSilence: true, hadSucceeded: true, now: 9_000 };
  const watching = { ...initialState('Service'), lastReceivedAt: 1_000 };
  t.match(afterFailure(watching, silence), { failing: undefined, failedAt: undefined, failures: 1 });
  t.match(afterFailure(initialState('Service'), silence), { failing: { since: 9_000 } }, 'before the first list');
});
