// Load balancers and probes ask real nodes how they are, while real traffic goes on.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { stringify } from 'yaml';
import { DRAINING } from '../../support/builders/slice.ts';
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

/** A Service that a load balancer brings here, at the addresses of the load balancer. */
function balanced(externalTrafficPolicy: string): ApiObject {
  return {
    spec: { type: 'LoadBalancer', externalTrafficPolicy, healthCheckNodePort: CHECK_PORT },
    status: { loadBalancer: { ingress: [{ ip: VIP.ip }, { ip: VIP.ip6 }] } },
  };
}

/** Endpoints of which some are shutting down, and still serve. */
async function setEndpoints(name: string, pods: readonly string[], draining: readonly string[]): Promise<void> {
  const leaving = new Set(draining.flatMap((pod) => FAMILIES.map((family) => world.pod(pod)[family])));
  const slices = sliceObjects(world, name, { ports: PORTS, pods: [...pods, ...draining] }).map((slice) => {
    const endpoints = (slice['endpoints'] as ApiObject[]).map((endpoint) =>
      (endpoint['addresses'] as string[]).some((address) => leaving.has(address))
        ? merge(endpoint, DRAINING)
        : endpoint,
    );
    return { ...slice, endpoints };
  });
  await proxied.write(
    `${name.replace('/', '-')}-endpoints.yaml`,
    slices.map((slice) => stringify(slice)).join('---\n'),
  );
}

/** Asks until the answer is this, and returns it; the last one when it never is. */
async function answerOnce(wanted: number | string, ask: () => Promise<HealthResponse>): Promise<HealthResponse> {
  const deadline = performance.now() + LIMIT_MS;
  for (;;) {
    const answer = await ask();
    if ((answer.status ?? answer.error) === wanted || performance.now() > deadline) return answer;
  }
}

async function checkOnce(t: Test, wanted: number | string, node: Namespace, localEndpoints?: number): Promise<void> {
  for (const family of FAMILIES) {
    const answer = await answerOnce(wanted, () => getHealth(client, node[family], CHECK_PORT));
    t.equal(answer.status ?? answer.error, wanted, `${node.name} ${family}`);
    if (localEndpoints === undefined) continue;
    t.equal(answer.weight, String(localEndpoints));
    t.strictSame(answer.body, {
      service: { namespace: 'shop', name: 'lb' },
      localEndpoints,
      serviceProxyHealthy: true,
    });
  }
}

t.test('a load balancer leaves a node whose endpoints terminate, while forwarding goes on', async (t) => {
  await proxied.addService('shop/lb', 40, { pods: ['a', 'b'], overrides: balanced('Local') });
  await proxied.waitForSync();
  await checkOnce(t, 200, node1, 2);
  await checkOnce(t, 503, node2, 0);

  const dialer = await client.dialer();
  const traffic = await Promise.all(
    FAMILIES.map((family) => dialer.dialAtRate({ protocol: 'tcp', address: VIP[family], port: 80, perSecond: 50 })),
  );
  await setEndpoints('shop/lb', ['c'], ['a', 'b']);
  await checkOnce(t, 503, node1, 0);
  await checkOnce(t, 200, node2, 1);
  const before = await Promise.all(traffic.map((flow) => flow.snapshot()));
  await proxied.waitForSync();
  for (const family of FAMILIES) {
    const { answered, pods } = await dialer.dial({ protocol: 'tcp', address: VIP[family], port: 80, count: 20 });
    t.equal(answered, 20, `${family}: new connections are still forwarded`);
    t.notOk(pods['c'], 'by this node, to its own endpoints');
  }
  const after = await Promise.all(traffic.map((flow) => flow.stop()));
  for (const [index, { attempts, answered, pods }] of after.entries()) {
    t.equal(answered, attempts, 'no connection was lost meanwhile');
    t.ok(attempts > (before[index]?.attempts ?? 0), 'nor after the load balancer was told');
    t.strictSame(Object.keys(pods).sort(), ['a', 'b']);
  }
  await checkOnce(t, 503, node1, 0);

  await setEndpoints('shop/lb', ['b', 'c'], []);
  await checkOnce(t, 200, node1, 1);
});

t.test('the port is there as long as the Service wants it, and at the node address only', async (t) => {
  await proxied.addService('shop/lb', 40, { pods: ['a'], overrides: balanced('Cluster') });
  await checkOnce(t, 'ECONNREFUSED', node1);
  await proxied.addService('shop/lb', 40, { pods: ['a'], overrides: balanced('Local') });
  await checkOnce(t, 200, node1, 1);
  const elsewhere = await getHealth(node1, '127.0.0.1', CHECK_PORT);
  t.equal(elsewhere.error, 'ECONNREFUSED', 'node ports are not taken at loopback addresses');
  await proxied.remove('shop-lb.yaml');
  await checkOnce(t, 'ECONNREFUSED', node1);
});

t.test('a port that another process has is said, and answered when that is gone', async (t) => {
  const from = proxied.daemon('node1').log.length;
  const stranger = await node1.respond({ tcp: [CHECK_PORT] });
  await proxied.addService('shop/lb', 40, { pods: ['a'], overrides: balanced('Local') });
  const entry = await proxied.daemon('node1').waitForLog('health checks of a Service are not answered', from);
  t.match(entry, { level: 'warn', service: 'shop/lb', port: CHECK_PORT, reason: /another process listens there$/ });
  await checkOnce(t, 503, node2, 0);
  await stranger.stop();
  // Any change that is synced tries again.
  await proxied.addService('shop/other', 41, { pods: ['a'] });
  await checkOnce(t, 200, node1, 1);
});

t.test('/healthz follows the Node, /livez does not', async (t) => {
  const ask = (path: string) => () => getHealth(client, NODES.node1.ip, HEALTHZ_PORT, path);
  const good = await answerOnce(200, ask('/healthz'));
  t.match(good, { status: 200, body: { nodeEligible: true, healthy: true, status: { IPv4: { healthy: true } } } });
  const [first = {}, ...others] = nodeObjects();
  const write = (node: ApiObject) =>
    proxied.write(
      'nodes.yaml',
      [node, ...others, serviceCidrObject()].map((object) => stringify(object)).join('---\n'),
    );
  await write(merge(first, LEAVING));
  t.match(await answerOnce(503, ask('/healthz')), { status: 503, body: { nodeEligible: false, healthy: true } });
  const live = await ask('/livez')();
  t.match(live, { status: 200, body: { healthy: true } });
  t.notOk('nodeEligible' in (live.body as object));
  t.equal((await ask('/metrics')()).status, 404);
  t.equal((await getHealth(client, NODES.node2.ip, HEALTHZ_PORT, '/healthz')).status, 200, 'the other node stays');
  await write(first);
  t.equal((await answerOnce(200, ask('/healthz'))).status, 200);
});

t.test('a daemon that cannot reach its API server is alive, but gets no traffic', async (t) => {
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
  const ask = (path: string, address: string) => getHealth(client, address, 9999, path);
  const live = await answerOnce(200, () => ask('/livez', '127.0.0.1'));
  t.match(live, { status: 200, body: { healthy: true } });
  t.match(await ask('/healthz', '::1'), { status: 503, body: { nodeEligible: false, healthy: false } });
  t.equal(await daemon.stop(), 0);
  t.equal((await ask('/livez', '127.0.0.1')).error, 'ECONNREFUSED');
});
