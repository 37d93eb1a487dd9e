// Tests with real packets: objects that claim the addresses of others take nothing from them.

import { symlink, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import t from 'tap';
import { createProxiedWorld } from '../../support/netns/proxied-world.ts';
import { type Addresses, NODES } from '../../support/netns/topology.ts';
import { startResponder } from '../../support/netns/traffic/responder-process.ts';
import { poll } from '../../support/wait-until.ts';

const TARGET_PORT = 8080;

t.setTimeout(120_000);
const proxied = await createProxiedWorld(t);
const { world } = proxied;
const { client, node1 } = world;
const [shell, c] = [world.pod('shell'), world.pod('c')];
const [fromShell, fromNode, fromClient] = await Promise.all([shell.dialer(), node1.dialer(), client.dialer()]);
const web = await proxied.addService('shop/web', 10, { pods: ['a', 'c'] });
await proxied.waitForSync();

/** The warnings about an object in the log of node1, as `field: reason`. */
function warningsAbout(object: string): string[] {
  const warnings = proxied.daemon('node1').log.filter(({ level }) => level === 'warn');
  return warnings.filter((entry) => entry['object'] === object).map(({ field, reason }) => `${field}: ${reason}`);
}

t.test('a ServiceCIDR with pods, nodes or everything drops no flow between them', async (t) => {
  const cidrs = ['0.0.0.0/0', '::/0', '10.0.0.0/8', 'fd00:1::/48', '192.168.0.0/16', 'fd00:77::/48'];
  const manifest = { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'extra' } };
  await proxied.write('extra.json', JSON.stringify({ ...manifest, spec: { cidrs } }));
  await proxied.waitForSync();
  for (const family of ['ip', 'ip6'] as const) {
    for (const protocol of ['tcp', 'udp'] as const) {
      const request = { protocol, address: c[family], port: TARGET_PORT, count: 5 };
      for (const dialer of [fromShell, fromNode]) t.match(await dialer.dial(request), { answered: 5 });
    }
    const unused = family === 'ip' ? '172.30.200.1' : 'fd00:30::c8';
    const dropped = await fromShell.dial({ protocol: 'tcp', address: unused, port: 80, count: 2, timeoutMs: 150 });
    t.match(dropped, { timedOut: 2 }, 'unused addresses of the real ServiceCIDR are still dropped');
  }
  t.equal((await fromNode.dial({ protocol: 'tcp', address: NODES.node2.ip, port: 9, count: 2 })).refused, 2);
  t.equal(warningsAbout('ServiceCIDR extra').length, cidrs.length);
  const { stdout } = await proxied.run('node1', 'inspect', 'services');
  t.match(stdout, 'warning: ServiceCIDR extra: spec.cidrs "10.0.0.0/8": overlaps the pod CIDR 10.1.0.0/16');
  await proxied.remove('extra.json');
  await proxied.waitForSync();
});

/** Writes a dual-stack Service without endpoints, with one port over TCP and UDP. */
function writeEvil(name: string, { ip, ip6 }: Addresses, port: number): Promise<void> {
  const ports = ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), port, protocol }));
  const spec = { clusterIP: ip, clusterIPs: [ip, ip6], ipFamilies: ['IPv4', 'IPv6'], ports };
  const metadata = { namespace: 'evil', name };
  return proxied.write(`evil-${name}.json`, JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata, spec }));
}

/** The outcomes of connections over both protocols and families, three each: one outcome if all have the same. */
async function outcomesOf(dialer: typeof fromShell, { ip, ip6 }: Addresses, port: number): Promise<string[]> {
  const outcomes = new Set<string>();
  for (const address of [ip, ip6]) {
    for (const protocol of ['tcp', 'udp'] as const) {
      const { answered, refused } = await dialer.dial({ protocol, address, port, count: 3 });
      if (answered === 3) outcomes.add('answered');
      else outcomes.add(refused === 3 ? 'refused' : `${protocol} ${address}: ${answered} answered, ${refused} refused`);
    }
  }
  return [...outcomes];
}

