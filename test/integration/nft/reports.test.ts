// Problems that users of other proxies have reported, tried with packets. docs/REPORTS.md lists the reports.

import { once } from 'node:events';
import t from 'tap';
import { FAMILIES } from '../../../src/net/family.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { createProxiedWorld, PORTS } from '../../support/netns/proxied-world.ts';
import { type Addresses, CLIENT, NODES } from '../../support/netns/topology.ts';

const VIP: Addresses = { ip: '198.51.100.11', ip6: '2001:db8:7::11' };
/** The payload of a transfer: some hundred segments. */
const SIZE = 300_000;

t.setTimeout(120_000);
const proxied = await createProxiedWorld(t);
const { world } = proxied;
const { client, node1 } = world;
const [fromClient, fromNode] = await Promise.all([client.dialer(), node1.dialer()]);

const withNodePort = (nodePort: number) => PORTS.map((port) => ({ ...port, nodePort }));

/** Answers each connection with the number of bytes that it has received. */
const SINK = `require('net').createServer({ allowHalfOpen: true }, (socket) => {
  let size = 0;
  socket.on('data', (data) => (size += data.length)).on('end', () => socket.end(String(size))).on('error', () => {});
}).listen(Number(process.argv[1]), '::', () => console.log('listening'))`;
const SEND = `const socket = require('net').connect(Number(process.argv[2]), process.argv[1]);
socket.end(Buffer.alloc(Number(process.argv[3])));
socket.on('data', (data) => process.stdout.write(data)).on('error', (error) => process.stdout.write(error.code));
setTimeout(() => process.exit(), 8000).unref()`;

async function startSink(pod: Namespace, port: number): Promise<void> {
  const child = pod.spawn(process.execPath, ['-e', SINK, String(port)]);
  await once(child.stdout, 'data');
}

t.test('a client learns the path MTU to an endpoint behind a smaller link', async (t) => {
  const at = await proxied.addService('shop/mtu', 30, {
    pods: ['b'],
    ports: [{ name: 'tcp', protocol: 'tcp', port: 90, targetPort: 9090, nodePort: 30090 }],
    overrides: { spec: { type: 'NodePort', externalTrafficPolicy: 'Local' } },
  });
  await startSink(world.pod('b'), 9090);
  await proxied.waitForSync();
  // Only this end: the pod still announces segments of 1460 bytes.
  await node1.configure(['link set pod-b mtu 1300']);
  for (const family of FAMILIES) {
    for (const [address, port] of [
      [at[family], 90],
      [NODES.node1[family], 30_090],
    ] as const) {
      const { stdout } = await client.exec(process.execPath, ['-e', SEND, address, String(port), String(SIZE)]);
      t.equal(stdout, String(SIZE), `${address} port ${port}`);
    }
  }
  await node1.configure(['link set pod-b mtu 1500']);
});

t.test('an external IP that is the address of the node takes the ports of the Service only', async (t) => {
  const overrides = { spec: { externalIPs: [NODES.node1.ip, NODES.node1.ip6] } };
  await node1.respond({ tcp: [8181] });
  await proxied.addService('shop/own', 31, { pods: ['a', 'c'], overrides });
  await proxied.waitForSync();
  for (const family of FAMILIES) {
    const address = NODES.node1[family];
    const service = await fromClient.dial({ protocol: 'tcp', address, port: 80, count: 20 });
    t.strictSame([service.answered, Object.keys(service.pods).sort()], [20, ['a', 'c']], family);
    t.match(await fromClient.dial({ protocol: 'tcp', address, port: 8181, count: 2 }), {
      answered: 2,
      pods: { node1: 2 },
    });
  }
});

t.test('a connection of the node from a port that is also a node port works', async (t) => {
  await client.respond({ tcp: [9000] });
  await proxied.addService('shop/port', 32, {
    pods: ['a'],
    ports: withNodePort(30_032),
    overrides: { spec: { type: 'NodePort' } },
  });
  await proxied.waitForSync();
  for (const family of FAMILIES) {
    const target = { protocol: 'tcp', address: CLIENT[family], port: 9000, sourcePort: 30_032 } as const;
    t.match(await fromNode.dial({ ...target, count: 1 }), { answered: 1, pods: { client: 1 } }, family);
  }
});

