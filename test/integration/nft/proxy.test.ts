// Tests with real packets: reachability, client addresses that pods see, and changes under traffic.

import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import type { Namespace } from '../../support/netns/namespace.ts';
import { createProxiedWorld, PORTS } from '../../support/netns/proxied-world.ts';
import { type Addresses, NODES } from '../../support/netns/topology.ts';
import type { Dialer, RunningDial } from '../../support/netns/traffic/dialer-process.ts';
import type { DialReport, Transport } from '../../support/netns/traffic/programs/messages.ts';

const NODE_PORT = 30080;
const EXTERNAL: Addresses = { ip: '198.51.100.7', ip6: '2001:db8:7::7' };
const VIP: Addresses = { ip: '198.51.100.8', ip6: '2001:db8:7::8' };
const COUNT = 12;

const FLOWS = (['tcp', 'udp'] as const).flatMap((protocol) =>
  (['ip', 'ip6'] as const).map((family) => ({ protocol, family })),
);

const proxied = await createProxiedWorld(t);
const { world } = proxied;
const { client, node1, node2 } = world;
const shell = world.pod('shell');
const far = world.pod('far');

const dialers = new Map<Namespace, Promise<Dialer>>();
const WEB = await proxied.addService('shop/web', 10, {
  pods: ['a', 'b', 'c'],
  ports: PORTS.map((port) => ({ ...port, nodePort: NODE_PORT })),
  overrides: {
    spec: { type: 'LoadBalancer', externalIPs: Object.values(EXTERNAL) },
    status: { loadBalancer: { ingress: Object.values(VIP).map((ip) => ({ ip })) } },
  },
});
const SELF = await proxied.addService('shop/self', 11, { pods: ['a'] });
const EMPTY = await proxied.addService('shop/empty', 12, { pods: [] });
await proxied.waitForSync();

t.test('clients, pods and node processes reach every frontend of a Service', async (t) => {
  const frontends = [
    { name: 'cluster IP', at: WEB, port: 80 },
    { name: 'external IP', at: EXTERNAL, port: 80 },
    { name: 'load balancer VIP', at: VIP, port: 80 },
    { name: 'node port of node1', at: NODES.node1, port: NODE_PORT },
    { name: 'node port of node2', at: NODES.node2, port: NODE_PORT },
  ];
  for (const from of [client, shell, far, node1, node2]) {
    for (const { name, at, port } of frontends) {
      for (const { protocol, family } of FLOWS) {
        const report = await dial(from, { protocol, address: at[family], port, count: COUNT });
        t.equal(report.answered, COUNT, `${from.name} to ${name}: ${protocol} ${family}`);
      }
    }
  }
});

t.test('pods see the addresses of other pods, and other clients masqueraded', async (t) => {
  for (const { protocol, family } of FLOWS) {
    const nodeAddresses = [NODES.node1[family], NODES.node1.gateway[family]];
    const request = { protocol, address: WEB[family], port: 80, count: 30 };
    const fromPod = await dial(shell, request);
    t.strictSame(fromPod.clients, [shell[family]], `pod: ${protocol} ${family}`);
    for (const from of [client, node1]) {
      const { clients } = await dial(from, request);
      t.ok(clients.length > 0 && clients.every((seen) => nodeAddresses.includes(seen)), `${from.name}: ${clients}`);
    }
  }
});

t.test('a pod reaches itself through its Service', async (t) => {
  for (const { protocol, family } of FLOWS) {
    const report = await dial(world.pod('a'), { protocol, address: SELF[family], port: 80, count: COUNT });
    t.match(
      report,
      { answered: COUNT, pods: { a: COUNT }, clients: [NODES.node1.gateway[family]] },
      `${protocol} ${family}`,
    );
  }
});

t.test('a Service without endpoints refuses immediately', async (t) => {
  for (const from of [client, shell, node1]) {
    for (const family of ['ip', 'ip6'] as const) {
      const tcp = await dial(from, { protocol: 'tcp', address: EMPTY[family], port: 80, count: 30, timeoutMs: 300 });
      t.match(tcp, { attempts: 30, refused: 30 }, `${from.name}: tcp ${family}`);
    }
  }
  for (const family of ['ip', 'ip6'] as const) {
    const udp = await dial(client, { protocol: 'udp', address: EMPTY[family], port: 80, count: 5, timeoutMs: 300 });
    t.match(udp, { attempts: 5, refused: 5 }, `udp ${family}`);
  }
});

t.test('an undefined port of a Service is refused', async (t) => {
  for (const { protocol, family } of FLOWS) {
    const report = await dial(client, { protocol, address: WEB[family], port: 81, count: 5, timeoutMs: 300 });
    t.match(report, { attempts: 5, refused: 5 }, `${protocol} ${family}`);
  }
});

