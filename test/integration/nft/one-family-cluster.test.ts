// Tests of clusters with one address family, on nodes whose kernel supports both, as most do. Everything is as by default.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Check } from '../../../src/doctor/check.ts';
import { printAddressPort } from '../../../src/net/address-port.ts';
import { FAMILIES, FAMILY_TRAITS, type Family } from '../../../src/net/family.ts';
import { startProgram } from '../../bench/system/program.ts';
import { node } from '../../support/builders/node.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { serviceCidr } from '../../support/builders/service-cidr.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import { buildProgram, installBundle, startDaemon } from '../../support/netns/installation.ts';
import { serviceAddresses } from '../../support/netns/manifests.ts';
import { NODES, POD_CIDRS, SERVICE_CIDRS } from '../../support/netns/topology.ts';
import { getHealth } from '../../support/netns/traffic/health-client.ts';
import { createWorld, type World } from '../../support/netns/world.ts';

const NODE_PORT = 30_080;
const CHECK_PORT = 31_999;
const TARGET_PORT = 8080;
const PODS = ['a', 'b', 'c'];

t.setTimeout(120_000);
const scratch = await mkdtemp(join(tmpdir(), 'nftlane-one-family-'));
t.teardown(() => rm(scratch, { recursive: true, force: true }));
const program = await buildProgram(join(scratch, 'nftlane.mjs'));

/** Removes the other family's addresses from all interfaces but loopback, and its settings from the node. */
async function keepOnly(family: Family, world: World): Promise<void> {
  const version = family === 'ip' ? '-6' : '-4';
  const commands = `for device in $(ls /sys/class/net); do [ $device = lo ] || ip ${version} address flush dev $device; done`;
  await Promise.all(world.namespaces.map((namespace) => namespace.output('sh', ['-c', commands])));
  await world.node1.sysctl({ [family === 'ip' ? 'net.ipv6.conf.all.forwarding' : 'net.ipv4.ip_forward']: 0 });
}

function objectsOf(family: Family, world: World): ApiObject[] {
  const protocols = ['TCP', 'UDP'];
  const ports = protocols.map((protocol) => ({
    name: protocol.toLowerCase(),
    protocol,
    port: 80,
    nodePort: NODE_PORT,
  }));
  const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: CHECK_PORT };
  const endpoints = PODS.map((pod) => endpoint(world.pod(pod)[family], { nodeName: world.nodeOf(pod) }));
  return [
    node('node1', { status: { addresses: [{ type: 'InternalIP', address: NODES.node1[family] }] } }),
    serviceCidr('kubernetes', { spec: { cidrs: [SERVICE_CIDRS[family]] } }),
    service('shop/web', { spec: { ...clusterIps(serviceAddresses(10)[family]), ...local, ports } }),
    slice('shop/web', {
      addressType: FAMILY_TRAITS[family].label,
      ports: protocols.map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: TARGET_PORT })),
      endpoints,
    }),
  ];
}

for (const family of FAMILIES) {
  t.test(`a cluster with ${FAMILY_TRAITS[family].label} only`, async (t) => {
    const world = await createWorld({ pods: { node1: ['a', 'b', 'shell'], node2: ['c'] } });
    t.teardown(() => world.destroy());
    const { node1, client } = world;
    const address = NODES.node1[family];
    await Promise.all(PODS.map((pod) => world.pod(pod).respond({ tcp: [TARGET_PORT], udp: [TARGET_PORT] })));
    await keepOnly(family, world);
    const kubeconfig = join(scratch, `kubeconfig-${family}`);
    const apiFlags = ['--listen', client[family], '--kubeconfig-out', kubeconfig];
    const api = await startProgram(client, 'support/api-server/main.ts', apiFlags);
    t.teardown(() => api.stop());
    for (const object of objectsOf(family, world)) await api.request(`put ${JSON.stringify(object)}`);
    const nftlane = installBundle(node1, { program, runDir: join(scratch, `run-${family}`) });
    const flags = ['--kubeconfig', kubeconfig, '--node-name', 'node1', '--cluster-cidr', POD_CIDRS[family]];
    const daemon = startDaemon(nftlane, [...flags, '--log-format', 'json', '--table-ownership', 'auto']);
    t.teardown(() => daemon.stop());
    await daemon.waitUntilReady();

    const [fromPod, fromClient] = await Promise.all([world.pod('shell').dialer(), client.dialer()]);
    for (const protocol of ['tcp', 'udp'] as const) {
      const clusterIp = serviceAddresses(10)[family];
      const toClusterIp = await fromPod.dial({ protocol, address: clusterIp, port: 80, count: 40 });
      t.match(toClusterIp, { answered: 40, pods: { a: /\d/, b: /\d/, c: /\d/ } }, `${protocol} cluster IP`);
      const toNodePort = await fromClient.dial({ protocol, address, port: NODE_PORT, count: 20 });
      t.match(toNodePort, { answered: 20, clients: [client[family]] }, `${protocol} node port`);
      t.notOk('c' in toNodePort.pods, `${protocol} node port: only endpoints on the node`);
    }
    t.match(await getHealth(client, address, 10_256, '/healthz'), { status: 200 }, 'health of the node');
    t.match(await getHealth(client, address, CHECK_PORT), { status: 200, body: { localEndpoints: 2 } });
    const { checks }: { checks: Check[] } = JSON.parse((await nftlane.exec(['doctor', '-o', 'json'])).stdout);
    // Only the initial network namespace can change nf_conntrack_max.
    const complaints = checks.filter(({ name, status }) => status !== 'ok' && name !== 'conntrack settings');
    t.strictSame(complaints, [], 'doctor demands nothing of the other family');
    const mtu = checks.find(({ name }) => name === 'MTU');
    t.match(mtu, { message: 'no interface exceeds the MTU of lan, 1500' }, 'doctor finds the uplink');
    const destination = printAddressPort({ address, port: NODE_PORT });
    const explained = await nftlane.exec(['explain', client[family], destination, '-o', 'json']);
    t.match(explained, { status: 0, stdout: /"outcome": *"forward"/ });
    t.match(await nftlane.exec(['diff']), { status: 0 });
    t.strictSame(
      daemon.log.filter(({ level }) => level !== 'info'),
      [],
    );
    t.equal(await daemon.stop(), 0);
    t.match(await nftlane.exec(['cleanup']), { status: 0, stdout: /removed nftables table ip6 nftlane\n/ });
  });
}
