// The Services of the conformance grid: every policy with every endpoint state, in one cluster.

import { inZone, node } from '../support/builders/node.ts';
import { clusterIps, service } from '../support/builders/service.ts';
import { endpoint, slice } from '../support/builders/slice.ts';
import { type ApiObject, merge } from '../support/deployment/merge.ts';
import { serviceCidrObject } from '../support/netns/manifests.ts';
import { type Addresses, CLIENT, NODES, type NodeName, POD_CIDRS } from '../support/netns/topology.ts';

/** Addresses that all Services share, each Service with its own ports. */
export const EXTERNAL: Addresses = { ip: '198.51.100.7', ip6: '2001:db8:7::7' };
export const VIP: Addresses = { ip: '198.51.100.8', ip6: '2001:db8:7::8' };

/** The port that every pod listens on. */
export const TARGET_PORT = 8080;

/** Pods that can be endpoints. */
export const PODS: Readonly<Record<'a' | 'b' | 'c', NodeName>> = { a: 'node1', b: 'node1', c: 'node2' };
type PodName = keyof typeof PODS;

/** A Service of the grid. */
export interface GridService {
  readonly name: string;
  /** Its policies and features. */
  readonly policy: string;
  /** The states of its endpoints. */
  readonly endpoints: string;
  readonly at: Addresses;
  readonly port: number;
  readonly nodePort: number;
  /** Whether a client always gets the same endpoint. */
  readonly sticky: boolean;
  readonly objects: (addressOf: (pod: string) => Addresses) => ApiObject[];
}

const READY = { ready: true, serving: true, terminating: false };
const DRAINING = { ready: false, serving: true, terminating: true };
const TERMINATED = { ready: false, serving: false, terminating: true };
const UNREADY = { ready: false, serving: false, terminating: false };
const TERMINATING_READY = { ready: true, serving: true, terminating: true };

type State = Partial<Record<PodName, ApiObject>>;

function zone(name: string): ApiObject {
  return { conditions: READY, hints: { forZones: [{ name }] } };
}

function forNode(name: string): ApiObject {
  return { conditions: READY, hints: { forNodes: [{ name }] } };
}

const READY_HERE = { conditions: READY };

/** The endpoints of a Service: a and b are on this node, c is elsewhere. This node is in zone z1. */
const STATES: Readonly<Record<string, State>> = {
  'ready here and elsewhere': { a: READY_HERE, c: READY_HERE },
  'two ready here, one elsewhere': { a: READY_HERE, b: READY_HERE, c: READY_HERE },
  'ready here only': { a: READY_HERE },
  'ready elsewhere only': { c: READY_HERE },
  'terminating here, ready elsewhere': { a: { conditions: DRAINING }, c: READY_HERE },
  'ready here, terminating elsewhere': { a: READY_HERE, c: { conditions: DRAINING } },
  'all terminating': { a: { conditions: DRAINING }, c: { conditions: DRAINING } },
  'terminating here only': { a: { conditions: DRAINING } },
  'terminating elsewhere only': { c: { conditions: DRAINING } },
  none: {},
  'not ready': { a: { conditions: UNREADY }, c: { conditions: UNREADY } },
  'terminated here, ready elsewhere': { a: { conditions: TERMINATED }, c: READY_HERE },
  'all terminated': { a: { conditions: TERMINATED }, c: { conditions: TERMINATED } },
  'terminating, but counted as ready': { a: { conditions: TERMINATING_READY }, c: { conditions: TERMINATING_READY } },
  'hinted for another zone here, for this zone elsewhere': { a: zone('z2'), c: zone('z1') },
  'hinted for this zone here, for another elsewhere': { a: zone('z1'), c: zone('z2') },
  'hinted in part': { a: READY_HERE, c: zone('z1') },
  'hinted for this node here': { a: forNode('node1'), c: forNode('node2') },
};

const POLICIES = (['Cluster', 'Local'] as const).flatMap((internal) =>
  (['Cluster', 'Local'] as const).map((external) => ({
    words: `internal ${internal}, external ${external}`,
    spec: { internalTrafficPolicy: internal, externalTrafficPolicy: external },
  })),
);

