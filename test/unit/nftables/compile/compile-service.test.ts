// Tests of src/nftables/compile/compile-service.ts.

import t from 'tap';
import {
  type CompileContext,
  compileService,
  frontendKey,
  serviceMapKey,
} from '../../../../src/nftables/compile/compile-service.ts';
import { buildNodeView, type ProxyOptions } from '../../../../src/nftables/compile/node-view.ts';
import type { Element } from '../../../../src/nftables/syntax/element.ts';
import { modelService } from '../../../../src/services/model/service-port.ts';
import { readEndpointSlice } from '../../../../src/services/objects/endpoint-slice.ts';
import { readNode } from '../../../../src/services/objects/node.ts';
import { readService } from '../../../../src/services/objects/service.ts';
import { node } from '../../../support/builders/node.ts';
import { DEFAULT_OPTIONS } from '../../../support/builders/proxy-options.ts';
import { service } from '../../../support/builders/service.ts';
import { DRAINING, endpoint, slice } from '../../../support/builders/slice.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

/** The node n1 at 192.0.2.1. */
function viewOf(options: Partial<ProxyOptions> = {}) {
  const facts = { node: readNode(node()).value, hostAddresses: [], serviceCidrs: [] };
  return buildNodeView({ ...DEFAULT_OPTIONS, nodeName: 'n1', ...options }, facts);
}

const ALONE: CompileContext = { node: viewOf(), owns: () => true, isInUse: () => false, slots: () => [] };
const HERE = endpoint('10.1.0.1', { nodeName: 'n1' });
const THERE = endpoint('10.1.1.1', { nodeName: 'n2' });
const NODE_PORT = { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] };

function compile(spec: ApiObject, endpoints: readonly ApiObject[], around: Partial<CompileContext> = {}): Element[] {
  const { metadata = {}, status = {}, ...rest } = spec as Record<string, ApiObject>;
  const { value } = readService(service('shop/web', { metadata, status, spec: rest }));
  const slices = readEndpointSlice(slice('shop/web', { endpoints })).value;
  if (value === undefined || slices === undefined) throw new Error('Cannot compile: Service or slice is not usable');
  const ports = modelService(value, [slices], { nodeName: 'n1', zone: undefined });
  return compileService(value, ports, { ...ALONE, ...around });
}

function lines(elements: readonly Element[]): string[] {
  return elements.map(({ object, key, data }) => `${object.name} ${key}${data === '' ? '' : ` : ${data}`}`);
}

