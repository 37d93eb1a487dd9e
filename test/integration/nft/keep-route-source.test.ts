// Tests of keepRouteSource: processes of a node keep the source that the route prefers, on a link without addresses.

import t from 'tap';
import { stringify } from 'yaml';
import { FAMILIES, type Family } from '../../../src/net/family.ts';
import { loadFactor } from '../../support/load-factor.ts';
import { createProxiedWorld } from '../../support/netns/proxied-world.ts';
import { CLIENT, NODES } from '../../support/netns/topology.ts';
import { poll } from '../../support/wait-until.ts';

/** An endpoint behind the link. */
const FAR: Readonly<Record<Family, string>> = { ip: '10.9.0.1', ip6: '2001:db8:9::1' };
/** Addresses of a load balancer on the node, to which the endpoint has no route. */
const VIP: Readonly<Record<Family, string>> = { ip: '198.51.100.99', ip6: '2001:db8:99::1' };
const MAC = '02:00:00:00:45:01';
const SEEN_LIMIT_MS = 20_000 * loadFactor();

t.setTimeout(120_000);
const proxied = await createProxiedWorld(t);
const { world } = proxied;
const { client, node1 } = world;
await node1.configure([
  `link add x0 type veth peer name x1 address ${MAC} netns ${client.name}`,
  'link set x0 up',
  ...FAMILIES.map((family) => `addr add ${VIP[family]}/${family === 'ip' ? 32 : '128 nodad'} dev lo`),
]);
await client.configure([
  // A link without an IPv4 address would accept no packet whose reply takes another link (rp_filter).
  'link set x1 up',
  'addr add 198.18.0.3/32 dev x1',
  ...FAMILIES.map((family) => `addr add ${FAR[family]}/${family === 'ip' ? 32 : '128 nodad'} dev lo`),
  ...FAMILIES.map((family) => `route add blackhole ${VIP[family]}`),
]);
const routes = (link: string) =>
  FAMILIES.map((family) => `route replace ${FAR[family]} dev ${link} src ${NODES.node1[family]}`);
await node1.configure([...routes('x0'), ...FAMILIES.map((family) => `neigh add ${FAR[family]} lladdr ${MAC} dev x0`)]);
await Promise.all([client.respond({ tcp: [8080], udp: [] })]);
const service = await proxied.addService('shop/far', 45, { pods: [] });
const local = await proxied.addService('shop/near', 46, { pods: ['a'] });
const slices = FAMILIES.map((family) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { namespace: 'shop', name: `far-${family}`, labels: { 'kubernetes.io/service-name': 'far' } },
  addressType: family === 'ip' ? 'IPv4' : 'IPv6',
  ports: [{ name: 'tcp', protocol: 'TCP', port: 8080 }],
  endpoints: [{ addresses: [FAR[family]], nodeName: 'node2' }],
}));
await proxied.write('shop-far-endpoints.yaml', slices.map((slice) => stringify(slice)).join('---\n'));
await proxied.waitForSync();
const [fromNode, fromPod, fromClient, fromEndpoint] = await Promise.all(
  [node1, world.pod('shell'), client, world.pod('a')].map((namespace) => namespace.dialer()),
);

/** The addresses that endpoints see, by client. */
async function seen(family: Family): Promise<Record<string, string>> {
  const to = (address: string) => ({ protocol: 'tcp', address, port: 80, count: 2, timeoutMs: 500 }) as const;
  const reports = {
    'pod to far': await fromPod?.dial(to(service[family])),
    'node to near': await fromNode?.dial(to(local[family])),
    'client to near': await fromClient?.dial({ ...to(local[family]), sourceAddress: CLIENT[family] }),
    'endpoint to itself': await fromEndpoint?.dial(to(local[family])),
  };
  return Object.fromEntries(
    Object.entries(reports).map(([name, report]) => [name, `${report?.answered} ${report?.clients.join()}`]),
  );
}

const dialFar = (family: Family) =>
  fromNode?.dial({ protocol: 'tcp', address: service[family], port: 80, count: 2, timeoutMs: 500 });

async function explained(family: Family): Promise<{ masquerade: boolean; differences: string[] }> {
  const target = family === 'ip' ? `${service.ip}:80` : `[${service.ip6}]:80`;
  const { stdout } = await proxied.run('node1', 'explain', NODES.node1[family], target, '--from-host', '-o', 'json');
  const { endpoints, differences } = JSON.parse(stdout);
  return { masquerade: endpoints[0].masquerade, differences };
}

t.test(
  'a process of the node reaches an endpoint behind a link without addresses, with the source of its route',
  async (t) => {
    const before = Object.fromEntries(await Promise.all(FAMILIES.map(async (family) => [family, await seen(family)])));
    for (const family of FAMILIES) {
      t.match(before[family]['pod to far'], /^2 /, 'the link works');
      t.match(await dialFar(family), { answered: 0 }, `${family}: masqueraded as the address of a load balancer`);
      t.match(await explained(family), { masquerade: true, differences: [] });
    }
    await proxied.restart('node1', '--keep-route-source');
    await proxied.waitForSync();
    for (const family of FAMILIES) {
      t.match(await dialFar(family), { answered: 2, clients: [NODES.node1[family]] }, family);
      t.match(await explained(family), { masquerade: false, differences: [] });
      t.strictSame(await seen(family), before[family], `${family}: nothing else changes`);
    }
  },
);

t.test('changed routes are followed', async (t) => {
  await node1.configure(FAMILIES.map((family) => `route replace ${FAR[family]} dev x0 src ${VIP[family]}`));
  const rules = async () => node1.output('nft', ['list', 'ruleset']);
  await poll(rules, {
    until: (text) => !text.includes(`saddr ${NODES.node1.ip} `) && text.includes(`saddr ${VIP.ip} `),
    failure: () => 'the rules do not follow the routes',
    timeoutMs: SEEN_LIMIT_MS,
  });
  await node1.configure(routes('x0'));
  await poll(rules, {
    until: (text) => FAMILIES.every((family) => text.includes(`saddr ${NODES.node1[family]} `)),
    failure: () => 'the rules do not follow the routes back',
    timeoutMs: SEEN_LIMIT_MS,
  });
  for (const family of FAMILIES) t.match(await dialFar(family), { answered: 2, clients: [NODES.node1[family]] });
});
