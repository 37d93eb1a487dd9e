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
    restartMs: 1,
    onChange: (line) => {
      calls.push(line);
      if (calls.length === 4) stop.abort();
    },
    onFailure: (reason) => failures.push(reason),
    signal: stop.signal,
  });
  t.strictSame(calls, ['link route', undefined, 'link route', undefined]);
  t.strictSame(failures, ['ended by status 1']);
});

t.test('monitorIp() resolves for an aborted signal', async (t) => {
  await monitorIp({ objects: [], onChange: () => t.fail(), onFailure: () => t.fail(), signal: AbortSignal.abort() });
});
