// Health checks of nodes and Services, with real traffic.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { stringify } from 'yaml';
import { type ApiObject, merge } from '../../support/deployment/merge.ts';
import { buildProgram, installBundle, startDaemon } from '../../support/netns/installation.ts';
import { nodeObjects, serviceCidrObject, sliceObjects } from '../../support/netns/manifests.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { createProxiedWorld, PORTS } from '../../support/netns/proxied-world.ts';
import { type Addresses, NODES } from '../../support/netns/topology.ts';
import { getHealth, type HealthResponse } from '../../support/netns/traffic/health-client.ts';

const FAMILIES = ['ip', 'ip6'] as const;
const VIP: Addresses = { ip: '198.51.100.9', ip6: '2001:db8:7::9' };
const CHECK_PORT = 30900;
const HEALTHZ_PORT = 10256;
const LIMIT_MS = 10_000;
const LEAVING = { spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] } };

t.setTimeout(120_000);
const proxied = await createProxiedWorld(t);
const { world } = proxied;
const { client, node1, node2 } = world;

/** A Service with load balancer addresses and a health check node port. */
function balanced(externalTrafficPolicy: string): ApiObject {
  return {
    spec: { type: 'LoadBalancer', externalTrafficPolicy, healthCheckNodePort: CHECK_PORT },
    status: { loadBalancer: { ingress: [{ ip: VIP.ip }, { ip: VIP.ip6 }] } },
  };
}

/** Repeats a request until it has this status or error. Returns the last response. */
async function waitForResponse(
  expected: number | string,
  request: () => Promise<HealthResponse>,
): Promise<HealthResponse> {
  const deadline = performance.now() + LIMIT_MS;
  for (;;) {
    const response = await request();
    if ((response.status ?? response.error) === expected || performance.now() > deadline) return response;
  }
}

async function waitForCheck(
  t: Test,
  expected: number | string,
  node: Namespace,
  localEndpoints?: number,
): Promise<void> {
  for (const family of FAMILIES) {
    const response = await waitForResponse(expected, () => getHealth(client, node[family], CHECK_PORT));
    t.equal(response.status ?? response.error, expected, `${node.name} ${family}`);
    if (localEndpoints === undefined) continue;
    t.equal(response.weight, String(localEndpoints));
    t.strictSame(response.body, {
      service: { namespace: 'shop', name: 'lb' },
      localEndpoints,
      serviceProxyHealthy: true,
    });
  }
}

t.test('a health check fails when the endpoints terminate, while forwarding continues', async (t) => {
  await proxied.addService('shop/lb', 40, { pods: ['a', 'b'], overrides: balanced('Local') });
  await proxied.waitForSync();
  await waitForCheck(t, 200, node1, 2);
  await waitForCheck(t, 503, node2, 0);

  const dialer = await client.dialer();
  const traffic = await Promise.all(
    FAMILIES.map((family) => dialer.dialAtRate({ protocol: 'tcp', address: VIP[family], port: 80, perSecond: 50 })),
  );
  await proxied.setDraining('shop/lb', ['c'], ['a', 'b']);
  await waitForCheck(t, 503, node1, 0);
  await waitForCheck(t, 200, node2, 1);
  const before = await Promise.all(traffic.map((flow) => flow.snapshot()));
  await proxied.waitForSync();
  for (const family of FAMILIES) {
    const { answered, pods } = await dialer.dial({ protocol: 'tcp', address: VIP[family], port: 80, count: 20 });
    t.equal(answered, 20, `${family}: new connections are still forwarded`);
    t.notOk(pods['c'], 'node1 forwards only to its own endpoints');
  }
  const after = await Promise.all(traffic.map((flow) => flow.stop()));
  for (const [index, { attempts, answered, pods }] of after.entries()) {
    t.equal(answered, attempts, 'no connection was lost');
    t.ok(attempts > (before[index]?.attempts ?? 0), 'nor after the check failed');
    t.strictSame(Object.keys(pods).sort(), ['a', 'b']);
  }
  await waitForCheck(t, 503, node1, 0);

  await proxied.setDraining('shop/lb', ['b', 'c'], []);
  await waitForCheck(t, 200, node1, 1);
});

