// Random histories of a small cluster, with few names, addresses and ports, so that Services conflict and share endpoints.

import fc from 'fast-check';
import type { Sink } from '../../../src/services/objects/sink.ts';
import type { ApiObject } from '../deployment/merge.ts';
import { inZone, node } from './node.ts';
import { put, remove } from './put-objects.ts';
import { clusterIps, service } from './service.ts';
import { serviceCidr } from './service-cidr.ts';
import { endpoint, slice } from './slice.ts';

export interface ObjectEvent {
  readonly verb: 'put' | 'remove';
  readonly object: ApiObject;
}

/** The objects after some events, by kind and name. */
export class ClusterObjects {
  readonly #objects = new Map<string, ApiObject>();

  apply({ verb, object }: ObjectEvent): void {
    const { namespace, name } = object['metadata'] as ApiObject;
    const key = `${object['kind']} ${namespace} ${name}`;
    if (verb === 'put') this.#objects.set(key, object);
    else this.#objects.delete(key);
  }

  objects(): ApiObject[] {
    return [...this.#objects.values()];
  }
}

export function applyEvent(sink: Sink, { verb, object }: ObjectEvent): void {
  if (verb === 'put') put(sink, object);
  else remove(sink, object);
}

/** Cluster IPs of the Services. Some slices and Nodes have the second, too. */
const CLUSTER_IPS = { ip: ['10.96.0.1', '10.96.0.2'], ip6: ['fd00::1', 'fd00::2'] } as const;

/** Mostly puts of Services and slices. Maglev tables have thousands of slots, so they are an option. */
export function objectEvents(maxLength: number, { maglev = false } = {}): fc.Arbitrary<ObjectEvent[]> {
  const object = fc.oneof(
    { arbitrary: services(maglev), weight: 5 },
    { arbitrary: slices(), weight: 6 },
    { arbitrary: nodes(), weight: 2 },
    { arbitrary: serviceCidrs(), weight: 1 },
  );
  const verb = biased<ObjectEvent['verb']>('put', 'remove');
  return fc.array(fc.record({ verb, object }), { minLength: Math.floor(maxLength / 2), maxLength });
}

/** The rare value in one of eight cases. */
function biased<T>(often: T, rare: T): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: fc.constant(often), weight: 7 }, { arbitrary: fc.constant(rare), weight: 1 });
}

/** Names and protocols of ports; few, so that those of Services and slices often match. */
const PORTS: fc.Arbitrary<{ name: string; protocol: string }[]> = fc.constantFrom(
  [{ name: '', protocol: 'TCP' }],
  [{ name: 'dns', protocol: 'UDP' }],
  [
    { name: '', protocol: 'TCP' },
    { name: 'dns', protocol: 'UDP' },
  ],
);

const SERVICE_NAMES = ['a/x', 'a/y', 'b/x'];

/** Affinity and source ranges as `spec` has them. */
const POLICIES = fc.record({
  affinity: fc.constantFrom(undefined, undefined, 10, 20),
  ranges: fc.array(
    fc.constantFrom('10.0.0.0/8', '10.1.0.0/16', '10.1.0.9/32', '192.0.2.0/24', 'fd00::/8', '0.0.0.0/0', 'bad'),
    { maxLength: 3 },
  ),
});

/** The annotations for load balancing. */
function annotations(maglev: boolean): fc.Arbitrary<ApiObject> {
  const balance = fc.constantFrom(undefined, undefined, 'random', 'source-hash', 'odd', maglev ? 'maglev' : undefined);
  const weights = fc.constantFrom(
    ...[undefined, undefined, undefined, '10.1.0.1=3', '10.1.0.1=2, 10.1.0.2=0, fd01::1=4'],
    ...['10.1.0.1=0,10.1.0.2=0,10.1.0.3=0,10.1.0.4=0', 'odd'],
  );
  return fc.record({ balance, weights }).map(({ balance, weights }) => ({
    ...(balance === undefined ? {} : { 'nftlane.io/balance': balance }),
    ...(weights === undefined ? {} : { 'nftlane.io/weights': weights }),
  }));
}