t.test('a cluster IP that is the address of a pod or of the node takes nothing from them', async (t) => {
  const own = { name: 'own', ip: NODES.node1.ip, ip6: NODES.node1.ip6, tcp: [2223], udp: [2223] };
  await startResponder(node1, own);
  // The port to which clients of shop/web are sent, another one, and a port of the node.
  await writeEvil('pod', c, TARGET_PORT);
  await writeEvil('other', c, 9999);
  await writeEvil('node', own, 443);
  await proxied.waitForSync();
  t.strictSame(await outcomesOf(fromShell, c, TARGET_PORT), ['answered'], 'the pod itself');
  t.strictSame(await outcomesOf(fromNode, own, 2223), ['answered'], 'the node from itself');
  for (const address of [web.ip, web.ip6]) {
    for (const protocol of ['tcp', 'udp'] as const) {
      const { answered, pods } = await fromShell.dial({ protocol, address, port: 80, count: 40 });
      t.equal(answered, 40, `${protocol} ${address}`);
      t.ok((pods['c'] ?? 0) > 0, `${pods['c']} of 40 to pod c`);
    }
  }
  for (const name of ['pod', 'other']) {
    const warnings = warningsAbout(`Service evil/${name}`);
    t.match(warnings, Array(2).fill(/^spec\.clusterIPs: is an endpoint of EndpointSlice shop\/web-/));
  }
  const ofNode = 'spec.clusterIPs: is an address of Node node1';
  t.strictSame(warningsAbout('Service evil/node'), [ofNode, ofNode]);
  const { stdout } = await proxied.run('node1', 'inspect', 'services', 'evil/node');
  t.match(stdout, `"${own.ip}": is an address of Node node1; not refusing connections that it does not serve`);
  const doctor = await proxied.run('node1', 'doctor');
  t.match(doctor.stdout, `Service evil/node: spec.clusterIPs "${own.ip}": is an address of Node node1`);
  const metrics = await node1.output('curl', ['-s', '-m', '5', 'http://127.0.0.1:10249/metrics']);
  t.match(metrics, /^nftlane_objects_with_invalid_fields\{kind="Service"\} 3$/m);
  for (const port of [TARGET_PORT, 9998]) {
    const explained = await proxied.run('node1', 'explain', shell.ip, `${c.ip}:${port}`, '-o', 'json');
    t.match(JSON.parse(explained.stdout), {
      outcome: 'untouched',
      reason: /also the address of an endpoint or of this node: nothing is refused$/,
      differences: [],
    });
  }
  await proxied.setEndpoints('shop/web', ['a']);
  await proxied.waitForSync();
  t.strictSame(await outcomesOf(fromShell, c, TARGET_PORT), ['refused'], 'nothing else has the address any more');
  await proxied.setEndpoints('shop/web', ['a', 'c']);
  await proxied.waitForSync();
  t.strictSame(await outcomesOf(fromShell, c, TARGET_PORT), ['answered'], 'an endpoint again');
  await proxied.setEndpoints('shop/web', ['a']);
  for (const name of ['pod', 'other', 'node']) await proxied.remove(`evil-${name}.json`);
  await proxied.waitForSync();
  t.strictSame(await outcomesOf(fromShell, c, TARGET_PORT), ['answered'], 'no cluster IP any more');
  await proxied.setEndpoints('shop/web', ['a', 'c']);
  await proxied.waitForSync();
});

