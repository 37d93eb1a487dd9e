// Tests of src/health/service-health-server.ts, with real sockets.

import { Agent } from 'node:http';
import t, { type Test } from 'tap';
import type { ListenFailure } from '../../../src/health/port-listeners.ts';
import { ServiceHealthServer } from '../../../src/health/service-health-server.ts';
import { HttpServer } from '../../../src/host/network/http-server.ts';
import { parsePrefix } from '../../../src/net/prefix.ts';
import { commitAll, engineOf } from '../../support/builders/engine.ts';
import { put, remove } from '../../support/builders/put-objects.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { DRAINING, endpoint, slice } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import { newEvictions } from '../../support/fakes/evictions.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';
import { freePort, occupy, outcome, sendRequest, waitForOutcome } from '../../support/http-client.ts';
import { waitUntil } from '../../support/wait-until.ts';

const HERE = { nodeName: 'n1' };

/** A Service with this health check node port. */
function checked(port: number, name = 'shop/web', spec: ApiObject = {}): ApiObject {
  const external = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: port };
  return service(name, { spec: { ...external, ...spec } });
}

function endpoints(...hosts: readonly number[]): ApiObject {
  return slice('shop/web', { endpoints: hosts.map((host) => endpoint(`10.1.0.${host}`, HERE)) });
}

const LOOPBACK = ['127.0.0.0/8'].flatMap((block) => parsePrefix(block) ?? []);

/** The server of a node that accepts node ports at 127.0.0.1 and, as IPv6 is not restricted, at ::. */
function start(t: Test, ...objects: readonly ApiObject[]) {
  const engine = engineOf([], { nodePortAddresses: LOOPBACK });
  engine.setHostAddresses(['127.0.0.1', '192.0.2.1']);
  const { log, lines } = recordLog();
  const failures: ListenFailure[] = [];
  let healthy = true;
  const onFailure = (failure: ListenFailure) => void failures.push(failure);
  const ports = new ServiceHealthServer({
    engine,
    proxyHealthy: () => healthy,
    onFailure,
    evictions: newEvictions(),
    log,
  });
  t.teardown(() => ports.close());
  const sync = () => {
    commitAll(engine);
    ports.committed({ services: engine.changes.take() });
  };
  put(engine, ...objects);
  const setHealthy = (value: boolean) => {
    healthy = value;
  };
  return { engine, ports, lines, failures, sync, setHealthy };
}

t.test('ServiceHealthServer serves the number of local endpoints after the commit', async (t) => {
  const port = await freePort();
  const { engine, sync, setHealthy } = start(t, checked(port), endpoints(1, 2));
  commitAll(engine);
  t.equal(await outcome({ port }), 'ECONNREFUSED', 'the sync may still fail');
  sync();
  t.equal(await waitForOutcome(200, { port }), 200);
  const { headers, body } = await sendRequest({ port, method: 'POST', path: '/any?thing' });
  t.match(headers, {
    'content-type': 'application/json',
    'x-content-type-options': 'nosniff',
    'x-load-balancing-endpoint-weight': '2',
  });
  const given = { service: { namespace: 'shop', name: 'web' }, localEndpoints: 2, serviceProxyHealthy: true };
  t.equal(body, JSON.stringify(given, undefined, '\t'));
  setHealthy(false);
  t.equal(await outcome({ port }), 503);
});

t.test('ServiceHealthServer fails the check when the last endpoint terminates', async (t) => {
  const port = await freePort();
  const { engine, sync } = start(t, checked(port, 'shop/web', { externalIPs: ['192.0.2.7'] }), endpoints(1));
  sync();
  t.equal(await waitForOutcome(200, { port }), 200);
  put(engine, slice('shop/web', { endpoints: [endpoint('10.1.0.1', { ...HERE, ...DRAINING })] }));
  commitAll(engine);
  t.equal(await outcome({ port }), 200, 'the kernel does not have it yet');
  sync();
  const { status, headers } = await sendRequest({ port });
  t.match({ status, headers }, { status: 503, headers: { 'x-load-balancing-endpoint-weight': '0' } });
  const [local] = engine.model('shop/web').map(({ selection }) => selection.local);
  t.match(local, [{ address: '10.1.0.1' }], 'packets are still forwarded to it');
  put(engine, endpoints(1, 2));
  sync();
  t.equal(await outcome({ port }), 200);
});

t.test('ServiceHealthServer follows changes of the port and the policy, and deletion', async (t) => {
  const [port, other] = [await freePort(), await freePort()];
  const { engine, sync } = start(t, checked(port), endpoints(1));
  sync();
  t.equal(await waitForOutcome(200, { port }), 200);
  put(engine, checked(other));
  sync();
  t.equal(await outcome({ port }), 'ECONNREFUSED');
  t.equal(await waitForOutcome(200, { port: other }), 200);
  put(engine, checked(other, 'shop/web', { externalTrafficPolicy: 'Cluster' }));
  sync();
  t.equal(await outcome({ port: other }), 'ECONNREFUSED');
  put(engine, checked(other));
  sync();
  t.equal(await waitForOutcome(200, { port: other }), 200);
  remove(engine, checked(other));
  sync();
  t.equal(await outcome({ port: other }), 'ECONNREFUSED');
});

