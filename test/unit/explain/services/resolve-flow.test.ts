// Tests of src/explain/services/resolve-flow.ts and of the ruleset, which must do the same.

import t from 'tap';
import type { Destination } from '../../../../src/explain/flow/flow-outcome.ts';
import type { Packet } from '../../../../src/explain/flow/packet.ts';
import { resolveFlow } from '../../../../src/explain/services/resolve-flow.ts';
import { trace } from '../../../../src/explain/trace/trace.ts';
import { parseAddressPort } from '../../../../src/net/address-port.ts';
import type { Host } from '../../../../src/net/host.ts';
import { parsePrefix } from '../../../../src/net/prefix.ts';
import type { ProxyOptions } from '../../../../src/nftables/compile/node-view.ts';
import { toRoute } from '../../../support/builders/arbitrary-packets.ts';
import { engineOf } from '../../../support/builders/engine.ts';
import { node } from '../../../support/builders/node.ts';
import { rulesetOf, serviceTableOf } from '../../../support/builders/rulesets.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import { serviceCidr } from '../../../support/builders/service-cidr.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

const HOST: Host = {
  addresses: ['192.0.2.1', '10.1.0.254'],
  routes: [toRoute('10.1.0.1/32', 'pod-a'), toRoute('10.1.0.9/32', 'pod-b'), toRoute('0.0.0.0/0', 'lan')],
};
const PODS: Partial<ProxyOptions> = {
  detectLocal: { mode: 'ClusterCIDR', cidrs: [parsePrefix('10.1.0.0/16')].flatMap((prefix) => prefix ?? []) },
};

/** `shop/web` has a local endpoint, 10.1.0.1, and a remote one, 10.1.1.1; `shop/far` has only the remote one. */
const OBJECTS = [
  node('n1'),
  serviceCidr('kubernetes', { spec: { cidrs: ['10.96.0.0/16'] } }),
  service('shop/web', {
    spec: {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      externalIPs: ['198.51.100.7'],
      loadBalancerSourceRanges: ['203.0.113.0/24'],
      ports: [{ port: 80, protocol: 'TCP', nodePort: 30080 }],
    },
    status: { loadBalancer: { ingress: [{ ip: '198.51.100.8' }] } },
  }),
  slice('shop/web', {
    endpoints: [endpoint('10.1.0.1', { nodeName: 'n1' }), endpoint('10.1.1.1', { nodeName: 'n2' })],
  }),
  service('shop/far', {
    spec: {
      clusterIP: '10.96.0.2',
      clusterIPs: ['10.96.0.2'],
      internalTrafficPolicy: 'Local',
      externalIPs: ['198.51.100.9'],
    },
  }),
  slice('shop/far', { endpoints: [endpoint('10.1.1.1', { nodeName: 'n2' })] }),
  service('shop/none', { spec: { clusterIP: '10.96.0.3', clusterIPs: ['10.96.0.3'] } }),
];

const FROM = {
  pod: { source: '10.1.0.9', inInterface: 'pod-b' },
  itself: { source: '10.1.0.1', inInterface: 'pod-a' },
  'remote pod': { source: '10.1.1.9', inInterface: 'lan' },
  host: { source: '192.0.2.1', inInterface: undefined },
  client: { source: '203.0.113.5', inInterface: 'lan' },
  'other client': { source: '198.18.0.1', inInterface: 'lan' },
} as const;

const BOTH = ['10.1.0.1', '10.1.1.1'];
/** Masqueraded endpoints are marked with `*`. */
const BOTH_MASQUERADED = ['10.1.0.1*', '10.1.1.1*'];

const CASES: readonly [keyof typeof FROM, destination: string, outcome: string, endpoints?: readonly string[]][] = [
  ['pod', '10.96.0.1:80', 'forward', BOTH],
  ['itself', '10.96.0.1:80', 'forward', ['10.1.0.1*', '10.1.1.1']],
  ['remote pod', '10.96.0.1:80', 'forward', ['10.1.0.1', '10.1.1.1*']],
  ['host', '10.96.0.1:80', 'forward', BOTH_MASQUERADED],
  ['client', '10.96.0.1:80', 'forward', BOTH_MASQUERADED],
  ['pod', '10.96.0.1:81', 'refuse'],
  ['host', '10.96.0.1:81', 'refuse'],
  ['pod', '10.96.0.2:80', 'drop'],
  ['pod', '10.96.0.3:80', 'refuse'],
  ['pod', '10.96.9.9:80', 'drop'],
  ['pod', '198.51.100.7:80', 'forward', BOTH],
  ['host', '198.51.100.7:80', 'forward', BOTH_MASQUERADED],
  ['client', '198.51.100.7:80', 'forward', ['10.1.0.1']],
  ['client', '198.51.100.7:81', 'untouched'],
  ['client', '198.51.100.9:80', 'forward', ['10.1.1.1*']],
  ['client', '198.51.100.8:80', 'forward', ['10.1.0.1']],
  ['other client', '198.51.100.8:80', 'drop'],
  ['pod', '198.51.100.8:80', 'drop'],
  ['other client', '192.0.2.1:30080', 'forward', ['10.1.0.1']],
  ['other client', '10.1.0.254:30080', 'untouched'],
  ['host', '127.0.0.1:30080', 'untouched'],
  ['client', '192.0.2.1:30081', 'untouched'],
  // An address of another node.
  ['host', '192.0.2.2:30080', 'untouched'],
];