t.test('an endpoint on the loopback interface does not open it to the network', async (t) => {
  await proxied.restart('node1', '--nodeport-addresses', 'primary,localhost');
  const secret = { name: 'secret', ip: '127.0.0.1', ip6: '::1', tcp: [TARGET_PORT], udp: [TARGET_PORT] };
  await startResponder(node1, secret);
  const ports = [{ name: '', protocol: 'tcp', port: 80, targetPort: TARGET_PORT, nodePort: 30091 } as const];
  const at = await proxied.addService('evil/loopback', 20, { pods: [], ports });
  const metadata = { name: 'own', namespace: 'evil', labels: { 'kubernetes.io/service-name': 'loopback' } };
  const slice = {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', metadata },
    ports: [{ name: '', protocol: 'TCP', port: TARGET_PORT }],
    endpoints: [
      { addresses: ['127.0.0.1'], nodeName: 'node1' },
      { addresses: ['0.0.0.0'], nodeName: 'node1' },
    ],
  };
  await proxied.write('loopback.json', JSON.stringify(slice));
  await proxied.waitForSync();
  const own = await fromNode.dial({ protocol: 'tcp', address: '127.0.0.1', port: TARGET_PORT, count: 2 });
  t.strictSame(own.pods, { secret: 2 }, 'the server works');
  for (const [address, port] of [
    [NODES.node1.ip, 30091],
    [at.ip, 80],
  ] as const) {
    for (const dialer of [fromClient, fromShell]) {
      t.match(await dialer.dial({ protocol: 'tcp', address, port, count: 2 }), { answered: 0 }, `${address}:${port}`);
    }
  }
  t.strictSame(warningsAbout('EndpointSlice evil/own'), [
    'endpoints[0].addresses[0]: is a loopback address',
    'endpoints[1].addresses[0]: is an unspecified address',
  ]);
});

t.test('odd files neither block the others nor remove their objects', async (t) => {
  const daemon = proxied.daemon('node1');
  const directory = proxied.manifestDirectory;
  const keys = Array.from({ length: 20_000 }, (_, n) => `  k${n}: "${'v'.repeat(60)}"`).join('\n');
  const from = daemon.log.length;
  await proxied.write('50-huge.yaml', `apiVersion: v1\nkind: Service\nmetadata: {name: huge}\nspec:\n${keys}\n`);
  await node1.output('mkfifo', [`${directory}/51-pipe.yaml`]);
  await symlink('/dev/zero', `${directory}/52-zero.yaml`);
  await symlink('53-loop.yaml', `${directory}/53-loop.yaml`);
  await writeFile(`${directory}/54-text.yaml`, Buffer.from('kind: \u00e9\n', 'latin1'));
  const at = await proxied.addService('shop/late', 21, { pods: ['c'] });
  const startedAt = performance.now();
  await poll(() => fromShell.dial({ protocol: 'tcp', address: at.ip, port: 80, count: 1, timeoutMs: 200 }), {
    until: ({ answered }) => answered === 1,
    failure: () => 'the new Service is not reachable',
    timeoutMs: 10_000,
  });
  t.comment(`reachable after ${Math.round(performance.now() - startedAt)} ms`);
  const reported = () => {
    const errors = daemon.log.slice(from).filter(({ msg }) => msg === 'cannot read manifest; keeping its objects');
    return errors.map(({ file, reason }) => `${basename(`${file}`)}: ${reason}`);
  };
  await poll(async () => reported(), {
    until: (errors) => errors.length >= 4,
    failure: (errors) => errors.join('\n'),
    timeoutMs: 20_000,
  });
  t.match(reported().sort(), [
    '51-pipe.yaml: is a named pipe, not a regular file',
    '52-zero.yaml: is a device, not a regular file',
    '53-loop.yaml: too many symbolic links encountered',
    '54-text.yaml: is not UTF-8 text',
  ]);
  t.match(await fromShell.dial({ protocol: 'tcp', address: at.ip, port: 80, count: 3 }), { answered: 3 });
  for (const file of ['50-huge', '51-pipe', '52-zero', '53-loop', '54-text']) await proxied.remove(`${file}.yaml`);
});

