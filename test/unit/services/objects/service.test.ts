// Tests of src/services/objects/service.ts.

import t from 'tap';
import { readService, type Service, UNKNOWN_CREATION_TIME } from '../../../../src/services/objects/service.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';
import { expectSkipped } from './expect-skipped.ts';
import { read } from './read-service.ts';

t.test('readService() reads a minimal Service', async (t) => {
  t.strictSame(readService(service()), {
    key: 'shop/web',
    value: {
      key: 'shop/web',
      createdAt: Date.parse('2025-01-01T00:00:00Z'),
      type: 'ClusterIP',
      families: ['ip'],
      clusterIps: { ip: '10.96.0.1' },
      assignedFamilies: [],
      hasSelector: false,
      externalIps: [],
      loadBalancerIps: [],
      ports: [{ name: '', protocol: 'tcp', port: 80, nodePort: 0 }],
      internalTrafficPolicy: 'Cluster',
      externalTrafficPolicy: 'Cluster',
      affinitySeconds: 0,
      loadBalancerSourceRanges: [],
      hasSourceRanges: false,
      balance: 'random',
      weights: {},
      healthCheckNodePort: 0,
    },
    issues: [],
  });
});

t.test('readService() sorts an object without a creation time last', async (t) => {
  for (const creationTimestamp of [undefined, null, 'soon', 5]) {
    t.equal(readService(service('a/b', { metadata: { creationTimestamp } })).value?.createdAt, UNKNOWN_CREATION_TIME);
  }
});

const SKIPPED: readonly [about: string, overrides: ApiObject, reason: RegExp][] = [
  ['headless', { spec: clusterIps('None') }, /headless/],
  ['ExternalName', { spec: { type: 'ExternalName' } }, /ExternalName/],
  ['another proxy', { metadata: { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } } }, /another proxy/],
  ['no proxy name', { metadata: { labels: { 'service.kubernetes.io/service-proxy-name': '' } } }, /another proxy/],
  ['headless by the list', { spec: { clusterIP: undefined, clusterIPs: ['None'] } }, /headless/],
];

t.test('readService() skips Services that are not proxied, without issues', async (t) => {
  for (const [about, overrides, reason] of SKIPPED) {
    expectSkipped(t, readService(service('shop/web', overrides)), { key: 'shop/web', reason, about });
  }
});

const CLUSTER_IPS: readonly [spec: ApiObject, expected: Service['clusterIps']][] = [
  [clusterIps('10.0.0.1', 'fd00::1'), { ip: '10.0.0.1', ip6: 'fd00::1' }],
  [clusterIps('fd00::1', '10.0.0.1'), { ip: '10.0.0.1', ip6: 'fd00::1' }],
  [clusterIps('FD00:0::1'), { ip6: 'fd00::1' }],
  // A ServiceCIDR can be link-local.
  [clusterIps('169.254.7.1'), { ip: '169.254.7.1' }],
  // Addresses beyond the list of families do not count.
  [{ clusterIPs: ['10.0.0.1', 'fd00::1'], ipFamilies: ['IPv4'] }, { ip: '10.0.0.1' }],
  [{ clusterIPs: ['fd00::1', '10.0.0.1'], ipFamilies: ['IPv6'] }, { ip6: 'fd00::1' }],
  // A family without an address has none.
  [{ clusterIPs: ['10.0.0.1'], ipFamilies: ['IPv4', 'IPv6'] }, { ip: '10.0.0.1' }],
  // Objects older than dual stack.
  [{ clusterIP: '10.0.0.1', clusterIPs: undefined, ipFamilies: undefined }, { ip: '10.0.0.1' }],
  [{ clusterIP: 'fd00::1', clusterIPs: [], ipFamilies: [] }, { ip6: 'fd00::1' }],
];

t.test('readService() reads the cluster IP of each family', async (t) => {
  for (const [spec, expected] of CLUSTER_IPS) {
    const { value, issues } = read(spec);
    t.strictSame(value.clusterIps, expected, JSON.stringify(spec));

    t.strictSame(issues, []);
  }
});

