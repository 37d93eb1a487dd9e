// Tests of src/host/network/ip-monitor.ts, with another program in place of ip.

import t from 'tap';
import { monitorIp } from '../../../../src/host/network/ip-monitor.ts';

t.test('monitorIp() passes lines on, restarts the monitor, and reports each new reason once', async (t) => {
  const stop = new AbortController();
  const calls: (string | undefined)[] = [];
  const failures: string[] = [];
  await monitorIp({
    objects: ['link', 'route'],
    command: ['sh', '-c', 'echo "$0 $1"; exit 1'],
    restartMs: 200,
    onChange: (line) => {
      calls.push(line);
      if (calls.length === 4) stop.abort();
    },
    onFailure: (reason) => failures.push(reason),
    onRecovered: () => t.fail('it ends each time'),
    signal: stop.signal,
  });
  t.strictSame(calls, ['link route', undefined, 'link route', undefined]);
  t.strictSame(failures, ['ended by status 1']);
});

t.test('monitorIp() resolves for an aborted signal', async (t) => {
  await monitorIp({
    objects: [],
    onChange: () => t.fail(),
    onFailure: () => t.fail(),
    onRecovered: () => t.fail(),
    signal: AbortSignal.abort(),
  });
});

t.test('monitorIp() reports that the monitor keeps running, and a later failure again', async (t) => {
  const stop = new AbortController();
  const marks = t.testdir();
  const calls: string[] = [];
  // It fails twice, then runs for half a second, fails, and runs on.
  const script =
    'echo x >>$0; case $(wc -l <$0) in 1 | 2 | 4) exit 1 ;; 3) sleep 0.5; exit 1 ;; *) exec sleep 60 ;; esac';
  await monitorIp({
    objects: [],
    command: ['sh', '-c', script, `${marks}/runs`],
    restartMs: 20,
    onChange: () => {},
    onFailure: (reason) => calls.push(reason),
    onRecovered: () => {
      calls.push('recovered');
      if (calls.length === 4) stop.abort();
    },
    signal: stop.signal,
  });
  t.strictSame(calls, ['ended by status 1', 'recovered', 'ended by status 1', 'recovered']);
});
