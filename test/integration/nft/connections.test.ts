// Connections that hosts, pods and local users hold to the servers of the daemon, while probes ask.

import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { loadFactor } from '../../support/load-factor.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { outputLines } from '../../support/netns/program-output.ts';
import { createSingleNode } from '../../support/netns/single-node.ts';

const HOLD = fileURLToPath(new URL('../../support/netns/traffic/programs/hold-connections.ts', import.meta.url));
const PROBE = fileURLToPath(new URL('../../support/netns/traffic/programs/probe-http.ts', import.meta.url));
const CHECK_PORT = 30900;
const CONNECTIONS = 5_000;
/** Of nine answers in ten: a busy machine delays any process now and then. All must come before the prober's timeout. */
const LIMIT_MS = 100;
const SOURCES = Array.from({ length: 20 }, (_, index) => `192.168.77.${200 + index}`);

t.setTimeout(120_000);
const single = await createSingleNode(t);
const { node, client } = single;
await client.configure(SOURCES.map((source) => `address add ${source}/24 dev lan`));
await single.write('node.yaml', {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node1' },
  status: { addresses: [{ type: 'InternalIP', address: node.ip }] },
});
await single.write(
  'balanced.yaml',
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'lb', namespace: 'shop' },
    spec: {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      healthCheckNodePort: CHECK_PORT,
      clusterIP: '172.30.0.7',
      clusterIPs: ['172.30.0.7'],
      ports: [{ port: 80, nodePort: 30080 }],
    },
  },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'lb-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'lb' } },
    addressType: 'IPv4',
    ports: [{ port: 8080 }],
    endpoints: [{ addresses: ['10.1.1.1'], nodeName: 'node1' }],
  },
);
const daemon = single.start();
await daemon.waitUntilReady();
await daemon.waitForLog('started');
const pid = daemon.pid;

/** Holds connections from these sources until the returned function is called. */
async function hold(from: Namespace, port: number, { address = node.ip, count = CONNECTIONS, sources = SOURCES } = {}) {
  const args = [HOLD, address, String(port), String(count), ...sources];
  const child = from.spawn(process.execPath, args);
  const { value } = await outputLines(child, 'hold-connections').next();
  return { opened: Number(value), release: () => void child.kill('SIGKILL') };
}

async function probe(t: Test, from: Namespace, url: string): Promise<void> {
  const results = JSON.parse(await from.output(process.execPath, [PROBE, url, '30'])) as {
    outcome: number | string;
    ms: number;
  }[];
  t.strictSame([...new Set(results.map(({ outcome }) => outcome))], [200], `${url} is always answered`);
  const slow = results.map(({ ms }) => ms).sort((a, b) => a - b)[26] ?? 0;
  t.ok(slow <= LIMIT_MS * loadFactor(), `${url}: nine of ten answers took at most ${slow.toFixed(1)} ms`);
}

async function memory(): Promise<number> {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

t.test('the kubelet and load balancers are answered while others hold thousands of connections', async (t) => {
  const before = await memory();
  const remote = await Promise.all([hold(client, 10256), hold(client, CHECK_PORT, { count: 1_000 })]);
  const local = await hold(node, 10249, { address: '127.0.0.1', count: 500, sources: ['127.0.0.1'] });
  // Some are closed to make room for others before the client sees them open.
  const opened = remote.map((holder) => holder.opened);
  t.ok((opened[0] ?? 0) > 0.9 * CONNECTIONS && (opened[1] ?? 0) > 900, `opened ${opened}`);
  await probe(t, node, 'http://127.0.0.1:10256/livez');
  await probe(t, node, `http://${node.ip}:10256/healthz`);
  await probe(t, client, `http://${node.ip}:${CHECK_PORT}/`);
  await probe(t, node, 'http://127.0.0.1:10249/metrics');
  const descriptors = (await readdir(`/proc/${pid}/fd`)).length;
  t.ok(descriptors < 800, `${descriptors} file descriptors`);
  const after = await memory();
  t.ok(after < 2 * before, `${after.toFixed()} MB resident, ${before.toFixed()} MB before`);
  const metrics = await node.output('curl', ['-s', 'http://127.0.0.1:10249/metrics']);
  for (const server of ['health', 'service-health', 'metrics']) {
    const [, count] = new RegExp(`evicted_connections_total{server="${server}"} (\\d+)`).exec(metrics) ?? [];
    t.ok(Number(count) > 100, `${server}: ${count} connections made room`);
  }
  const messages = daemon.log.filter(({ msg }) => msg.startsWith('too many connections to a server'));
  t.ok(messages.length >= 3 && messages.length <= 6, `${messages.length} messages`);
  for (const { release } of [...remote, local]) release();
});

t.test('clients that do not read their responses do not fill the memory', async (t) => {
  const before = await memory();
  const program = `
    const { connect } = require('node:net');
    const text = 'GET /metrics HTTP/1.1\\r\\nHost: node\\r\\n\\r\\n'.repeat(200);
    let left = 100;
    for (let count = 0; count < 100; count++) {
      const socket = connect(10249, '127.0.0.1', () => {
        socket.pause();
        socket.write(text, () => { if (--left === 0) console.log('sent'); });
      });
      socket.on('error', () => { if (--left === 0) console.log('sent'); });
    }
    setTimeout(() => {}, 60_000);
  `;
  const child = node.spawn(process.execPath, ['-e', program]);
  await outputLines(child, 'reader').next();
  await probe(t, node, 'http://127.0.0.1:10256/livez');
  const after = await memory();
  t.ok(after < 2 * before, `${after.toFixed()} MB resident, ${before.toFixed()} MB before`);
  child.kill('SIGKILL');
  t.equal(await daemon.stop(), 0);
});
