// Tests of src/sources/api-server/cluster-source.ts.

import t, { type Test } from 'tap';
import { loadApiClient } from '../../../../src/sources/api-server/client/api-client.ts';
import { ClusterSource } from '../../../../src/sources/api-server/cluster-source.ts';
import { type ApiServer, startApiServer } from '../../../support/api-server/api-server.ts';
import { putBulk } from '../../../support/api-server/bulk-objects.ts';
import { fastClock } from '../../../support/fakes/fast-clock.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';
import { recordSink } from '../../../support/fakes/recording-sink.ts';
import { waitUntil } from '../../../support/wait-until.ts';

async function watch(t: Test, { server, factor = 50 }: { server: ApiServer; factor?: number }) {
  const client = await loadApiClient({ kubeconfig: server.kubeconfigPath });
  const [sink, { log, lines }, clock] = [recordSink(), recordLog(), fastClock(factor)];
  // With a fast clock, a slow machine would exceed the limits.
  const limits = { connectTimeoutMs: 10_000_000, idleTimeoutMs: 10_000_000 };
  const source = new ClusterSource({ client, nodeName: 'n1', sink, clock, log, limits });
  const controller = new AbortController();
  const run = source.run(controller.signal);
  t.teardown(async () => {
    controller.abort();
    await run.catch(() => undefined);
    client.close();
    await server.close();
  });
  return { source, sink, lines, clock, controller, run };
}

t.test('ClusterSource delivers Services, EndpointSlices, ServiceCIDRs and its Node', async (t) => {
  const server = await startApiServer();
  putBulk(server, { services: 2, endpoints: 3 });
  for (const name of ['n1', 'n2']) server.put('Node', { metadata: { name } });
  server.put('ServiceCIDR', { metadata: { name: 'kubernetes' }, spec: { cidrs: ['10.96.0.0/12'] } });
  const { source, sink, controller, run } = await watch(t, { server });
  await waitUntil('lists', () => sink.journal.length === 4);
  t.strictSame(sink.journal.toSorted(), [
    'replace EndpointSlice demo/svc-00001,demo/svc-00002',
    'replace Node n1',
    'replace Service demo/svc-00001,demo/svc-00002',
    'replace ServiceCIDR kubernetes',
  ]);
  t.match(sink.objects.get('EndpointSlice demo/svc-00002'), {
    value: { service: 'demo/svc-00002', endpoints: [{ address: '10.128.0.4' }, {}, {}] },
    issues: [],
  });
  t.match(sink.objects.get('Service demo/svc-00001'), { value: { clusterIps: { ip: '10.96.0.2' } }, issues: [] });
  server.put('Node', { metadata: { name: 'n2', labels: { a: 'b' } } });
  server.put('Node', { metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': 'z' } } });
  await waitUntil('change', () => sink.journal.length === 5);
  t.match(sink.objects.get('Node n1'), { value: { zone: 'z' } });
  t.strictSame(
    source.states().map(({ kind, phase, lists }) => ({ kind, phase, lists })),
    ['Service', 'EndpointSlice', 'Node', 'ServiceCIDR'].map((kind) => ({ kind, phase: 'watching', lists: 1 })),
  );
  controller.abort();
  await run;
});

t.test(
  'ClusterSource treats a server without ServiceCIDR as one with an empty list, and retries minutes later',
  async (t) => {
    const server = await startApiServer();
    server.settings.unknownKinds.add('ServiceCIDR');
    // A 404 of another kind is an ordinary failure.
    server.injectFault({ action: 'answer', kind: 'Service', status: 404 });
    const { sink, lines, clock } = await watch(t, { server, factor: 1000 });
    const requests = () => server.requests.filter(({ kind }) => kind === 'ServiceCIDR').length;
    await waitUntil('second request', () => requests() === 2);
    t.equal(sink.journal.filter((line) => line === 'replace ServiceCIDR ').length, 1);
    t.ok(clock.sleeps.some((ms) => ms >= 300_000));
    const notServed = lines.filter(({ message }) => message === 'kind not served by the API server');
    t.match(notServed, [{ level: 'info', details: { kind: 'ServiceCIDR' } }]);
    const failed = lines.filter(({ level, message }) => level === 'warn' && message === 'API request failed');
    t.match(failed, [{ details: { kind: 'Service', verb: 'watch' } }]);
    server.put('ServiceCIDR', { metadata: { name: 'kubernetes' }, spec: { cidrs: ['10.96.0.0/12'] } });
    server.settings.unknownKinds.clear();
    await waitUntil('list', () => sink.journal.includes('replace ServiceCIDR kubernetes'));
  },
);

t.test('ClusterSource stops all reflectors when the sink throws', async (t) => {
  const server = await startApiServer();
  const { sink, run } = await watch(t, { server });
  const replace = sink.replace;
  sink.replace = (kind, objects) => {
    if (kind === 'EndpointSlice') throw new Error('broken sink');
    replace(kind, objects);
  };
  await t.rejects(run, { message: 'broken sink' });
  await waitUntil('end of all watches', () =>
    (['Service', 'Node', 'ServiceCIDR'] as const).every((kind) => server.watches(kind) === 0),
  );
});

t.test(
  'ClusterSource keeps ServiceCIDRs when the server answers that it does not know the kind any more',
  async (t) => {
    const server = await startApiServer();
    server.put('ServiceCIDR', { metadata: { name: 'kubernetes' }, spec: { cidrs: ['10.96.0.0/12'] } });
    const { sink, lines } = await watch(t, { server });
    await waitUntil('lists', () => sink.journal.length === 4);
    server.settings.unknownKinds.add('ServiceCIDR');
    server.cutConnections();
    await waitUntil('failure', () =>
      lines.some(({ details }) => details['kind'] === 'ServiceCIDR' && details['status'] === 404),
    );
    t.ok(sink.objects.has('ServiceCIDR kubernetes'));
    server.settings.unknownKinds.clear();
    server.put('ServiceCIDR', { metadata: { name: 'extra' }, spec: { cidrs: ['10.112.0.0/12'] } });
    await waitUntil('change', () => sink.objects.has('ServiceCIDR extra'));
    t.ok(sink.objects.has('ServiceCIDR kubernetes'));
  },
);
