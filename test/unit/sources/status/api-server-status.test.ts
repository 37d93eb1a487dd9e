// Tests of src/sources/status/api-server-status.ts.

import t from 'tap';
import { initialState, type ReflectorState } from '../../../../src/sources/api-server/reflector-state.ts';
import { apiServerStatus, SILENT_AFTER_MS } from '../../../../src/sources/status/api-server-status.ts';

const NOW = 10_000_000;
const name = 'API server https://192.0.2.1:6443';

function given(...states: Partial<ReflectorState>[]) {
  const watching = {
    ...initialState('Service'),
    phase: 'watching',
    connectedAt: NOW - 60_000,
    lastReceivedAt: NOW - 3_000,
  };
  return apiServerStatus({
    ...{ name, startedAt: NOW - 90_000, now: NOW },
    states: states.map((state) => ({ ...watching, ...state }) as ReflectorState),
  });
}

const failing = (ms: number, status?: number): Partial<ReflectorState> => ({
  phase: 'waiting',
  failing: { since: NOW - ms, reason: 'refused', ...(status === undefined ? {} : { status }) },
});

t.test('apiServerStatus() has no problem while data arrives', async (t) => {
  t.strictSame(given({}, { kind: 'Node', lastReceivedAt: NOW - 1_000 }), {
    name,
    contactMs: 1_000,
    resources: [
      { resource: 'Service', contactMs: 3_000 },
      { resource: 'Node', contactMs: 1_000 },
    ],
    problems: [],
  });
});

t.test('apiServerStatus() calls the server unreachable if all kinds are without a response', async (t) => {
  const { problems } = given(failing(50_000), { kind: 'Node', ...failing(40_000) });
  t.strictSame(problems, [{ cause: 'unreachable', subject: 'API server', forMs: 40_000, reason: 'refused' }]);
  const responding = given(failing(50_000), { kind: 'Node', ...failing(40_000, 403) }).problems;
  t.strictSame(
    responding.map(({ cause, subject }) => `${subject} ${cause}`),
    ['watch of Services failing', 'watch of Nodes failing'],
  );
});

t.test('apiServerStatus() accepts a watch that has been open for a second', async (t) => {
  const open = { ...failing(50_000), phase: 'watching' } as const;
  t.equal(given({ ...open, connectedAt: NOW - 999 }).problems.length, 1);
  t.strictSame(given({ ...open, connectedAt: NOW - 1_000 }).problems, []);
  t.equal(given({ ...open, phase: 'listing', connectedAt: NOW - 1_000 }).problems.length, 1, 'a list that never ends');
});

t.test('apiServerStatus() finds a watch from which not even bookmarks arrive', async (t) => {
  t.strictSame(given({ lastReceivedAt: NOW - SILENT_AFTER_MS + 1 }).problems, []);
  const [problem] = given({}, { kind: 'EndpointSlice', lastReceivedAt: NOW - SILENT_AFTER_MS }).problems;
  t.strictSame(problem, { cause: 'silent', subject: 'watch of EndpointSlices', forMs: SILENT_AFTER_MS });
  const afterOutage = { lastReceivedAt: NOW - 7_200_000, failedAt: NOW - 5_000 };
  t.strictSame(given({ ...afterOutage, connectedAt: NOW - 2_000 }).problems, [], 'the first bookmark is not due yet');
  const silent = (ms: number) => ({ lastReceivedAt: NOW - SILENT_AFTER_MS - ms });
  const all = given(
    silent(9),
    { kind: 'Node', ...silent(5) },
    { kind: 'ServiceCIDR', isNotServed: true, ...silent(7) },
  );
  t.strictSame(all.problems, [{ cause: 'silent', subject: 'API server', forMs: SILENT_AFTER_MS + 5 }]);
  const notServed = given({ kind: 'ServiceCIDR', phase: 'waiting', isNotServed: true, lastReceivedAt: 0 });
  t.strictSame(notServed.problems, [], 'an older server does not serve the kind');
});

t.test('apiServerStatus() waits for lists', async (t) => {
  const states = [initialState('Service')];
  const status = apiServerStatus({ name, states, startedAt: NOW - 5_000, now: NOW });
  t.strictSame(status, {
    name,
    resources: [{ resource: 'Service' }],
    problems: [{ cause: 'waiting', subject: 'list of Services', forMs: 5_000 }],
  });
});

t.test('apiServerStatus() has no negative ages', async (t) => {
  t.equal(given({ lastReceivedAt: NOW + 5_000 }).contactMs, 0);
});
