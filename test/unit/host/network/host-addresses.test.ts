// Tests of src/host/network/host-addresses.ts, with other programs in place of ip.

import t, { type Test } from 'tap';
import { hostAddresses, watchHostAddresses } from '../../../../src/host/network/host-addresses.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const NEVER = 10_000_000;

/** Watches until this number of calls. Returns the lines of the log. */
async function watch(t: Test, calls: number, options: { command: [string, ...string[]]; pollMs?: number }) {
  const { log, lines } = recordLog();
  const stop = new AbortController();
  let left = calls;
  const onChange = (): void => {
    left -= 1;
    if (left === 0) stop.abort();
  };
  await watchHostAddresses({ onChange, log, signal: stop.signal, restartMs: 100, pollMs: NEVER, ...options });
  t.ok(left <= 0);
  return lines;
}

t.test('hostAddresses() includes loopback', async (t) => {
  t.ok(hostAddresses().includes('127.0.0.1'));
});

t.test('watchHostAddresses() reports a change for each line of the monitor', async (t) => {
  const lines = await watch(t, 2, { command: ['sh', '-c', 'echo one; echo two; exec sleep 600'] });
  t.strictSame(lines, []);
});

t.test('watchHostAddresses() restarts the monitor and logs a failure once', async (t) => {
  const lines = await watch(t, 6, { command: ['sh', '-c', 'echo one; echo no right >&2; exit 1'] });
  t.match(lines, [{ level: 'warn', message: 'cannot monitor address changes', details: { reason: 'no right' } }]);
  t.equal(lines.length, 1);
});

t.test('watchHostAddresses() polls without the program', async (t) => {
  const lines = await watch(t, 3, { command: ['/no/such/program'], pollMs: 10 });
  t.match(lines, [{ message: 'cannot monitor address changes', details: { reason: /ENOENT/ } }]);
});

t.test('watchHostAddresses() logs once that the monitor runs again', async (t) => {
  const { log, lines } = recordLog();
  const stop = new AbortController();
  const script = 'echo x >>$0; [ $(wc -l <$0) = 1 ] && exit 1; exec sleep 60';
  const command = ['sh', '-c', script, `${t.testdir()}/runs`] as [string, ...string[]];
  const done = watchHostAddresses({
    onChange: () => {},
    log,
    signal: stop.signal,
    restartMs: 20,
    pollMs: NEVER,
    command,
  });
  await waitUntil('the end of the failure', () => lines.length === 2);
  stop.abort();
  await done;
  t.match(lines, [
    { level: 'warn', message: 'cannot monitor address changes' },
    { level: 'info', message: 'monitoring address changes again' },
  ]);
});