t.test('resolveFlow() returns the outcome and the endpoints', async (t) => {
  const table = serviceTableOf(engineOf(OBJECTS, PODS), HOST);
  for (const [from, target, outcome, endpoints = []] of CASES) {
    const { address: destination, port } = parseAddressPort(target, 0) ?? { address: '', port: 0 };
    const packet: Packet = {
      ...{ family: 'ip', protocol: 'tcp', sourcePort: 40_000, destination, destinationPort: port },
      ...FROM[from],
    };
    const resolved = resolveFlow(packet, table);
    const found = resolved.destinations.map(({ address, masquerade }) => `${address}${masquerade ? '*' : ''}`);
    t.strictSame([resolved.outcome, found], [outcome, endpoints], `${from} to ${target}: ${resolved.reason}`);
    t.ok(resolved.steps.length > 0, 'it gives reasons');
  }
});

t.test('resolveFlow() assigns a contested frontend to the older Service', async (t) => {
  const young = service('a/young', {
    metadata: { creationTimestamp: '2025-06-01T00:00:00Z' },
    spec: { clusterIP: '10.96.0.4', clusterIPs: ['10.96.0.4'], externalIPs: ['198.51.100.9'] },
  });
  const table = serviceTableOf(engineOf([...OBJECTS, young], PODS), HOST);
  const packet: Packet = {
    ...{ family: 'ip', protocol: 'tcp', sourcePort: 40_000, destination: '198.51.100.9', destinationPort: 80 },
    ...FROM.client,
  };
  t.equal(resolveFlow(packet, table).entry?.service.key, 'shop/far');
});

/** Resolves a packet of the client, and checks that the ruleset does the same. */
function fromClient(objects: readonly ApiObject[], destination: string, destinationPort: number) {
  const packet: Packet = {
    ...{ family: 'ip', protocol: 'tcp', sourcePort: 40_000, destination, destinationPort },
    ...FROM.client,
  };
  const engine = engineOf([...OBJECTS, ...objects], PODS);
  const resolved = resolveFlow(packet, serviceTableOf(engine, HOST));
  t.equal(trace(packet, rulesetOf(engine, 'ip'), HOST).outcome, resolved.outcome, 'the ruleset does the same');
  return resolved;
}

t.test(
  'resolveFlow() prefers a frontend with the exact address to a node port, even at an address of the node',
  async (t) => {
    const spec = { ...clusterIps('10.96.0.5'), externalIPs: ['192.0.2.1'], ports: [{ port: 30080 }] };
    const objects = [service('a/own', { spec }), slice('a/own', { endpoints: [endpoint('10.1.0.5')] })];
    const resolved = fromClient(objects, '192.0.2.1', 30080);
    t.match(resolved, {
      outcome: 'forward',
      entry: { service: { key: 'a/own' } },
      destinations: [{ address: '10.1.0.5' }],
    });
  },
);

t.test('resolveFlow() drops packets to the cluster IP of a Service of another proxy', async (t) => {
  const labels = { 'service.kubernetes.io/service-proxy-name': 'other' };
  const other = service('a/other', { metadata: { labels }, spec: clusterIps('10.96.0.6') });
  t.equal(fromClient([other], '10.96.0.6', 80).outcome, 'drop');
});

t.test('resolveFlow() drops clients outside the source ranges even without endpoints', async (t) => {
  const restricted = (ranges: readonly string[]) =>
    service('a/restricted', {
      spec: { ...clusterIps('10.96.0.7'), type: 'LoadBalancer', loadBalancerSourceRanges: ranges },
      status: { loadBalancer: { ingress: [{ ip: '198.51.100.20' }] } },
    });
  t.equal(fromClient([restricted(['198.18.0.0/16'])], '198.51.100.20', 80).outcome, 'drop');
  t.equal(fromClient([restricted(['203.0.113.0/24'])], '198.51.100.20', 80).outcome, 'refuse');
});

t.test('resolveFlow() leaves other addresses untouched while no ServiceCIDR is known', async (t) => {
  const known = engineOf(OBJECTS, PODS);
  const unknown = engineOf(
    OBJECTS.filter(({ kind }) => kind !== 'ServiceCIDR'),
    PODS,
  );
  const at = { destination: '10.96.9.9', destinationPort: 80, sourcePort: 40_000 };
  const packet: Packet = { family: 'ip', protocol: 'tcp', ...at, ...FROM.client };
  for (const [engine, outcome] of [
    [known, 'drop'],
    [unknown, 'untouched'],
  ] as const) {
    t.equal(resolveFlow(packet, serviceTableOf(engine, HOST)).outcome, outcome);
    t.equal(trace(packet, rulesetOf(engine, 'ip'), HOST).outcome, outcome);
  }
});