t.test('Services that exchange node ports and cluster IPs in one change exchange their clients', async (t) => {
  const add = (name: string, n: number, { pod, nodePort }: { pod: string; nodePort: number }) =>
    proxied.addService(name, n, {
      pods: [pod],
      ports: withNodePort(nodePort),
      overrides: { spec: { type: 'NodePort' } },
    });
  const [first, second] = [
    await add('shop/left', 33, { pod: 'a', nodePort: 30_033 }),
    await add('shop/right', 34, { pod: 'b', nodePort: 30_034 }),
  ];
  const answering = async (address: string, port: number) =>
    Object.keys((await fromClient.dial({ protocol: 'tcp', address, port, count: 4 })).pods).join();
  const everywhere = () =>
    Promise.all(
      FAMILIES.flatMap((family) => [
        ...[answering(first[family], 80), answering(NODES.node1[family], 30_033)],
        ...[answering(second[family], 80), answering(NODES.node1[family], 30_034)],
      ]),
    );
  await proxied.waitForSync();
  t.strictSame(await everywhere(), ['a', 'a', 'b', 'b', 'a', 'a', 'b', 'b']);
  await Promise.all([
    add('shop/left', 34, { pod: 'a', nodePort: 30_034 }),
    add('shop/right', 33, { pod: 'b', nodePort: 30_033 }),
  ]);
  await proxied.waitForSync();
  t.strictSame(await everywhere(), ['b', 'b', 'a', 'a', 'b', 'b', 'a', 'a']);
});

t.test('a client with affinity leaves an endpoint that drains', async (t) => {
  const overrides = {
    spec: { sessionAffinity: 'ClientIP', type: 'LoadBalancer', externalTrafficPolicy: 'Local' },
    status: { loadBalancer: { ingress: [{ ip: VIP.ip }, { ip: VIP.ip6 }] } },
  };
  const at = await proxied.addService('shop/sticky', 35, { pods: ['a', 'b'], overrides });
  await proxied.waitForSync();
  for (const family of FAMILIES) {
    for (const address of [at[family], VIP[family]]) {
      const dial = async () =>
        Object.keys((await fromClient.dial({ protocol: 'tcp', address, port: 80, count: 6 })).pods).join();
      const chosen = await dial();
      t.ok(['a', 'b'].includes(chosen), `${address}: one endpoint`);
      const other = chosen === 'a' ? 'b' : 'a';
      await proxied.setDraining('shop/sticky', [other], [chosen]);
      await proxied.waitForSync();
      t.equal(await dial(), other, `${address}: the endpoint that is ready`);
      await proxied.setEndpoints('shop/sticky', ['a', 'b']);
      await proxied.waitForSync();
    }
  }
});

t.test('a port of a load balancer address that no Service has is routed as without a proxy', async (t) => {
  for (const family of FAMILIES) {
    const address = VIP[family];
    t.match(await fromClient.dial({ protocol: 'tcp', address, port: 80, count: 2 }), { answered: 2 });
    // The client's route goes to the node, whose default route goes to the client: the hop limit ends it.
    const unused = await fromClient.dial({ protocol: 'tcp', address, port: 81, count: 1, timeoutMs: 500 });
    t.match(unused, { answered: 0, refused: 0 }, `${family}: ${JSON.stringify(unused)}`);
    const target = family === 'ip' ? `${address}:81` : `[${address}]:81`;
    t.match((await proxied.run('node1', 'explain', client[family], target)).stdout, /^UNTOUCHED/m);
  }
});

t.test('a Service of more than a thousand endpoints in many slices has them all', async (t) => {
  await proxied.addService('shop/many', 36, { pods: [] });
  await proxied.remove('shop-many-endpoints.yaml');
  const slices = Array.from({ length: 12 }, (_, slice) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: 'shop', name: `many-${slice}`, labels: { 'kubernetes.io/service-name': 'many' } },
    addressType: 'IPv4',
    ports: [{ name: 'tcp', protocol: 'TCP', port: 8080 }],
    endpoints: Array.from({ length: 100 }, (_, n) => ({
      addresses: [`10.1.${100 + slice}.${n + 1}`],
      nodeName: 'node2',
    })),
  }));
  await proxied.write('many.json', JSON.stringify({ apiVersion: 'v1', kind: 'List', items: slices }));
  await proxied.waitForSync();
  const { stdout } = await proxied.run('node1', 'inspect', 'services', 'shop/many', '-o', 'json');
  const [{ ports }] = JSON.parse(stdout).services;
  const endpoints = ports.flatMap((port: { endpoints: { used: boolean }[] }) => port.endpoints);
  t.equal(endpoints.filter(({ used }: { used: boolean }) => used).length, 1200);
  await proxied.remove('many.json');
});
