// Tests of src/conntrack/tcp/attempt-scan.ts.

import t from 'tap';
import { type ConntrackEntry, parseEntry } from '../../../../src/conntrack/conntrack-entry.ts';
import { AttemptScan } from '../../../../src/conntrack/tcp/attempt-scan.ts';

/** An attempt to an endpoint from a port of the client. */
function attempt(endpoint: string, port: number): ConntrackEntry {
  const line = `tcp 6 9 SYN_SENT src=10.0.0.1 dst=10.96.0.1 sport=${port} dport=80 src=${endpoint} dst=10.0.0.1 sport=80 dport=${port}`;
  const entry = parseEntry(line);
  if (entry === undefined) throw new Error('Cannot parse entry');
  return entry;
}

function scanOf(attempts: readonly ConntrackEntry[], earlier?: AttemptScan, limit?: number): AttemptScan {
  const scan = new AttemptScan(limit);
  for (const entry of attempts) scan.add(entry, { reason: 'removed', waits: true }, earlier);
  return scan;
}

t.test('AttemptScan has the largest groups first, which are due when all attempts were there before', async (t) => {
  const [a, b] = [[1, 2, 3].map((port) => attempt('10.1.0.1', port)), [1, 2].map((port) => attempt('10.1.0.2', port))];
  const first = scanOf([...b, ...a]);
  const summary = (scan: AttemptScan) => scan.list().map(({ count, isDue }) => ({ count, isDue }));
  t.strictSame(summary(first), [
    { count: 3, isDue: false },
    { count: 2, isDue: false },
  ]);
  t.strictSame(summary(scanOf([...a.slice(1), ...b, attempt('10.1.0.2', 3)], first)), [
    { count: 3, isDue: false },
    { count: 2, isDue: true },
  ]);
});

t.test('AttemptScan does not let an attempt wait that nothing can answer', async (t) => {
  const scan = new AttemptScan();
  scan.add(attempt('10.1.0.1', 1), { reason: 'older', waits: false }, undefined);
  t.match(scan.list(), [{ reason: 'older', isDue: true }]);
});

t.test('AttemptScan keeps a limited number of attempts; more are as old as their group', async (t) => {
  const attempts = [1, 2, 3].map((port) => attempt('10.1.0.1', port));
  const first = scanOf(attempts, undefined, 2);
  t.match(scanOf([attempt('10.1.0.1', 4)], first).list(), [{ isDue: true }]);
  t.match(scanOf([attempt('10.1.0.2', 1)], first).list(), [{ isDue: false }]);
});