t.test('a slice that is out of date takes no endpoint away', async (t) => {
  await proxied.setDraining('shop/lb', ['a'], []);
  await waitForCheck(t, 200, node1, 1);
  const dialer = await client.dialer();
  // Slices of the same endpoint, the names of which sort before and after those that call it ready.
  const outdated = ['0', 'z'].flatMap((name) =>
    sliceObjects(world, 'shop/lb', { ports: PORTS, pods: ['a'] }).map((slice, index) =>
      merge(slice, {
        metadata: { name: `${name}-${index}` },
        endpoints: (slice['endpoints'] as ApiObject[]).map((endpoint) => ({
          ...endpoint,
          conditions: { ready: false, serving: false },
        })),
      }),
    ),
  );
  await proxied.write('outdated.yaml', outdated.map((slice) => stringify(slice)).join('---\n'));
  await proxied.waitForSync();
  for (const family of FAMILIES) {
    const { answered } = await dialer.dial({ protocol: 'tcp', address: VIP[family], port: 80, count: 5 });
    t.equal(answered, 5, family);
  }
  await waitForCheck(t, 200, node1, 1);
  const { stdout } = await proxied.run('node1', 'inspect', 'services', 'shop/lb');
  t.match(stdout, /EndpointSlice shop\/0-0: not ready on node/);
  t.match(stdout, /EndpointSlice shop\/z-1: not ready on node/);
  await proxied.remove('outdated.yaml');
});

t.test('the port is open while the Service needs it, at the node address only', async (t) => {
  await proxied.addService('shop/lb', 40, { pods: ['a'], overrides: balanced('Cluster') });
  await waitForCheck(t, 'ECONNREFUSED', node1);
  await proxied.addService('shop/lb', 40, { pods: ['a'], overrides: balanced('Local') });
  await waitForCheck(t, 200, node1, 1);
  const elsewhere = await getHealth(node1, '127.0.0.1', CHECK_PORT);
  t.equal(elsewhere.error, 'ECONNREFUSED', 'loopback addresses accept no node ports');
  await proxied.remove('shop-lb.yaml');
  await waitForCheck(t, 'ECONNREFUSED', node1);
});

t.test('a port in use by another process is logged, and served once it is free', async (t) => {
  const from = proxied.daemon('node1').log.length;
  const other = await node1.respond({ tcp: [CHECK_PORT] });
  await proxied.addService('shop/lb', 40, { pods: ['a'], overrides: balanced('Local') });
  const entry = await proxied.daemon('node1').waitForLog('health check node port cannot listen', from);
  t.match(entry, { level: 'warn', service: 'shop/lb', port: CHECK_PORT, reason: /another process listens there$/ });
  await waitForCheck(t, 503, node2, 0);
  await other.stop();
  // Every sync retries.
  await proxied.addService('shop/other', 41, { pods: ['a'] });
  await waitForCheck(t, 200, node1, 1);
});

t.test('/healthz follows the Node, /livez does not', async (t) => {
  const request = (path: string) => () => getHealth(client, NODES.node1.ip, HEALTHZ_PORT, path);
  const good = await waitForResponse(200, request('/healthz'));
  t.match(good, { status: 200, body: { nodeEligible: true, healthy: true, status: { IPv4: { healthy: true } } } });
  const [first = {}, ...others] = nodeObjects();
  const write = (node: ApiObject) =>
    proxied.write(
      'nodes.yaml',
      [node, ...others, serviceCidrObject()].map((object) => stringify(object)).join('---\n'),
    );
  await write(merge(first, LEAVING));
  t.match(await waitForResponse(503, request('/healthz')), {
    status: 503,
    body: { nodeEligible: false, healthy: true },
  });
  const live = await request('/livez')();
  t.match(live, { status: 200, body: { healthy: true } });
  t.notOk('nodeEligible' in (live.body as object));
  t.equal((await request('/metrics')()).status, 404);
  t.equal(
    (await getHealth(client, NODES.node2.ip, HEALTHZ_PORT, '/healthz')).status,
    200,
    'the other node is not affected',
  );
  await write(first);
  t.equal((await waitForResponse(200, request('/healthz'))).status, 200);
});

t.test('a daemon that cannot reach the API server is live but not ready', async (t) => {
  const scratch = await mkdtemp(join(tmpdir(), 'nftlane-health-'));
  t.teardown(() => rm(scratch, { recursive: true, force: true }));
  const program = await buildProgram(join(scratch, 'nftlane.mjs'));
  const kubeconfig = join(scratch, 'kubeconfig');
  const server = 'https://127.0.0.1:1';
  const config = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'test', users: [{ name: 'test', user: { token: 'x' } }] },
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    clusters: [{ name: 'test', cluster: { server, 'insecure-skip-tls-verify': true } }],
  };
  await writeFile(kubeconfig, JSON.stringify(config));
  const flags = ['--node-name', 'n1', '--kubeconfig', kubeconfig, '--healthz-bind-address', '[::]:9999'];
  const daemon = startDaemon(installBundle(client, { program, runDir: join(scratch, 'run') }), flags);
  const request = (path: string, address: string) => getHealth(client, address, 9999, path);
  const live = await waitForResponse(200, () => request('/livez', '127.0.0.1'));
  t.match(live, { status: 200, body: { healthy: true } });
  t.match(await request('/healthz', '::1'), { status: 503, body: { nodeEligible: false, healthy: false } });
  t.equal(await daemon.stop(), 0);
  t.equal((await request('/livez', '127.0.0.1')).error, 'ECONNREFUSED');
});
