// What clients meet is the same with the fast path and without: who answers, what it sees of the client, who is refused.
import t from 'tap';
import type { ApiObject } from '../given/merge.ts';
import { clusterIps, service } from '../given/service.ts';
import { endpoint, slice } from '../given/slice.ts';
import { serviceAddresses } from '../netns/manifests.ts';
import { type Addresses, CLIENT, NODES } from '../netns/topology.ts';
import type { Report } from '../netns/traffic.ts';
import { createFastWorld, NODE_PORT, TARGET_PORT } from './fast-world.ts';

t.setTimeout(110_000);
const fast = await createFastWorld('c', 'far');
t.teardown(() => fast.close());
const { world } = fast;
const [a, b, c] = ['a', 'b', 'c'].map((name) => world.pod(name));
if (a === undefined || b === undefined || c === undefined) throw new Error('There are no pods');
await Promise.all([a, b, c].map((pod) => pod.respond({ tcp: [TARGET_PORT], udp: [TARGET_PORT] })));

const DRAINING = { conditions: { ready: false, serving: true, terminating: true } };
const at = (pod: Addresses, nodeName: string, rest: ApiObject = {}) => ({ pod, node: nodeName, rest });

interface State {
  readonly words: string;
  readonly endpoints: readonly ReturnType<typeof at>[];
  readonly spec?: ApiObject;
  /** Frontends that the programs serve. */
  readonly served: number;
}

/** Each has a node port, an external address and a load balancer address; in two families, and by TCP and UDP. */
const STATES: readonly State[] = [
  { words: 'endpoints here and elsewhere', endpoints: [at(a, 'node1'), at(b, 'node1'), at(c, 'node2')], served: 12 },
  { words: 'endpoints elsewhere only', endpoints: [at(c, 'node2')], served: 0 },
  { words: 'a terminating one here', endpoints: [at(a, 'node1', DRAINING), at(c, 'node2')], served: 0 },
  { words: 'none at all', endpoints: [], served: 0 },
  { words: 'affinity', endpoints: [at(a, 'node1')], spec: { sessionAffinity: 'ClientIP' }, served: 0 },
  {
    words: 'source ranges without the client',
    endpoints: [at(b, 'node1')],
    spec: { loadBalancerSourceRanges: ['203.0.113.0/24', '2001:db8::/64'] },
    served: 8,
  },
  {
    words: 'source ranges with the client',
    endpoints: [at(b, 'node1'), at(c, 'node2')],
    spec: { loadBalancerSourceRanges: [`${CLIENT.ip}/32`, `${CLIENT.ip6}/128`] },
    served: 8,
  },
  {
    words: 'the Cluster policy',
    endpoints: [at(a, 'node1'), at(c, 'node2')],
    spec: { externalTrafficPolicy: 'Cluster' },
    served: 0,
  },
];

const external = (n: number): Addresses => ({ ip: `198.51.100.${n + 1}`, ip6: `2001:db8:7::${n + 1}` });
const balanced = (n: number): Addresses => ({ ip: `198.51.100.${n + 101}`, ip6: `2001:db8:7::${n + 101}` });

function objectsOf({ endpoints, spec = {} }: State, n: number): ApiObject[] {
  const name = `shop/s${n}`;
  const addresses = serviceAddresses(n + 1);
  const ports = ['TCP', 'UDP'].map((protocol) => ({
    ...{ name: protocol.toLowerCase(), protocol, port: 80, targetPort: TARGET_PORT, nodePort: NODE_PORT + n },
  }));
  const [out, vip] = [external(n), balanced(n)];
  const object = service(name, {
    spec: {
      ...{ type: 'LoadBalancer', externalTrafficPolicy: 'Local', ports, externalIPs: [out.ip, out.ip6] },
      ...clusterIps(addresses.ip, addresses.ip6),
      ...spec,
    },
    status: { loadBalancer: { ingress: [{ ip: vip.ip }, { ip: vip.ip6 }] } },
  });
  const slices = (['ip', 'ip6'] as const).map((family) =>
    slice(name, {
      metadata: { name: `s${n}-${family}` },
      addressType: family === 'ip' ? 'IPv4' : 'IPv6',
      ports: ports.map(({ name, protocol }) => ({ name, protocol, port: TARGET_PORT })),
      endpoints: endpoints.map(({ pod, node, rest }) => endpoint(pod[family], { nodeName: node, ...rest })),
    }),
  );
  return [object, ...slices];
}

for (const [n, state] of STATES.entries()) await fast.write(`s${n}.yaml`, objectsOf(state, n));

/** A client outside, another node, and a pod of it: its packets come in by the uplink, too, and may use every endpoint. */
const dialers = {
  client: await world.client.dialer(),
  node2: await world.node2.dialer(),
  far: await world.pod('far').dialer(),
};

const CELLS = STATES.flatMap(({ words }, n) =>
  (['client', 'node2', 'far'] as const).flatMap((from) =>
    (['tcp', 'udp'] as const).flatMap((protocol) =>
      (['ip', 'ip6'] as const).flatMap((family) =>
        [
          { to: 'node port', address: NODES.node1[family], port: NODE_PORT + n },
          { to: 'external address', address: external(n)[family], port: 80 },
          { to: 'load balancer address', address: balanced(n)[family], port: 80 },
        ].map(({ to, ...target }) => ({
          cell: `${words}: ${from} to ${to}, ${protocol}, ${family}`,
          from,
          protocol,
          ...target,
        })),
      ),
    ),
  ),
);

/** What a client met, without what is left to chance. */
function metBy({ attempts, answered, refused, timedOut, pods, errors, clients }: Report): string {
  const share = (count: number): string => (count === 0 ? 'none' : count === attempts ? 'all' : 'some');
  const who = Object.keys(pods).sort().join('+');
  return `answered ${share(answered)} by ${who}, refused ${share(refused)}, lost ${share(timedOut)}, seen ${clients}, ${Object.keys(errors)}`;
}

/** Every cell, a few at a time. */
async function meetAll(): Promise<Map<string, string>> {
  const met = new Map<string, string>();
  const waiting = CELLS.values();
  const work = async (): Promise<void> => {
    for (const { cell, from, ...target } of waiting) {
      const dial = (timeoutMs: number) =>
        dialers[from].dial({ ...target, count: 14, timeoutMs, concurrency: 14 }).then(metBy);
      const first = await dial(700);
      // On a busy machine an answer can be late: who lost some of them, and not all, has more time.
      met.set(cell, first.includes('lost some') ? await dial(5000) : first);
    }
  };
  await Promise.all(Array.from({ length: 10 }, work));
  return met;
}

t.test('every cell of the Local policies is the same with the fast path as without', async (t) => {
  await fast.startDaemon('--fast-path', 'off');
  const without = await meetAll();
  await fast.daemon.stop();
  await fast.startDaemon('--fast-path', 'required');
  const served = STATES.reduce((sum, state) => sum + state.served, 0);
  await fast.until(`${served} frontends are served`, ({ frontends }) => frontends.length === served);
  const before = await fast.count('CREATED', 'REMAPPED', 'RECYCLED');
  const withIt = await meetAll();
  const created = (await fast.count('CREATED', 'REMAPPED', 'RECYCLED')) - before;
  for (const [cell, met] of without) t.equal(withIt.get(cell), met, cell);
  t.equal(without.size, CELLS.length);
  t.ok(created > 500, `${created} flows took the fast path`);
  t.ok([...without.values()].filter((met) => met.startsWith('answered all')).length > 50);
});