t.test('resolveFlow() treats no client as a pod while no pod CIDR is known', async (t) => {
  const engine = engineOf(OBJECTS);
  const table = serviceTableOf(engine, HOST);
  const cases: [keyof typeof FROM, destination: string, endpoints: readonly string[]][] = [
    ['host', '10.96.0.1', BOTH],
    ['client', '10.96.0.1', BOTH],
    ['itself', '10.96.0.1', ['10.1.0.1*', '10.1.1.1']],
    ['pod', '198.51.100.7', ['10.1.0.1']],
  ];
  for (const [from, destination, endpoints] of cases) {
    const at = { destination, destinationPort: 80, sourcePort: 40_000 };
    const packet: Packet = { family: 'ip', protocol: 'tcp', ...at, ...FROM[from] };
    const print = (destinations: readonly Destination[]) =>
      destinations.map(({ address, masquerade }) => `${address}${masquerade ? '*' : ''}`);
    t.strictSame(print(resolveFlow(packet, table).destinations), endpoints, `${from} to ${destination}`);
    t.strictSame(
      print(trace(packet, rulesetOf(engine, 'ip'), HOST).destinations),
      endpoints,
      'the ruleset does the same',
    );
  }
});

t.test(
  'resolveFlow() refuses nothing at a cluster IP that is also the address of an endpoint or of the node',
  async (t) => {
    const at = (address: string, ports = [80]) => ({ ...clusterIps(address), ports: ports.map((port) => ({ port })) });
    const engine = engineOf([
      ...OBJECTS,
      service('evil/pod', { spec: at('10.1.1.1') }),
      service('evil/node', { spec: at('192.0.2.1') }),
      service('evil/served', { spec: at('10.1.0.1') }),
      slice('evil/served', { endpoints: [endpoint('10.1.1.1')] }),
      // A slice does not say whether an address is virtual.
      slice('evil/virtual', { endpoints: [endpoint('10.96.0.3')] }),
    ]);
    const cases: readonly [destination: string, port: number, outcome: string, reason: RegExp][] = [
      [
        '10.1.1.1',
        8080,
        'untouched',
        /^cluster IP of Service evil\/pod, but also the address of an endpoint or of this node/,
      ],
      ['10.1.1.1', 80, 'untouched', /nothing is refused$/],
      ['192.0.2.1', 22, 'untouched', /nothing is refused$/],
      ['10.1.0.1', 80, 'forward', /^to the only endpoint$/],
      ['10.1.0.1', 81, 'untouched', /nothing is refused$/],
      ['10.96.0.3', 80, 'untouched', /nothing is refused$/],
      ['10.96.0.2', 81, 'refuse', /does not have this port$/],
    ];
    for (const [destination, destinationPort, outcome, reason] of cases) {
      const packet: Packet = {
        ...{ family: 'ip', protocol: 'tcp', source: '10.1.0.9', sourcePort: 40_000 },
        ...{ inInterface: 'pod-b', destination, destinationPort },
      };
      const resolved = resolveFlow(packet, serviceTableOf(engine, HOST));
      t.match(resolved, { outcome, reason }, `${destination}:${destinationPort}`);
      t.equal(
        trace(packet, rulesetOf(engine, 'ip'), HOST).outcome,
        outcome,
        `rules: ${destination}:${destinationPort}`,
      );
    }
  },
);

t.test('resolveFlow() names a Service of which nothing is served because it has no cluster IP', async (t) => {
  const spec = { clusterIP: undefined, clusterIPs: undefined, ipFamilies: ['IPv4'], ports: [{ port: 7071 }] };
  const nodePort = { type: 'NodePort', ports: [{ port: 7072, nodePort: 30072 }] };
  const engine = engineOf([
    service('shop/lost', { spec }),
    service('shop/served', { spec: { ...spec, ...nodePort } }),
    serviceCidr('kubernetes', { spec: { cidrs: ['10.97.0.0/16'] } }),
  ]);
  const lost = '; Service shop/lost has port 7071/tcp, but no IPv4 cluster IP: an API server would assign it';
  const cases: readonly [destination: string, port: number, reason: string][] = [
    ['10.98.0.1', 7071, `10.98.0.1 belongs to no Service${lost}`],
    ['10.97.0.1', 7071, `10.97.0.1 is in a ServiceCIDR, but belongs to no Service${lost}`],
    ['10.98.0.1', 7072, '10.98.0.1 belongs to no Service'],
    ['fd00::1', 7071, 'fd00::1 belongs to no Service'],
  ];
  for (const [destination, destinationPort, reason] of cases) {
    const family = destination.includes(':') ? 'ip6' : 'ip';
    const source = family === 'ip' ? '10.1.0.9' : 'fd00:1::9';
    const packet: Packet = {
      ...{ family, protocol: 'tcp', source, sourcePort: 40_000 },
      ...{ inInterface: 'pod-b', destination, destinationPort },
    };
    t.equal(resolveFlow(packet, serviceTableOf(engine, HOST)).reason, reason, `${destination}:${destinationPort}`);
  }
});