t.test('an unused Service address is dropped', async (t) => {
  for (const address of ['172.30.200.1', 'fd00:30::c8']) {
    const report = await dial(client, { protocol: 'tcp', address, port: 80, count: 3, timeoutMs: 150 });
    t.match(report, { attempts: 3, timedOut: 3 }, address);
  }
});

t.test('backends get equal shares, after any change of their number', async (t) => {
  const count = 600;
  // Chi-square with one and with two degrees of freedom: exceeded by chance once in 10,000 runs.
  const limits = new Map([
    [2, 15.1],
    [3, 18.4],
  ]);
  for (const pods of [
    ['a', 'b', 'c'],
    ['a', 'b'],
    ['a', 'b', 'c'],
  ]) {
    await proxied.setEndpoints('shop/web', pods);
    await proxied.waitForSync();
    for (const { protocol, family } of FLOWS) {
      const report = await dial(client, { protocol, address: WEB[family], port: 80, count });
      const counts = pods.map((pod) => report.pods[pod] ?? 0);
      const expected = count / counts.length;
      const chiSquare = counts.reduce((sum, got) => sum + (got - expected) ** 2 / expected, 0);
      const isEven = report.answered === count && chiSquare < (limits.get(counts.length) ?? 0);
      t.ok(isEven, `${protocol} ${family}: ${counts.join(', ')}`);
    }
  }
});

t.test('a restart of the daemon does not affect traffic', async (t) => {
  const flows = await startFlows({ at: WEB, perSecond: 200 });
  const before = await connections();
  const daemon = await proxied.restart('node1');
  const { operations } = await daemon.waitForLog('ruleset complete');
  t.equal(operations, 0, 'nothing was written');
  await proxied.waitForSync();
  for (const report of await stopAll(flows)) t.match(report, noLoss(report), JSON.stringify(report));
  t.ok((await connections()) > before, 'counters were kept, so no slot was rewritten');
  t.strictSame(
    daemon.log.filter(({ level }) => level === 'error' || level === 'warn'),
    [],
  );
});

t.test('no connection is lost while endpoints are added and removed', async (t) => {
  const flows = await startFlows({ at: WEB, perSecond: 300 });
  const daemon = proxied.daemon('node1');
  const from = daemon.log.length;
  const syncs = () => daemon.log.slice(from).filter(({ msg }) => msg === 'synced').length;
  for (let round = 0; round < 40; round++) {
    const before = syncs();
    await proxied.setEndpoints('shop/web', round % 2 === 0 ? ['a', 'c'] : ['a', 'b', 'c']);
    while (syncs() === before) await delay(10);
    await delay(200);
  }
  for (const report of await stopAll(flows)) t.match(report, noLoss(report), JSON.stringify(report));
});

t.test('a UDP flow leaves a removed endpoint', async (t) => {
  const at = await proxied.addService('shop/flow', 14, { pods: ['a'] });
  await proxied.waitForSync();
  const dialer = await client.dialer();
  const flow = await dialer.keepConnection({ protocol: 'udp', address: at.ip, port: 80 });
  await proxied.setEndpoints('shop/flow', ['b']);
  await proxied.waitForSync();
  await flow.snapshot();
  const before = (await flow.snapshot()).pods['a'];
  const { pods } = await flow.stop();
  t.ok(pods['b'], 'the flow uses the new endpoint');
  t.equal(pods['a'], before, 'the flow does not use the old endpoint');
});