const CASES: readonly [about: string, spec: ApiObject, endpoints: ApiObject[], expected: string[]][] = [
  [
    'cluster IP',
    {},
    [HERE, THERE],
    [
      'endpoints 10.96.0.1 . tcp . 80 . 0 : 10.1.0.1 . 8080',
      'endpoints 10.96.0.1 . tcp . 80 . 1 : 10.1.1.1 . 8080',
      'service-ips 10.96.0.1 . tcp . 80 : goto cluster-2',
      'hairpin-connections 10.1.0.1 . 10.1.0.1 . tcp . 8080',
    ],
  ],
  [
    'an endpoint that serves its last connections',
    {},
    [endpoint('10.1.0.1', { nodeName: 'n1', ...DRAINING }), THERE],
    [
      'endpoints 10.96.0.1 . tcp . 80 . 0 : 10.1.1.1 . 8080',
      'service-ips 10.96.0.1 . tcp . 80 : goto cluster-1',
      'hairpin-connections 10.1.0.1 . 10.1.0.1 . tcp . 8080',
    ],
  ],
  ['cluster IP without endpoints', {}, [], ['no-endpoint-services 10.96.0.1 . tcp . 80 : goto reject-chain']],
  [
    'internal policy Local',
    { internalTrafficPolicy: 'Local' },
    [THERE],
    ['no-endpoint-services 10.96.0.1 . tcp . 80 : drop'],
  ],
  [
    'node port',
    NODE_PORT,
    [THERE],
    [
      'endpoints 10.96.0.1 . tcp . 80 . 0 : 10.1.1.1 . 8080',
      'service-ips 10.96.0.1 . tcp . 80 : goto cluster-1',
      'nodeport-endpoints tcp . 30080 . 0 : 10.1.1.1 . 8080',
      'service-nodeports tcp . 30080 : goto nodeport-1',
    ],
  ],
  [
    'external IP, policy Local, a local endpoint',
    { externalIPs: ['198.51.100.1'], externalTrafficPolicy: 'Local' },
    [HERE, THERE],
    [
      'endpoints 10.96.0.1 . tcp . 80 . 0 : 10.1.0.1 . 8080',
      'endpoints 10.96.0.1 . tcp . 80 . 1 : 10.1.1.1 . 8080',
      'service-ips 10.96.0.1 . tcp . 80 : goto cluster-2',
      'endpoints 198.51.100.1 . tcp . 80 . 0 : 10.1.0.1 . 8080',
      'endpoints 198.51.100.1 . tcp . 80 . 1 : 10.1.1.1 . 8080',
      'local-endpoints 198.51.100.1 . tcp . 80 . 0 : 10.1.0.1 . 8080',
      'short-circuit-ips 198.51.100.1 . tcp . 80 : goto direct-2',
      'local-service-ips 198.51.100.1 . tcp . 80 : goto local-1',
      'service-ips 198.51.100.1 . tcp . 80 : goto external-local',
      'hairpin-connections 10.1.0.1 . 10.1.0.1 . tcp . 8080',
    ],
  ],
  [
    'node port, policy Local, endpoints on other nodes only',
    { ...NODE_PORT, externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' },
    [THERE],
    [
      'no-endpoint-services 10.96.0.1 . tcp . 80 : drop',
      'nodeport-endpoints tcp . 30080 . 0 : 10.1.1.1 . 8080',
      'short-circuit-nodeports tcp . 30080 : goto nodeport-direct-1',
      'no-endpoint-nodeports tcp . 30080 : drop',
      'service-nodeports tcp . 30080 : goto nodeport-local',
    ],
  ],
  [
    'node port, policy Local, no endpoints',
    { ...NODE_PORT, externalTrafficPolicy: 'Local' },
    [],
    [
      'no-endpoint-services 10.96.0.1 . tcp . 80 : goto reject-chain',
      'no-endpoint-nodeports tcp . 30080 : goto reject-chain',
    ],
  ],
  [
    'terminating local endpoint, ready endpoint on another node',
    { ...NODE_PORT, externalTrafficPolicy: 'Local' },
    [{ ...HERE, ...DRAINING }, THERE],
    [
      'endpoints 10.96.0.1 . tcp . 80 . 0 : 10.1.1.1 . 8080',
      'service-ips 10.96.0.1 . tcp . 80 : goto cluster-1',
      'nodeport-endpoints tcp . 30080 . 0 : 10.1.1.1 . 8080',
      'local-nodeport-endpoints tcp . 30080 . 0 : 10.1.0.1 . 8080',
      'short-circuit-nodeports tcp . 30080 : goto nodeport-direct-1',
      'local-service-nodeports tcp . 30080 : goto local-nodeport-1',
      'service-nodeports tcp . 30080 : goto nodeport-local',
      'hairpin-connections 10.1.0.1 . 10.1.0.1 . tcp . 8080',
    ],
  ],
];

const AFFINITY_SPEC = { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 90 } } };
const AFFINITY_CASES: typeof CASES = [
  [
    'affinity: chains with an affinity map, and elements by which endpoints are stored',
    { ...AFFINITY_SPEC, ...NODE_PORT },
    [HERE, THERE],
    [
      'endpoints 10.96.0.1 . tcp . 80 . 0 : 10.1.0.1 . 8080',
      'endpoints 10.96.0.1 . tcp . 80 . 1 : 10.1.1.1 . 8080',
      'service-ips 10.96.0.1 . tcp . 80 : goto affinity-cluster/shop/web/tcp/',
      'short-circuit-ips 10.96.0.1 . tcp . 80 : goto direct-2',
      'affinity-ips 10.96.0.1 . tcp . 80 . 10.1.0.1 : goto affinity-update-90/shop/web/tcp/',
      'affinity-ips 10.96.0.1 . tcp . 80 . 10.1.1.1 : goto affinity-update-90/shop/web/tcp/',
      'nodeport-endpoints tcp . 30080 . 0 : 10.1.0.1 . 8080',
      'nodeport-endpoints tcp . 30080 . 1 : 10.1.1.1 . 8080',
      'service-nodeports tcp . 30080 : goto affinity-nodeport/shop/web/tcp/',
      'short-circuit-nodeports tcp . 30080 : goto nodeport-direct-2',
      'affinity-nodeports tcp . 30080 . 10.1.0.1 : goto affinity-update-90/shop/web/tcp/',
      'affinity-nodeports tcp . 30080 . 10.1.1.1 : goto affinity-update-90/shop/web/tcp/',
      'hairpin-connections 10.1.0.1 . 10.1.0.1 . tcp . 8080',
    ],
  ],
  [
    'affinity, internal policy Local: endpoints of other nodes are not stored',
    { ...AFFINITY_SPEC, internalTrafficPolicy: 'Local' },
    [HERE, THERE],
    [
      'endpoints 10.96.0.1 . tcp . 80 . 0 : 10.1.0.1 . 8080',
      'service-ips 10.96.0.1 . tcp . 80 : goto affinity-cluster-local/shop/web/tcp/',
      'short-circuit-ips 10.96.0.1 . tcp . 80 : goto direct-1',
      'affinity-ips 10.96.0.1 . tcp . 80 . 10.1.0.1 : goto affinity-update-local-90/shop/web/tcp/',
      'hairpin-connections 10.1.0.1 . 10.1.0.1 . tcp . 8080',
    ],
  ],
  ['affinity without endpoints', AFFINITY_SPEC, [], ['no-endpoint-services 10.96.0.1 . tcp . 80 : goto reject-chain']],
  [
    'affinity, external policy Local, an endpoint on another node',
    { ...AFFINITY_SPEC, externalIPs: ['198.51.100.1'], externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' },
    [THERE],
    [
      'no-endpoint-services 10.96.0.1 . tcp . 80 : drop',
      'endpoints 198.51.100.1 . tcp . 80 . 0 : 10.1.1.1 . 8080',
      'short-circuit-ips 198.51.100.1 . tcp . 80 : goto direct-1',
      'no-endpoint-services 198.51.100.1 . tcp . 80 : drop',
      'service-ips 198.51.100.1 . tcp . 80 : goto affinity-external-local/shop/web/tcp/',
      'affinity-ips 198.51.100.1 . tcp . 80 . 10.1.1.1 : goto affinity-update-90/shop/web/tcp/',
    ],
  ],
  [
    'source hash and weights',
    {
      metadata: { annotations: { 'nftlane.io/balance': 'source-hash', 'nftlane.io/weights': '10.1.1.1=2' } },
    },
    [HERE, THERE],
    [
      'endpoints 10.96.0.1 . tcp . 80 . 0 : 10.1.0.1 . 8080',
      'endpoints 10.96.0.1 . tcp . 80 . 1 : 10.1.1.1 . 8080',
      'endpoints 10.96.0.1 . tcp . 80 . 2 : 10.1.1.1 . 8080',
      'service-ips 10.96.0.1 . tcp . 80 : goto cluster-source-3',
      'hairpin-connections 10.1.0.1 . 10.1.0.1 . tcp . 8080',
    ],
  ],
];

t.test('compileService() returns the elements of a Service', async (t) => {
  for (const [about, spec, endpoints, expected] of [...CASES, ...AFFINITY_CASES]) {
    t.strictSame(lines(compile(spec, endpoints)), ['cluster-ips 10.96.0.1', ...expected], about);
  }
});

t.test('compileService() sets owner and comment of elements', async (t) => {
  const elements = compile({ ports: [{ name: '', port: 80, nodePort: 30080 }] }, [HERE]);
  for (const { owner, comment } of elements) t.strictSame([owner, comment], ['shop/web', 'shop/web']);
});

t.test('compileService() skips frontends that another Service owns', async (t) => {
  const owns = (frontend: string) => !frontend.includes('198.51.100.1');
  t.strictSame(lines(compile({ externalIPs: ['198.51.100.1'] }, [THERE], { owns })), lines(compile({}, [THERE])));
  t.strictSame(lines(compile(NODE_PORT, [HERE], { owns: () => false })), ['cluster-ips 10.96.0.1']);
});

t.test('compileService() refuses nothing at a cluster IP that is in use, but serves its ports', async (t) => {
  const around = { isInUse: (clusterIp: string) => clusterIp === '10.96.0.1' };
  const [, ...served] = lines(compile({}, [THERE]));
  t.strictSame(lines(compile({}, [THERE], around)), served);
  t.strictSame(lines(compile({}, [], around)), []);
  t.strictSame(lines(compile({ internalTrafficPolicy: 'Local' }, [THERE], around)), []);
  const external = lines(compile({ externalIPs: ['198.51.100.1'] }, [], around));
  t.match(external, [/^no-endpoint-services 198\.51\.100\.1 /], 'other addresses are refused as before');
});

t.test('compileService() keeps backends in their slots', async (t) => {
  const slots: CompileContext['slots'] = ({ name }, key) =>
    `${name} ${key}` === 'endpoints 10.96.0.1 . tcp . 80' ? ['10.1.1.1 . 8080'] : [];
  const found = lines(compile({}, [HERE, THERE], { slots })).filter((line) => line.startsWith('endpoints'));
  t.strictSame(found, [
    'endpoints 10.96.0.1 . tcp . 80 . 0 : 10.1.1.1 . 8080',
    'endpoints 10.96.0.1 . tcp . 80 . 1 : 10.1.0.1 . 8080',
  ]);
});

const INGRESS = { loadBalancer: { ingress: [{ ip: '198.51.100.1' }, { ip: '198.51.100.2' }] } };

/** The frontends in `firewall-ips`, and the source ranges of the first address. */
function firewall(ranges: readonly string[], around: Partial<CompileContext> = {}): [ips: string[], ranges: string[]] {
  const spec = {
    type: 'LoadBalancer',
    status: INGRESS,
    externalIPs: ['203.0.113.1'],
    loadBalancerSourceRanges: ranges,
  };
  const found = lines(compile(spec, [THERE], around));
  const first = 'source-ranges 198.51.100.1 . tcp . 80 . ';
  return [
    found.filter((line) => line.startsWith('firewall-ips')).map((line) => line.slice('firewall-ips '.length)),
    found.filter((line) => line.startsWith(first)).map((line) => line.slice(first.length)),
  ];
}

t.test('compileService() restricts load balancer addresses to their source ranges', async (t) => {
  const both = ['198.51.100.1 . tcp . 80', '198.51.100.2 . tcp . 80'];
  const strict = { node: viewOf({ strictSourceRanges: true }) };
  t.strictSame(firewall([]), [[], []], 'open without ranges');
  t.strictSame(firewall(['10.0.0.0/8']), [both, ['10.0.0.0/8']], 'neither cluster IP nor external IP');
  t.strictSame(
    firewall(['10.1.0.0/16', '10.0.0.0/8', '10.0.0.0/9', '172.16.0.9/32', '10.0.0.0/8']),
    [both, ['10.0.0.0/8', '172.16.0.9']],
    'without overlaps, and an address as nft lists it',
  );
  t.strictSame(firewall(['192.0.2.0/24']), [both, ['192.0.2.0/24', '198.51.100.1', '198.51.100.2']], 'with the node');
  t.strictSame(
    firewall(['192.0.2.1/32', '198.51.100.0/24'])[1],
    ['192.0.2.1', '198.51.100.0/24'],
    'the addresses are in a range already',
  );
  t.strictSame(firewall(['10.0.0.0/8', '0.0.0.0/0']), [[], []], 'the whole family means open');
  t.strictSame(firewall(['bad', 'fd00::/8']), [[], []], 'none of the family');
  t.strictSame(firewall(['bad', 'fd00::/8'], strict), [both, []], 'none of the family, strictly');
  t.strictSame(firewall(['0.0.0.0/0'], strict), [[], []]);
  t.strictSame(
    firewall(['10.0.0.0/8'], { owns: (key) => !key.includes('198.51.100.1') })[0],
    both.slice(1),
    'owned frontends only',
  );
});

t.test('compileService() ignores the current slots for maglev tables', async (t) => {
  const spec = { metadata: { annotations: { 'nftlane.io/balance': 'maglev' } } };
  const fresh = lines(compile(spec, [HERE, THERE]));
  t.equal(fresh.filter((line) => line.startsWith('endpoints ')).length, 4093);
  t.ok(fresh.includes('service-ips 10.96.0.1 . tcp . 80 : goto cluster-source-4093'));
  t.strictSame(lines(compile(spec, [HERE, THERE], { slots: () => ['10.1.1.1 . 8080'] })), fresh);
});

t.test('frontendKey() distinguishes families and node ports', async (t) => {
  const servicePort = { name: '', protocol: 'udp', port: 53, nodePort: 0 } as const;
  const frontend = {
    kind: 'cluster-ip',
    family: 'ip6',
    address: 'fd00::1',
    servicePort,
    port: 53,
    policy: 'Cluster',
  } as const;
  t.equal(serviceMapKey(frontend), 'fd00::1 . udp . 53');
  t.equal(frontendKey(frontend), '[fd00::1]:53/udp');
  t.equal(frontendKey({ ...frontend, kind: 'node-port', address: undefined, port: 30053 }), 'IPv6 node port 30053/udp');
});
