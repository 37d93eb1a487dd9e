// Tests with real packets: Services from files that no API server has completed.

import t, { type Test } from 'tap';
import { createProxiedWorld } from '../../support/netns/proxied-world.ts';
import { NODES, SERVICE_CIDRS } from '../../support/netns/topology.ts';
import { getHealth } from '../../support/netns/traffic/health-client.ts';

const FAMILIES = ['ip', 'ip6'] as const;
const PROTOCOLS = ['tcp', 'udp'] as const;
const EXTERNAL = { ip: '198.51.100.21', ip6: '2001:db8:7::21' };
const BALANCED = { ip: '198.51.100.22', ip6: '2001:db8:7::22' };
const HEALTH_PORT = 30921;

t.setTimeout(120_000);
const proxied = await createProxiedWorld(t);
const { world } = proxied;
const dialer = await world.client.dialer();

/** The pods that answer the client, of as many connections as it takes to reach each of a few. */
async function answering(t: Test, target: { protocol: 'tcp' | 'udp'; address: string; port: number }) {
  const report = await dialer.dial({ ...target, count: 60 });
  t.match(report, { attempts: 60, answered: 60 }, `${target.protocol} ${target.address}`);
  return Object.keys(report.pods).sort();
}

const PORTS = `
  ports:
    - { name: tcp, port: 80, targetPort: web, nodePort: 30921 }
    - { name: udp, port: 80, protocol: UDP, nodePort: 30921 }`;

async function writeService(name: string, { pods, text }: { pods: readonly string[]; text: string }): Promise<void> {
  await proxied.setEndpoints(`shop/${name}`, pods);
  const metadata = `metadata: { namespace: shop, name: ${name} }`;
  await proxied.write(`${name}.yaml`, `apiVersion: v1\nkind: Service\n${metadata}\n${text}`);
  await proxied.waitForSync();
}

t.test('a Service without a cluster IP is served at its node ports', async (t) => {
  const text = `spec:\n  type: NodePort\n  ipFamilyPolicy: PreferDualStack\n  selector: { app: cart }${PORTS}`;
  await writeService('cart', { pods: ['a', 'c'], text });
  for (const family of FAMILIES) {
    for (const protocol of PROTOCOLS) {
      const address = NODES.node1[family];
      t.strictSame(await answering(t, { protocol, address, port: 30921 }), ['a', 'c'], `${protocol} ${family}`);
    }
  }
});

t.test('a Service that names no family has the first one, and no frontends in the other', async (t) => {
  await writeService('cart', { pods: ['a', 'c'], text: `spec:\n  type: NodePort${PORTS}` });
  t.strictSame(await answering(t, { protocol: 'tcp', address: NODES.node1.ip, port: 30921 }), ['a', 'c']);
  const elements = await world.node1.output('nft', ['list', 'map', 'ip6', 'nftlane', 'service-nodeports']);
  t.notMatch(elements, /30921/);
  const { stdout } = await proxied.run('node1', 'inspect', 'services', 'shop/cart');
  t.match(stdout, /no IPv4 cluster IP: an API server would assign it; served at its node ports and other addresses/);
  t.notMatch(stdout, /warning/);
  await proxied.remove('cart.yaml');
});

t.test('a Service without a cluster IP is served at its external IPs, in their families', async (t) => {
  const externalIPs = JSON.stringify(Object.values(EXTERNAL));
  const ports = '[{ name: tcp, port: 80 }, { name: udp, port: 80, protocol: UDP }]';
  const text = `spec:\n  externalIPs: ${externalIPs}\n  sessionAffinity: ClientIP\n  ports: ${ports}`;
  await writeService('ext', { pods: ['a', 'b', 'c'], text });
  for (const family of FAMILIES) {
    for (const protocol of PROTOCOLS) {
      const pods = await answering(t, { protocol, address: EXTERNAL[family], port: 80 });
      t.equal(pods.length, 1, `${protocol} ${family}: the client keeps its endpoint`);
    }
  }
});

t.test('a load balancer Service without a cluster IP has its policy and its health check', async (t) => {
  const ingress = JSON.stringify(Object.values(BALANCED).map((ip) => ({ ip })));
  const spec = `type: LoadBalancer\n  externalTrafficPolicy: Local\n  healthCheckNodePort: ${HEALTH_PORT}`;
  const ports = '[{ name: tcp, port: 80 }, { name: udp, port: 80, protocol: UDP }]';
  const text = `spec:\n  ${spec}\n  ports: ${ports}\nstatus: { loadBalancer: { ingress: ${ingress} } }`;
  await writeService('lb', { pods: ['a', 'c'], text });
  for (const family of FAMILIES) {
    for (const protocol of PROTOCOLS) {
      const pods = await answering(t, { protocol, address: BALANCED[family], port: 80 });
      t.strictSame(pods, ['a'], `${protocol} ${family}: only the endpoint of the node`);
    }
    const health = await getHealth(world.client, NODES.node1[family], HEALTH_PORT);
    t.match(health, { status: 200, body: { localEndpoints: 1 } }, `health check, ${family}`);
  }
});

