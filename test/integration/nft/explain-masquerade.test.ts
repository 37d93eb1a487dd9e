// Tests that an endpoint sees the client address that `explain` promises, in text and JSON, with real packets.

import t, { type Test } from 'tap';
import type { ComparedExplanation } from '../../../src/explain/explanation.ts';
import { printExplanation } from '../../../src/explain/print-explanation.ts';
import { FAMILIES, type Family } from '../../../src/net/family.ts';
import { contradictions, readMasquerading } from '../../support/masquerade-sentences.ts';
import { dualStackService, dualStackSlices, serviceAddresses, writeManifest } from '../../support/netns/manifests.ts';
import { createProxiedWorld } from '../../support/netns/proxied-world.ts';
import { type Addresses, CLIENT, NODES, type NodeName } from '../../support/netns/topology.ts';
import type { Dialer } from '../../support/netns/traffic/dialer-process.ts';

const TARGET_PORT = 8080;
const LOOPBACK: Addresses = { ip: '127.0.0.1', ip6: '::1' };

const proxied = await createProxiedWorld(t);
const { world } = proxied;
await Promise.all((['node1', 'node2'] as const).map((node) => world[node].respond({ tcp: [TARGET_PORT] })));

interface TestService extends Addresses {
  readonly name: string;
  readonly nodePort: number;
}

/** Pods here and elsewhere, and programs in the host network of both nodes, each with a Service of its own. */
const ENDPOINTS: Readonly<Record<string, Addresses & { readonly nodeName: NodeName }>> = {
  a: { ip: world.pod('a').ip, ip6: world.pod('a').ip6, nodeName: 'node1' },
  c: { ip: world.pod('c').ip, ip6: world.pod('c').ip6, nodeName: 'node2' },
  node1: { ip: NODES.node1.ip, ip6: NODES.node1.ip6, nodeName: 'node1' },
  node2: { ip: NODES.node2.ip, ip6: NODES.node2.ip6, nodeName: 'node2' },
};

const SERVICES: readonly TestService[] = await Promise.all(
  (['Cluster', 'Local'] as const)
    .flatMap((policy) => Object.keys(ENDPOINTS).map((endpointName) => ({ policy, endpointName })))
    .filter(({ policy, endpointName }) => policy === 'Cluster' || ['a', 'c'].includes(endpointName))
    .map(async ({ policy, endpointName }, index) => {
      const name = `shop/${policy.toLowerCase()}-${endpointName}`;
      const at = serviceAddresses(20 + index);
      const nodePort = 30_120 + index;
      const ports = [{ name: 'tcp', protocol: 'tcp', port: 80, targetPort: TARGET_PORT, nodePort }] as const;
      const endpoint = ENDPOINTS[endpointName];
      if (endpoint === undefined) throw new Error(`no endpoint ${endpointName}`);
      const overrides = { spec: { type: 'NodePort', externalTrafficPolicy: policy } };
      const objects = [dualStackService(name, at, { ports, overrides }), ...dualStackSlices(name, ports, [endpoint])];
      await writeManifest(proxied.manifestDirectory, `${name.replace('/', '-')}.yaml`, objects);
      return { name, nodePort, ...at };
    }),
);

/** A client whose packets pass node1; pods of node2 do only at node ports. */
interface TestClient {
  readonly name: string;
  readonly namespace: { dialer(): Promise<Dialer> };
  readonly addresses: Addresses;
  readonly dials: readonly ('cluster IP' | 'node port' | 'loopback')[];
}

const CLIENTS: readonly TestClient[] = [
  {
    name: 'a pod here',
    namespace: world.pod('shell'),
    addresses: world.pod('shell'),
    dials: ['cluster IP', 'node port'],
  },
  { name: 'an endpoint itself', namespace: world.pod('a'), addresses: world.pod('a'), dials: ['cluster IP'] },
  { name: 'a pod elsewhere', namespace: world.pod('far'), addresses: world.pod('far'), dials: ['node port'] },
  { name: 'a client outside', namespace: world.client, addresses: CLIENT, dials: ['cluster IP', 'node port'] },
  { name: 'this node', namespace: world.node1, addresses: NODES.node1, dials: ['cluster IP', 'node port'] },
  { name: 'this node at loopback', namespace: world.node1, addresses: LOOPBACK, dials: ['loopback'] },
];