/** Further features, each combined with every policy and FEATURE_STATES. */
const FEATURES: readonly { words: string; sticky?: boolean; once?: boolean; overrides: ApiObject }[] = [
  { words: 'affinity', sticky: true, overrides: { spec: { sessionAffinity: 'ClientIP' } } },
  { words: 'source hash', sticky: true, overrides: annotated({ 'nftlane.io/balance': 'source-hash' }) },
  // Thousands of slots for each frontend: one Service is enough.
  { words: 'consistent hash', sticky: true, once: true, overrides: annotated({ 'nftlane.io/balance': 'maglev' }) },
  { words: 'weight 0 here', overrides: annotated({ 'nftlane.io/weights': '10.1.1.10=0,fd00:1:1::10=0' }) },
  { words: 'weight 0 elsewhere', overrides: annotated({ 'nftlane.io/weights': '10.1.2.10=0,fd00:1:2::10=0' }) },
  { words: 'open to the client', overrides: ranges(`${CLIENT.ip}/32`, `${CLIENT.ip6}/128`) },
  { words: 'open to pods', overrides: ranges(POD_CIDRS.ip, POD_CIDRS.ip6) },
  { words: 'open to this node', overrides: ranges(`${NODES.node1.ip}/32`, `${NODES.node1.ip6}/128`) },
  { words: 'open to the client in IPv4', overrides: ranges(`${CLIENT.ip}/32`) },
];
const FEATURE_STATES = [
  'ready here and elsewhere',
  'terminating here, ready elsewhere',
  'ready elsewhere only',
  'none',
];

function annotated(annotations: ApiObject): ApiObject {
  return { metadata: { annotations } };
}

function ranges(...blocks: readonly string[]): ApiObject {
  return { spec: { loadBalancerSourceRanges: blocks } };
}

/** All Services of the grid, or every nth one. */
export function gridServices(everyNth = 1): GridService[] {
  const plain = POLICIES.flatMap(({ words, spec }) =>
    Object.keys(STATES).map((endpoints) => ({ policy: words, endpoints, sticky: false, overrides: { spec } })),
  );
  const featured = FEATURES.flatMap(({ words, sticky = false, once = false, overrides }) =>
    POLICIES.slice(0, once ? 1 : undefined).flatMap((policy) =>
      FEATURE_STATES.slice(0, once ? 1 : undefined).map((endpoints) => ({
        policy: `${words}; ${policy.words}`,
        endpoints,
        sticky,
        overrides: merge({ spec: policy.spec }, overrides),
      })),
    ),
  );
  return [...plain, ...featured].filter((_, index) => index % everyNth === 0).map(toService);
}

/** Whether the internal or the external traffic policy is Local. */
export function hasLocalPolicy({ policy }: Pick<GridService, 'policy'>): boolean {
  return policy.includes('Local');
}

/** The nth cluster IP. There are more Services than an octet can count. */
function clusterAddresses(n: number): Addresses {
  return { ip: `172.30.${n >> 8}.${n & 255}`, ip6: `fd00:30::${n.toString(16)}` };
}

interface Given {
  readonly policy: string;
  readonly endpoints: string;
  readonly sticky: boolean;
  readonly overrides: ApiObject;
}

function toService({ policy, endpoints, sticky, overrides }: Given, index: number): GridService {
  const name = `grid/s${index}`;
  const at = clusterAddresses(index + 1);
  const [port, nodePort] = [2000 + index, 30_000 + index];
  const objects = (addressOf: (pod: string) => Addresses) => [
    toObject(name, { at, port, nodePort, overrides }),
    ...toSlices(name, STATES[endpoints] ?? {}, addressOf),
  ];
  return { name, policy, endpoints, sticky, at, port, nodePort, objects };
}

function toObject(
  name: string,
  { at, port, nodePort, overrides }: { at: Addresses; port: number; nodePort: number; overrides: ApiObject },
): ApiObject {
  const ports = ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), protocol, port, nodePort }));
  const spec = { ...clusterIps(at.ip, at.ip6), type: 'LoadBalancer', ports, externalIPs: Object.values(EXTERNAL) };
  const status = { loadBalancer: { ingress: Object.values(VIP).map((ip) => ({ ip })) } };
  return service(name, merge({ spec, status }, overrides));
}

function toSlices(name: string, state: State, addressOf: (pod: string) => Addresses): ApiObject[] {
  const families = { IPv4: 'ip', IPv6: 'ip6' } as const;
  return Object.entries(families).map(([addressType, family]) =>
    slice(name, {
      metadata: { name: `${name.split('/')[1]}-${addressType.toLowerCase()}` },
      addressType,
      ports: ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: TARGET_PORT })),
      endpoints: Object.entries(state).map(([pod, more]) =>
        endpoint(addressOf(pod)[family], { nodeName: PODS[pod as PodName], ...more }),
      ),
    }),
  );
}

/** The nodes and the ServiceCIDR of the grid. */
export function gridBaseObjects(): ApiObject[] {
  const addresses = [NODES.node1.ip, NODES.node1.ip6].map((address) => ({ type: 'InternalIP', address }));
  const podCIDRs = [NODES.node1.pods.ip, NODES.node1.pods.ip6];
  return [node('node1', { ...inZone('z1'), spec: { podCIDRs }, status: { addresses } }), serviceCidrObject()];
}