function services(maglev: boolean): fc.Arbitrary<ApiObject> {
  const policy = fc.constantFrom(undefined, 'Cluster', 'Local');
  const numbers = fc.record({ port: fc.constantFrom(53, 17), nodePort: fc.constantFrom(0, 0, 30001, 30002) });
  const ip = fc.constantFrom(...CLUSTER_IPS.ip);
  const ip6 = fc.constantFrom(...CLUSTER_IPS.ip6);
  const external = fc.array(fc.constantFrom('10.96.0.1', '192.0.2.7', '192.0.2.8', 'fd00::7', 'bad'), { maxLength: 2 });
  return fc
    .record({
      name: fc.constantFrom(...SERVICE_NAMES),
      year: fc.constantFrom(2023, 2024, 2025, undefined),
      type: fc.oneof(fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer'), biased('NodePort', 'ExternalName')),
      addresses: fc.oneof(
        fc.tuple(ip),
        fc.tuple(ip, ip6),
        fc.tuple(ip6, ip),
        biased(['fd00::3'], ['None']),
        fc.constant([]),
      ),
      ipFamilyPolicy: fc.constantFrom(undefined, undefined, 'PreferDualStack'),
      ports: PORTS,
      numbers: fc.tuple(numbers, numbers),
      internalTrafficPolicy: policy,
      externalTrafficPolicy: policy,
      healthCheckNodePort: fc.constantFrom(undefined, 30001, 30002),
      externalIPs: external,
      ingress: external,
      proxy: biased({}, { 'service.kubernetes.io/service-proxy-name': 'other' }),
      annotations: annotations(maglev),
      policies: POLICIES,
    })
    .map(({ name, year, addresses, ports, numbers, ingress, proxy, annotations, policies, ...spec }) =>
      service(name, {
        metadata: { creationTimestamp: year && `${year}-01-01T00:00:00Z`, labels: proxy, annotations },
        spec: {
          ...spec,
          ...clusterIps(...addresses),
          ...toSpec(policies),
          ports: ports.map((port, index) => ({ ...port, ...numbers[index] })),
        },
        status: { loadBalancer: { ingress: ingress.map((address) => ({ ip: address })) } },
      }),
    );
}

function toSpec({ affinity, ranges }: { affinity: number | undefined; ranges: readonly string[] }): ApiObject {
  const clientIp = { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: affinity } } };
  return { ...(affinity === undefined ? {} : clientIp), loadBalancerSourceRanges: ranges };
}

/** Slices with few names, so that they change their Service. */
function slices(): fc.Arbitrary<ApiObject> {
  const conditions = fc.constantFrom(
    ...[{}, {}, {}, {}, { ready: false, serving: false }],
    ...[
      { ready: false, terminating: true },
      { ready: false, serving: false, terminating: true },
    ],
  );
  // Hints are used only if all endpoints have one, so all endpoints of a slice do, or none.
  const zones = fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 2 });
  const hintKind = fc.constantFrom('none', 'zones', 'zones', 'nodes');
  const backend = fc.record({
    host: fc.constantFrom(1, 2, 3, 4),
    isClusterIp: biased(false, true),
    conditions,
    zones,
    nodeName: fc.constantFrom('n1', 'n2', undefined),
  });
  const port = fc.constantFrom(53, 8080);
  return fc
    .record({
      name: fc.constantFrom('s1', 's2', 's3', 's4'),
      owner: fc.constantFrom(...SERVICE_NAMES),
      addressType: fc.constantFrom('IPv4', 'IPv4', 'IPv6'),
      ports: PORTS,
      port,
      backends: fc.array(backend, { maxLength: 4 }),
      hintKind,
      headless: biased({}, { 'service.kubernetes.io/headless': '' }),
    })
    .map(({ name, owner, addressType, ports, port, backends, hintKind, headless }) => {
      const endpoints = backends.map(({ host, isClusterIp, zones, ...rest }) => {
        const usual = addressType === 'IPv4' ? `10.1.0.${host}` : `fd01::${host}`;
        const [, clusterIp] = CLUSTER_IPS[addressType === 'IPv4' ? 'ip' : 'ip6'];
        const address = isClusterIp ? clusterIp : usual;
        return endpoint(address, { ...rest, hints: hintsOf(hintKind, { zones, nodeName: rest.nodeName }) });
      });
      // Names are unique within a namespace, and a slice cannot change its namespace.
      const metadata = { name: `${owner.split('/')[0]}-${name}`, labels: headless };
      return slice(owner, {
        metadata,
        addressType,
        endpoints,
        ports: ports.map((slicePort) => ({ ...slicePort, port })),
      });
    });
}

function hintsOf(kind: string, at: { zones: readonly string[]; nodeName: string | undefined }): ApiObject | undefined {
  if (kind === 'zones') return { forZones: at.zones.map((name) => ({ name })) };
  return kind === 'nodes' ? { forNodes: [{ name: at.nodeName ?? 'n3' }] } : undefined;
}

function nodes(): fc.Arbitrary<ApiObject> {
  const zone = fc.constantFrom('a', 'b', 'a', 'b', '', undefined);
  const addresses = fc.array(
    fc.constantFrom('192.0.2.1', '192.0.2.1', '192.0.2.2', 'fd00::9', '127.0.0.1', CLUSTER_IPS.ip[1]),
    { maxLength: 2 },
  );
  return fc
    .record({ name: fc.constantFrom('n1', 'n1', 'n1', 'n2'), zone, addresses })
    .map(({ name, zone, addresses }) => {
      const status = { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) };
      return node(name, { ...(zone === undefined ? {} : inZone(zone)), status });
    });
}

function serviceCidrs(): fc.Arbitrary<ApiObject> {
  const cidrs = fc.array(fc.constantFrom('10.96.0.0/12', '10.96.0.0/16', 'fd00::/108', '10.200.0.0/16'), {
    maxLength: 3,
  });
  return fc
    .record({ name: fc.constantFrom('one', 'two'), cidrs })
    .map(({ name, cidrs }) => serviceCidr(name, { spec: { cidrs } }));
}