/** Compares all promises with packets; returns how many there were of each kind. */
async function comparePromises(t: Test, clients: readonly TestClient[]): Promise<Map<boolean, number>> {
  const promises = (await Promise.all(clients.map((client) => comparePromisesTo(t, client)))).flat();
  return new Map([true, false].map((kind) => [kind, promises.filter((promised) => promised === kind).length]));
}

async function comparePromisesTo(t: Test, { name, namespace, addresses, dials }: TestClient): Promise<boolean[]> {
  const promises: boolean[] = [];
  const dialer = await namespace.dialer();
  for (const [family, service, kind] of FAMILIES.flatMap((family) =>
    SERVICES.flatMap((service) => dials.map((kind) => [family, service, kind] as const)),
  )) {
    const [address, port] = target(service, { family, kind });
    const promised = await promise(addresses[family], `${family === 'ip' ? address : `[${address}]`}:${port}`);
    if (promised === undefined) continue;
    const { clients: seen } = await dialer.dial({ protocol: 'tcp', address, port, count: 1, timeoutMs: 5_000 });
    const expected = promised ? nodeAddresses(family) : [addresses[family]];
    if (seen.length !== 1 || !seen.every((address) => expected.includes(address)))
      t.fail(`${name} to the ${kind} of ${service.name}, ${family}: masqueraded ${promised}, seen ${seen}`);
    promises.push(promised);
  }
  return promises;
}

function target(
  { nodePort, ...at }: TestService,
  { family, kind }: { family: Family; kind: string },
): [string, number] {
  if (kind === 'cluster IP') return [at[family], 80];
  return [kind === 'loopback' ? LOOPBACK[family] : NODES.node1[family], nodePort];
}

function nodeAddresses(family: Family): string[] {
  return [NODES.node1[family], NODES.node1.gateway[family], LOOPBACK[family]];
}

/** What text and JSON say about masquerading, if the connection is forwarded. They must agree with each other, and with the rules. */
async function promise(source: string, destination: string): Promise<boolean | undefined> {
  const { stdout, stderr } = await proxied.run('node1', 'explain', source, destination, '-o', 'json');
  if (stdout === '') throw new Error(stderr);
  const explanation: ComparedExplanation = JSON.parse(stdout);
  const text = printExplanation(explanation);
  const [beforeRules = ''] = text.split('\nKernel ruleset');
  if (explanation.differences.length > 0) throw new Error(text);
  for (const lines of [explanation.steps, beforeRules.split('\n')]) {
    const found = contradictions(lines, explanation.kernel);
    if (found.length > 0) throw new Error(`${found.join('; ')}\n${text}`);
  }
  return explanation.outcome === 'forward' ? Object.values(readMasquerading(explanation.steps))[0] : undefined;
}

await proxied.waitForSync();

t.test('endpoints see the address that explain promises', async (t) => {
  const daemon = await proxied.restart('node1', '--nodeport-addresses', 'primary,localhost');
  await daemon.waitForLog('ruleset complete');
  const counts = await comparePromises(t, CLIENTS);
  t.comment(JSON.stringify([...counts]));
  t.ok((counts.get(true) ?? 0) > 20 && (counts.get(false) ?? 0) > 20, 'both kinds occur');
});

t.test('endpoints see the address that explain promises with masqueradeAll', async (t) => {
  const daemon = await proxied.restart('node1', '--masquerade-all');
  await daemon.waitForLog('ruleset complete');
  const counts = await comparePromises(t, [{ ...CLIENTS[0], dials: ['cluster IP'] } as TestClient]);
  t.ok((counts.get(true) ?? 0) > 0 && (counts.get(false) ?? 0) > 0, JSON.stringify([...counts]));
});