t.test('a flushed ruleset is repaired at the next change', async (t) => {
  const request = { protocol: 'tcp', address: WEB.ip, port: 80, count: 5, timeoutMs: 200 } as const;
  await node1.output('nft', ['flush', 'ruleset']);
  t.match(await dial(client, request), { answered: 0 }, 'nothing works without the ruleset');
  await proxied.setEndpoints('shop/web', ['a', 'c']);
  await proxied.waitForSync();
  t.match(await dial(client, request), { answered: 5 });
  const own = await proxied.run('node1', 'diff');
  t.match(own, { status: 0, stdout: /^# node node1; manifests in .*\n$/ });
});

t.test('an invalid object does not stop the others', async (t) => {
  const invalid =
    "apiVersion: v1\nkind: Service\nmetadata: { namespace: shop, name: bad }\nspec: { clusterIP: '172.30.300.1', ports: [{ port: 80 }] }\n";
  const daemon = proxied.daemon('node1');
  await proxied.write('aaa-invalid.yaml', invalid);
  const added = await proxied.addService('shop/added', 13, { pods: ['b'] });
  await proxied.waitForSync();
  t.match(await dial(client, { protocol: 'tcp', address: added.ip, port: 80, count: 5 }), {
    answered: 5,
    pods: { b: 5 },
  });
  const entry = await daemon.waitForLog('object has an invalid field');
  t.match(entry, { level: 'warn', object: 'Service shop/bad' });
  await proxied.remove('aaa-invalid.yaml');
});

t.test('a slice that does not fit its Service is named until it does', async (t) => {
  const daemon = proxied.daemon('node1');
  const from = daemon.log.length;
  const at = await proxied.addService('shop/misfit', 44, { pods: ['b'] });
  const misnamed = PORTS.map((port) => ({ ...port, name: `${port.name}-x` }));
  await proxied.setEndpoints('shop/misfit', ['b'], misnamed);
  const entry = await daemon.waitForLog('object has an invalid field', from);
  await proxied.waitForSync();
  t.match(entry, { object: /^EndpointSlice shop\/misfit/, field: 'ports[0].name', service: 'shop/misfit' });
  for (const family of ['ip', 'ip6'] as const) {
    const target = family === 'ip' ? `${at.ip}:80/tcp` : `[${at.ip6}]:80/tcp`;
    const explained = await proxied.run('node1', 'explain', client[family], target);
    t.match(explained.stdout, /no EndpointSlice with endpoints has port "tcp"\/TCP/);
    t.match(
      explained.stdout,
      /EndpointSlice shop\/misfit\S*: ports\[0\]\.name "tcp-x": .*: Service shop\/misfit has spec\.ports\[\]\.name "tcp" with protocol TCP/,
    );
    t.match(await dial(client, { protocol: 'tcp', address: at[family], port: 80, count: 1 }), { refused: 1 });
  }
  const inspected = await proxied.run('node1', 'inspect', 'services', 'shop/misfit');
  t.match(inspected.stdout, /refused: no endpoints, because no EndpointSlice with endpoints has port "udp"\/UDP/);
  t.match(inspected.stdout, /^warning: EndpointSlice shop\/misfit/m);
  await proxied.setEndpoints('shop/misfit', ['b']);
  await proxied.waitForSync();
  for (const family of ['ip', 'ip6'] as const)
    t.match(await dial(client, { protocol: 'tcp', address: at[family], port: 80, count: 1 }), { answered: 1 });
  const fixed = await proxied.run('node1', 'inspect', 'services', 'shop/misfit');
  t.notMatch(fixed.stdout, /warning/);
  const messages = daemon.log.slice(from).filter(({ msg }) => msg === 'object has an invalid field');
  t.equal(
    new Set(messages.map((message) => JSON.stringify({ ...message, time: 0 }))).size,
    messages.length,
    'each once',
  );
});

t.test('a file with invalid YAML keeps its previous objects', async (t) => {
  const daemon = proxied.daemon('node1');
  const from = daemon.log.length;
  await proxied.write('shop-self.yaml', 'kind: [Service\n  nonsense');
  const isError = ({ level }: { level: string }) => level === 'error';
  while (!daemon.log.slice(from).some(isError)) await delay(20);
  const request = { protocol: 'tcp', address: SELF.ip, port: 80, count: 5 } as const;
  t.match(await dial(client, request), { answered: 5 });
  await proxied.addService('shop/self', 11, { pods: ['b'] });
  await proxied.waitForSync();
  t.match(await dial(client, request), { answered: 5, pods: { b: 5 } }, 'it takes effect once it is valid YAML again');
});

async function dial(from: Namespace, request: Parameters<Dialer['dial']>[0]): Promise<DialReport> {
  const dialer = dialers.get(from) ?? from.dialer();
  dialers.set(from, dialer);
  return (await dialer).dial(request);
}

/** Starts new connections from the client at this rate, over TCP and UDP. */
async function startFlows({ at, perSecond }: { at: Addresses; perSecond: number }): Promise<RunningDial[]> {
  const dialer = await client.dialer();
  const start = (protocol: Transport, address: string) => dialer.dialAtRate({ protocol, address, port: 80, perSecond });
  return Promise.all([start('tcp', at.ip), start('udp', at.ip6)]);
}

function stopAll(flows: readonly RunningDial[]): Promise<DialReport[]> {
  return Promise.all(flows.map((flow) => flow.stop()));
}

function noLoss({ attempts }: DialReport) {
  return { answered: attempts, refused: 0, timedOut: 0, errors: {} };
}

/** The number of new connections to the Service that the kernel of the first node counted. */
async function connections(): Promise<number> {
  const { stdout } = await proxied.run('node1', 'inspect', 'services', 'shop/web', '-o', 'json');
  const [service]: { ports: { endpoints: { connections: number }[] }[] }[] = JSON.parse(stdout).services;
  const endpoints = service?.ports.flatMap((port) => port.endpoints) ?? [];
  return endpoints.reduce((sum, endpoint) => sum + endpoint.connections, 0);
}