t.test('what a Service lacks is reported', async (t) => {
  await writeService('inner', { pods: ['a'], text: 'spec:\n  ports: [{ name: tcp, port: 80 }]' });
  await writeService('data', { pods: ['a'], text: 'spec:\n  clusterIP: None\n  ports: [{ name: tcp, port: 80 }]' });
  await writeService('half', { pods: ['a'], text: 'spec:\n  type: NodePort\n  ports: [{ name: tcp, port: 80 }]' });
  const { stdout } = await proxied.run('node1', 'inspect', 'services');
  const inner =
    /shop\/inner: spec\.clusterIP \(absent\): an API server would assign it; nothing of this Service is served/;
  t.match(stdout, inner);
  t.match(stdout, /^shop\/data {2}not proxied: it is headless \(spec\.clusterIP is None\)/m);
  const half =
    /shop\/half: spec\.ports\[0\]\.nodePort \(absent\): an API server would allocate it; port 80\/tcp has no node port/;
  t.match(stdout, half);
  t.match(await proxied.run('node1', 'inspect', 'services', 'shop/data'), { status: 0, stdout: /is headless/ });
  const offline = ['-f', proxied.manifestDirectory, '--node-name', 'node1'];
  t.match((await proxied.run('node1', 'diff', ...offline)).stderr, inner);
  const explained = await proxied.run('node1', 'explain', world.client.ip, '203.0.113.9:80', ...offline);
  t.match(
    explained.stdout,
    /Service shop\/inner has port 80\/tcp, but no IPv4 cluster IP: an API server would assign it/,
  );
  const absent = await proxied.run('node1', 'inspect', 'services', 'shop/absent');
  t.match(absent, { status: 4, stderr: /Cannot show Service "shop\/absent": no such Service$/m });
});

t.test('cluster IPs are assigned out of a range, the same on every node and after a restart', async (t) => {
  const range = ['--service-cluster-ip-range', `${SERVICE_CIDRS.ip},${SERVICE_CIDRS.ip6}`];
  await Promise.all((['node1', 'node2'] as const).map((node) => proxied.restart(node, ...range)));
  const text =
    'spec:\n  ipFamilyPolicy: RequireDualStack\n  ports: [{ name: tcp, port: 80 }, { name: udp, port: 80, protocol: UDP }]';
  await writeService('assigned', { pods: ['a', 'c'], text });
  const assigned = async (node: 'node1' | 'node2') => {
    const { stdout } = await proxied.run(node, 'inspect', 'services', 'shop/assigned', '-o', 'json');
    return (JSON.parse(stdout) as { services: { assignedClusterIps: string[] }[] }).services[0]?.assignedClusterIps;
  };
  const ips = await assigned('node1');
  t.match(ips, [/^172\.30\./, /^fd00:30::/]);
  t.strictSame(await assigned('node2'), ips);
  for (const address of ips ?? []) {
    for (const protocol of PROTOCOLS) t.strictSame(await answering(t, { protocol, address, port: 80 }), ['a', 'c']);
  }

  await proxied.restart('node1', ...range);
  await writeService('later', { pods: ['b'], text });
  t.strictSame(await assigned('node1'), ips);
  // Another Service names the address: it gets it, and this one another.
  const [ip = '', ip6 = ''] = ips ?? [];
  await writeService('named', { pods: ['b'], text: `spec:\n  clusterIP: ${ip}\n  ports: [{ name: tcp, port: 80 }]` });
  t.strictSame(await answering(t, { protocol: 'tcp', address: ip, port: 80 }), ['b']);
  const moved = await assigned('node1');
  t.not(moved?.[0], ip);
  t.equal(moved?.[1], ip6);
  t.strictSame(await answering(t, { protocol: 'tcp', address: moved?.[0] ?? '', port: 80 }), ['a', 'c']);
  const explained = await proxied.run('node1', 'explain', world.client.ip, `${moved?.[0]}:80`);
  t.match(explained.stdout, /cluster IP of Service shop\/assigned/);
});

t.test('a range of cluster IPs is refused without manifests', async (t) => {
  const args = ['run', '--kubeconfig', '/nonexistent', '--service-cluster-ip-range', SERVICE_CIDRS.ip];
  const { status, stderr } = await proxied.run('node1', ...args);
  t.equal(status, 4);
  t.match(stderr, /serviceClusterIPRange: requires manifests: an API server assigns cluster IPs itself/);
});