const NO_IP = { clusterIP: undefined, clusterIPs: undefined, ipFamilies: undefined };
const DUAL_STACK = ['PreferDualStack', 'RequireDualStack'].map((ipFamilyPolicy) => ({ ...NO_IP, ipFamilyPolicy }));
const FAMILY_CASES: readonly [spec: ApiObject, expected: Service['families']][] = [
  [clusterIps('fd00::1', '10.0.0.1'), ['ip', 'ip6']],
  [{ ...NO_IP, clusterIP: 'fd00::1' }, ['ip6']],
  // Also without a cluster IP.
  [{ ...NO_IP, ipFamilies: ['IPv6'] }, ['ip6']],
  [{ clusterIPs: ['10.0.0.1'], ipFamilies: ['IPv4', 'IPv6'] }, ['ip', 'ip6']],
  ...DUAL_STACK.map((spec): [ApiObject, Service['families']] => [spec, ['ip', 'ip6']]),
  [{ ...NO_IP, ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv6'] }, ['ip6']],
  [{ ...NO_IP, externalIPs: ['2001:db8::7', '192.0.2.7'] }, ['ip', 'ip6']],
  [{ ...NO_IP, clusterIP: '10.0.0.1', externalIPs: ['2001:db8::7'] }, ['ip']],
  // The Service does not say: see src/services/allocation.
  [NO_IP, []],
  [{ ...NO_IP, clusterIP: '', clusterIPs: [], ipFamilies: [], ipFamilyPolicy: 'SingleStack' }, []],
];

t.test('readService() reads the families that the Service determines', async (t) => {
  for (const [spec, expected] of FAMILY_CASES) {
    const { value, issues } = read(spec);
    t.strictSame(value.families, expected, JSON.stringify(spec));
    t.strictSame(issues, []);
  }
  const ingress = [{ ip: '2001:db8::8' }];
  t.strictSame(read(NO_IP, { loadBalancer: { ingress } }).value.families, ['ip6']);
  t.match(read({ ...NO_IP, ipFamilies: ['ipv4', 'IPv6'] }), {
    value: { families: ['ip6'] },
    issues: ['spec.ipFamilies[0] "ipv4": ignoring this family'],
  });
  t.match(readService(service('shop/web', { spec: undefined })).value, { families: [], clusterIps: {}, ports: [] });
});

t.test('readService() reports a cluster IP without a family', async (t) => {
  const { value, issues } = read({
    clusterIP: '10.0.0.1',
    clusterIPs: ['10.0.0.1', 'fd00::1'],
    ipFamilies: undefined,
  });
  t.strictSame(value.clusterIps, { ip: '10.0.0.1' });
  t.strictSame(issues, ['spec.ipFamilies (absent): serving 10.0.0.1 only']);
});

t.test('readService() uses the valid cluster IP', async (t) => {
  const { value, issues } = read({ ...clusterIps('10.0.0.1', 'fd00::x'), ipFamilies: ['IPv4', 'IPv6'] });
  t.strictSame(value.clusterIps, { ip: '10.0.0.1' });
  t.strictSame(issues, ['spec.clusterIPs[1] "fd00::x": ignoring this cluster IP']);
  const only = readService(service('shop/web', { spec: { ...clusterIps('10.0.0.256'), clusterIPs: undefined } }));
  t.match(only.value, { families: ['ip'], clusterIps: {} });
  t.match(only.issues, [{ object: 'Service shop/web', field: 'spec.clusterIP', value: '"10.0.0.256"' }]);
});

t.test('readService() reports addresses with several readings, and uses that of kube-proxy', async (t) => {
  const { value, issues } = read({ ...clusterIps('172.30.0.041'), externalIPs: ['::ffff:192.0.2.7'] });
  t.strictSame(value.clusterIps, { ip: '172.30.0.41' });
  t.strictSame(value.externalIps, ['192.0.2.7']);
  t.strictSame(issues, [
    'spec.clusterIPs[0] "172.30.0.041": using 172.30.0.41',
    'spec.externalIPs[0] "::ffff:192.0.2.7": using 192.0.2.7',
  ]);
});

const SPECIAL: readonly [address: string, reason: string][] = [
  ['127.0.0.1', 'is a loopback address'],
  ['::ffff:127.0.0.1', 'is a loopback address'],
  ['::1', 'is a loopback address'],
  ['0.0.0.0', 'is an unspecified address'],
  ['::', 'is an unspecified address'],
  ['224.0.0.251', 'is a multicast address'],
  ['ff02::1', 'is a multicast address'],
  ['255.255.255.255', 'is a broadcast address'],
  ['fe80::1%eth0', 'is not an IP address'],
];

t.test('readService() ignores special addresses and reports them', async (t) => {
  const linkLocal: typeof SPECIAL = [
    ['169.254.169.254', 'is a link-local address'],
    ['fe80::1', 'is a link-local address'],
  ];
  for (const [ip, reason] of [...SPECIAL, ...linkLocal]) {
    const spec = { type: 'LoadBalancer', externalIPs: ['192.0.2.2', ip] };
    const status = { loadBalancer: { ingress: [{ ip }, { ip: '198.51.100.1' }] } };
    const { value, issues } = readService(service('shop/web', { spec, status }));
    t.match(value, { externalIps: ['192.0.2.2'], loadBalancerIps: ['198.51.100.1'] }, ip);
    t.strictSame(
      issues.map(({ field, reason, effect }) => [field, reason, effect]),
      [
        ['spec.externalIPs[1]', reason, 'ignoring this address'],
        ['status.loadBalancer.ingress[0].ip', reason, 'ignoring this address'],
      ],
      ip,
    );
  }
  for (const [ip, reason] of SPECIAL) {
    const { value, issues } = readService(service('shop/web', { spec: clusterIps(ip) }));
    t.strictSame(value?.clusterIps, {}, ip);
    t.match(issues, [{ field: 'spec.clusterIPs[0]', reason, effect: 'ignoring this cluster IP' }]);
  }
});

t.test('readService() reports a second cluster IP of a family', async (t) => {
  const { value, issues } = read(clusterIps('10.0.0.1', '10.0.0.2'));
  t.strictSame(value.clusterIps, { ip: '10.0.0.1' });
  t.strictSame(issues, ['spec.clusterIPs[1] "10.0.0.2": ignoring this cluster IP']);
});

t.test('readService() reads external IPs in order without duplicates', async (t) => {
  const { value, issues } = read({
    externalIPs: ['192.0.2.2', ' ', 'fd00::5', '', 'web', '192.0.2.2', ' 1.2.3.4 '],
  });
  t.strictSame(value.externalIps, ['192.0.2.2', 'fd00::5', '1.2.3.4']);
  t.strictSame(issues, ['spec.externalIPs[4] "web": ignoring this address']);
});

t.test('readService() reads ingress addresses with ipMode VIP or none', async (t) => {
  const ingress = [
    { ip: '198.51.100.1', ipMode: 'Proxy' },
    { ip: '198.51.100.2', ipMode: 'VIP' },
    { ip: '198.51.100.3' },
    { ip: '198.51.100.4', ipMode: null },
    { ip: '198.51.100.5', ipMode: 'Other' },
    { hostname: 'lb.example' },
    { ip: '' },
    { ip: 'lb', ipMode: 'VIP' },
    { ip: 'fd00::6' },
  ];
  const { value, issues } = read({}, { loadBalancer: { ingress } });
  t.strictSame(value.loadBalancerIps, ['198.51.100.2', '198.51.100.3', '198.51.100.4', 'fd00::6']);
  t.strictSame(issues, ['status.loadBalancer.ingress[7].ip "lb": ignoring this address']);
});

t.test('readService() reads internalTrafficPolicy', async (t) => {
  for (const [internalTrafficPolicy, policy] of [
    ['Local', 'Local'],
    ['Cluster', 'Cluster'],
    [undefined, 'Cluster'],
    [null, 'Cluster'],
    ['local', 'Cluster'],
  ]) {
    t.equal(read({ internalTrafficPolicy }).value.internalTrafficPolicy, policy);
  }
});

t.test('readService() reports unknown values of enum fields', async (t) => {
  const ok = { type: 'NodePort', internalTrafficPolicy: 'Local', externalTrafficPolicy: '', sessionAffinity: null };
  t.strictSame(read({ ...ok, ports: [], ipFamilyPolicy: 'SingleStack' }).issues, []);
  const wrong = {
    ipFamilyPolicy: 'DualStack',
    type: 'nodeport',
    internalTrafficPolicy: 'local',
    externalTrafficPolicy: 5,
    sessionAffinity: 'Cookie',
  };
  t.strictSame(read(wrong).issues, [
    'spec.type "nodeport": using ClusterIP',
    'spec.internalTrafficPolicy "local": using Cluster',
    'spec.externalTrafficPolicy 5: using Cluster',
    'spec.ipFamilyPolicy "DualStack": using SingleStack',
    'spec.sessionAffinity "Cookie": using None',
  ]);
  const [issue] = readService(service('shop/web', { spec: { type: 'nodeport' } })).issues;
  t.match(issue, { reason: 'must be ClusterIP, NodePort, LoadBalancer or ExternalName' });
});

t.test('readService() honors externalTrafficPolicy only if the type supports it', async (t) => {
  const cases: [type: string | undefined, externalIPs: string[], policy: string][] = [
    ['LoadBalancer', [], 'Local'],
    ['NodePort', [], 'Local'],
    ['ClusterIP', ['192.0.2.1'], 'Local'],
    [undefined, ['192.0.2.1'], 'Local'],
    ['ClusterIP', [], 'Cluster'],
    [undefined, [], 'Cluster'],
  ];
  for (const [type, externalIPs, policy] of cases) {
    const spec = { type, externalIPs, healthCheckNodePort: 30001 };
    t.equal(
      read({ ...spec, externalTrafficPolicy: 'Local' }).value.externalTrafficPolicy,
      policy,
      `${type} ${externalIPs}`,
    );
    t.equal(read({ ...spec, externalTrafficPolicy: 'Cluster' }).value.externalTrafficPolicy, 'Cluster');
    t.equal(read(spec).value.externalTrafficPolicy, 'Cluster');
  }
});

t.test('readService() reads session affinity', async (t) => {
  const withTimeout = (timeoutSeconds: unknown) => ({ clientIP: { timeoutSeconds } });
  const field = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
  const cases: [spec: ApiObject, seconds: number, issues: string[]][] = [
    [{ sessionAffinity: 'None', sessionAffinityConfig: withTimeout(5) }, 0, []],
    [{}, 0, []],
    [{ sessionAffinity: 'ClientIP' }, 10800, []],
    [{ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: null } }, 10800, []],
    [{ sessionAffinity: 'ClientIP', sessionAffinityConfig: withTimeout(1) }, 1, []],
    [{ sessionAffinity: 'ClientIP', sessionAffinityConfig: withTimeout(86400) }, 86400, []],
    [{ sessionAffinity: 'ClientIP', sessionAffinityConfig: withTimeout(0) }, 10800, [`${field} 0: using 10800`]],
    [
      { sessionAffinity: 'ClientIP', sessionAffinityConfig: withTimeout(86401) },
      10800,
      [`${field} 86401: using 10800`],
    ],
    [{ sessionAffinity: 'ClientIP', sessionAffinityConfig: withTimeout('9') }, 10800, [`${field} "9": using 10800`]],
  ];
  for (const [spec, seconds, issues] of cases) {
    const result = read(spec);
    t.equal(result.value.affinitySeconds, seconds, JSON.stringify(spec));
    t.strictSame(result.issues, issues);
  }
});

t.test('readService() reads the health check node port only if the Service uses it', async (t) => {
  const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' };
  t.equal(read({ ...local, healthCheckNodePort: 30001 }).value.healthCheckNodePort, 30001);
  t.equal(read({ type: 'LoadBalancer', healthCheckNodePort: 30001 }).value.healthCheckNodePort, 0);
  t.equal(read({ ...local, type: 'NodePort', healthCheckNodePort: 30001 }).value.healthCheckNodePort, 0);
  for (const healthCheckNodePort of [undefined, 0, '30001', 70000]) {
    const { value, issues } = read({ ...local, healthCheckNodePort });
    t.equal(value.healthCheckNodePort, 0);
    t.match(issues, [/^spec\.healthCheckNodePort /]);
  }
});

t.test('readService() reports objects without a valid name', async (t) => {
  for (const object of [undefined, null, 5, [], {}, { metadata: null }, { metadata: { name: 'A' } }]) {
    const { key, value, issues } = readService(object);
    t.equal(key, '');
    t.equal(value, undefined);
    t.match(issues, [{ object: 'Service (without a name)', field: 'metadata.name' }]);
  }
});

t.test('readService() rejects names that are too long for a label', async (t) => {
  const long = 'x'.repeat(64);
  for (const [name, field] of [
    [`shop/${long}`, 'metadata.name'],
    [`${long}/web`, 'metadata.namespace'],
  ] as const) {
    const { key, value, issues } = readService(service(name));
    t.strictSame([key, value], ['', undefined]);
    t.match(issues, [{ field, reason: 'is not a valid object name', effect: 'ignoring the object' }]);
  }
  t.ok(readService(service(`${'x'.repeat(63)}/${'y'.repeat(63)}`)).value);
  t.match(read({ ports: [{ name: long, port: 80 }] }), {
    value: { ports: [] },
    issues: [`spec.ports[0].name "${long}": ignoring this port`],
  });
});

t.test('readService() ignores fields that other controllers use', async (t) => {
  const plain = readService(service('shop/web', { spec: { type: 'LoadBalancer' } }));
  const others = {
    metadata: {
      annotations: {
        'service.kubernetes.io/topology-mode': 'Auto',
        'service.beta.kubernetes.io/load-balancer-source-ranges': '10.0.0.0/8',
      },
    },
    spec: {
      type: 'LoadBalancer',
      trafficDistribution: 'PreferClose',
      publishNotReadyAddresses: true,
      loadBalancerClass: 'example.com/x',
      loadBalancerIP: '198.51.100.9',
    },
  };
  t.strictSame(readService(service('shop/web', others)), plain);
  t.equal(read({ selector: { app: 'web' } }).value.hasSelector, true);
  t.equal(read({ selector: {} }).value.hasSelector, false);
  const ports = [{ port: 80, targetPort: 'http', appProtocol: 'h2c' }];
  t.strictSame(read({ ports }).value.ports, read({ ports: [{ port: 80 }] }).value.ports);
});
