// Tests of src/daemon/listen-failure-event.ts.

import t from 'tap';
import { writeListenFailureEvent } from '../../../src/daemon/listen-failure-event.ts';
import { ListenError } from '../../../src/host/network/listen.ts';
import { MetricsListenError } from '../../../src/metrics/server/debug-server.ts';
import { loadApiClient } from '../../../src/sources/api-server/client/api-client.ts';
import { startApiServer } from '../../support/api-server/api-server.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';

t.test('writeListenFailureEvent() writes an Event for the Node', async (t) => {
  const server = await startApiServer();
  t.teardown(() => server.close());
  const { log, lines } = recordLog();
  const connect = () => loadApiClient({ kubeconfig: server.kubeconfigPath });
  const write = (error: unknown) => writeListenFailureEvent(error, { connect, nodeName: 'n1', log });
  await write(new ListenError('Cannot answer at 0.0.0.0:10256'));
  await write(new MetricsListenError('Cannot serve metrics at 127.0.0.1:10249'));
  await write(new Error('something else'));
  const node = { regarding: { kind: 'Node', name: 'n1' }, type: 'Warning', action: 'StartNftlane' };
  t.match(
    [...server.events.all.values()],
    [
      { ...node, reason: 'FailedToStartProxierHealthcheck', note: 'Cannot answer at 0.0.0.0:10256' },
      { ...node, reason: 'FailedToStartMetricServer', note: 'Cannot serve metrics at 127.0.0.1:10249' },
    ],
  );
  t.equal(server.events.all.size, 2, 'other errors have no Event');
  t.strictSame(lines, []);
});

t.test('writeListenFailureEvent() logs that the API server cannot be reached', async (t) => {
  const { log, lines } = recordLog();
  const connect = () => loadApiClient({ kubeconfig: '/nowhere' });
  await writeListenFailureEvent(new ListenError('Cannot answer'), { connect, nodeName: 'n1', log });
  t.match(lines, [{ level: 'warn', details: { reason: /no such kubeconfig/ } }]);
});