t.test('node ports take neither the health port of the daemon nor unnoticed those of others', async (t) => {
  const from = proxied.daemon('node1').log.length;
  await startResponder(node1, { name: 'ssh', ip: NODES.node1.ip, ip6: NODES.node1.ip6, tcp: [2222] });
  const ports = [10256, 2222].map((nodePort, index) => ({
    ...{ name: `p${nodePort}`, protocol: 'tcp' as const, port: 80 + index, targetPort: TARGET_PORT, nodePort },
  }));
  await proxied.addService('evil/ports', 22, { pods: ['c'], ports });
  await proxied.waitForSync();
  const health = await client.output('curl', ['-s', '-m', '5', `http://${NODES.node1.ip}:10256/livez`]);
  t.match(health, '"healthy":true');
  t.strictSame((await fromClient.dial({ protocol: 'tcp', address: NODES.node1.ip, port: 2222, count: 2 })).pods, {
    c: 2,
  });
  const warnings = () =>
    proxied
      .daemon('node1')
      .log.slice(from)
      .filter((entry) => entry['object'] === 'Service evil/ports')
      .map(({ value, reason }) => `${value}: ${reason}`);
  await poll(async () => warnings(), {
    until: (all) => all.length >= 2,
    failure: (all) => all.join('\n'),
    timeoutMs: 20_000,
  });
  t.strictSame(warnings(), [
    '10256: is the health port of nftlane',
    '2222: a program of this node listens on port 2222/tcp',
  ]);
});

t.test('a node port does not take the health checks of another Service, whichever came first', async (t) => {
  const port = 31_844;
  const from = proxied.daemon('node1').log.length;
  const status = { loadBalancer: { ingress: [{ ip: '198.51.100.77' }, { ip: '2001:db8:7::77' }] } };
  const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: port };
  const addChecked = () => proxied.addService('shop/checked', 23, { pods: ['a'], overrides: { spec, status } });
  const addTaker = () =>
    proxied.addService('evil/taker', 24, {
      pods: ['c'],
      ports: [{ name: 'tcp', protocol: 'tcp', port: 80, targetPort: TARGET_PORT, nodePort: port }],
    });
  const answers = async () => {
    const urls = [NODES.node1.ip, `[${NODES.node1.ip6}]`].map((host) => `http://${host}:${port}/`);
    return Promise.all(urls.map((url) => client.output('curl', ['-sg', '-m', '5', url])));
  };
  for (const [first, second] of [
    [addChecked, addTaker],
    [addTaker, addChecked],
  ] as const) {
    await first();
    await proxied.waitForSync();
    await second();
    await proxied.waitForSync();
    t.match(await answers(), [/"name": "checked"/, /"name": "checked"/]);
    const reason = `is the health check node port of Service shop/checked; ignoring this node port`;
    const { stdout } = await proxied.run('node1', 'inspect', 'services', 'evil/taker');
    t.match(stdout, new RegExp(`spec\\.ports\\[\\]\\.nodePort ${port}: ${reason}`));
    t.match(stdout, /\*:31844 .* none: port of the health checks of Service shop\/checked/);
    t.match(
      (await proxied.run('node1', 'doctor')).stdout,
      `Service evil/taker: spec.ports[].nodePort ${port}: ${reason}`,
    );
    const explained = await proxied.run('node1', 'explain', client.ip, `${NODES.node1.ip}:${port}`, '-o', 'json');
    t.match(JSON.parse(explained.stdout), { outcome: 'untouched', differences: [] });
    for (const name of ['checked', 'taker'])
      for (const suffix of ['', '-endpoints'])
        await proxied.remove(`${name === 'taker' ? 'evil' : 'shop'}-${name}${suffix}.yaml`);
    await proxied.waitForSync();
  }
  const logged = proxied
    .daemon('node1')
    .log.slice(from)
    .filter(({ object }) => object === 'Service evil/taker');
  t.equal(logged.filter(({ level }) => level === 'warn').length, 2, 'once for each time');
  await addTaker();
  await proxied.waitForSync();
  t.strictSame((await fromClient.dial({ protocol: 'tcp', address: NODES.node1.ip, port, count: 2 })).pods, { c: 2 });
});