t.test('ServiceHealthServer keeps a port that does not change open', async (t) => {
  const port = await freePort();
  const { engine, sync } = start(t, checked(port), endpoints(1));
  sync();
  t.equal(await waitForOutcome(200, { port }), 200);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  await sendRequest({ port, agent });
  const [socket] = Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? []);
  const before = socket?.localPort;
  t.type(before, 'number');
  for (const hosts of [[1, 2], [], [3]]) {
    put(engine, endpoints(...hosts), checked(port, 'shop/web', { ports: [{ port: 80 + hosts.length }] }));
    sync();
    const { headers } = await sendRequest({ port, agent });
    t.equal(headers['x-load-balancing-endpoint-weight'], String(hosts.length));
    const sockets = Object.values(agent.freeSockets).flatMap((list) => list ?? []);
    t.strictSame(
      sockets.map(({ localPort }) => localPort),
      [before],
      'even connections last',
    );
  }
});

t.test('ServiceHealthServer moves a port from one Service to another', async (t) => {
  const port = await freePort();
  const { engine, sync, failures } = start(t, checked(port), endpoints(1));
  sync();
  t.equal(await waitForOutcome(200, { port }), 200);
  put(engine, checked(port, 'a/first', { clusterIP: '10.96.0.2', clusterIPs: ['10.96.0.2'] }));
  remove(engine, checked(port));
  sync();
  t.equal(await waitForOutcome(503, { port }), 503);
  t.match(await sendRequest({ port }), { body: /"first"/ });
  t.strictSame(failures, []);
});

t.test('ServiceHealthServer reports a port in use once, retries, and serves the others', async (t) => {
  const [port, other] = [await freePort(), await freePort()];
  const { release } = await occupy(port, '127.0.0.1');
  const spec = { clusterIP: '10.96.0.2', clusterIPs: ['10.96.0.2'] };
  const { sync, lines, failures } = start(t, checked(port), checked(other, 'shop/other', spec), endpoints(1));
  sync();
  t.equal(await waitForOutcome(503, { port: other }), 503, 'it has no endpoints');
  sync();
  sync();
  t.equal(await outcome({ port: other }), 503);
  const reason = `Cannot listen at 127.0.0.1:${port}: another process listens there`;
  t.strictSame(failures, [{ service: 'shop/web', port, reason }]);
  const message = 'health check node port cannot listen';
  t.strictSame(lines, [{ level: 'warn', message, details: { service: 'shop/web', port, reason } }]);
  await release();
  sync();
  t.equal(await waitForOutcome(200, { port }), 200);
  t.match(lines.slice(1), [{ level: 'info', message: 'health check node port listens now' }]);
  t.equal(lines.length, 2);
});

t.test('ServiceHealthServer does not report a port that is closed before it listens', async (t) => {
  const port = await freePort();
  const { release } = await occupy(port, '127.0.0.1');
  const { engine, sync, lines, failures } = start(t, checked(port), endpoints(1));
  sync();
  await waitUntil('a failure', () => failures.length === 1);
  await release();
  sync();
  remove(engine, checked(port));
  sync();
  t.equal(await waitForOutcome('ECONNREFUSED', { port }), 'ECONNREFUSED');
  t.equal(lines.length, 1, 'only the failure');
});

t.test('ServiceHealthServer counts endpoints by family', async (t) => {
  const port = await freePort();
  const { engine, sync } = start(t, checked(port, 'shop/web', clusterIps('10.96.0.1', 'fd00::1')), endpoints(1));
  sync();
  t.equal(await waitForOutcome(200, { port }), 200);
  t.equal(await waitForOutcome(503, { port, host: '::1' }), 503, 'no IPv6 endpoint');
  put(engine, checked(port));
  sync();
  t.equal(await outcome({ port, host: '::1' }), 'ECONNREFUSED', 'the Service is single-stack');
  t.equal(await outcome({ port }), 200);
});

t.test('ServiceHealthServer follows the addresses of the host', async (t) => {
  const port = await freePort();
  const { engine, sync } = start(t, checked(port), endpoints(1));
  sync();
  t.equal(await waitForOutcome(200, { port }), 200);
  engine.setHostAddresses(['127.0.0.2']);
  sync();
  t.equal(await outcome({ port }), 'ECONNREFUSED');
  t.equal(await waitForOutcome(200, { port, host: '127.0.0.2' }), 200);
});

t.test('ServiceHealthServer fails the check of a Service that the kernel refused', async (t) => {
  const port = await freePort();
  const { engine, sync } = start(t, checked(port), endpoints(1));
  sync();
  t.equal(await waitForOutcome(200, { port }), 200);
  put(engine, endpoints(1, 2));
  engine.compile();
  engine.refuse({ service: 'shop/web', reason: 'Invalid argument' });
  sync();
  t.match(await sendRequest({ port }), { status: 503, headers: { 'x-load-balancing-endpoint-weight': '0' } });
  sync();
  t.equal(await outcome({ port }), 503, 'it is still refused');
  put(engine, endpoints(3));
  sync();
  t.equal(await outcome({ port }), 200);
});

t.test('ServiceHealthServer opens no other ports, and closes all ports', async (t) => {
  const port = await freePort();
  const opened = t.capture(HttpServer.prototype, 'open', HttpServer.prototype.open);
  const external = { externalTrafficPolicy: 'Local', healthCheckNodePort: port };
  const { engine, ports, sync } = start(
    t,
    service('shop/node', { spec: { ...external, type: 'NodePort' } }),
    service(),
  );
  sync();
  t.strictSame(opened(), []);
  put(engine, checked(port), endpoints(1));
  sync();
  t.equal(await waitForOutcome(200, { port }), 200);
  t.equal(opened().length, 1);
  sync();
  put(engine, endpoints(1, 2), service('shop/node', { spec: { type: 'NodePort' } }));
  sync();
  t.strictSame(opened(), [], 'a sync opens only new ports');
  ports.close();
  t.equal(await outcome({ port }), 'ECONNREFUSED');
});
