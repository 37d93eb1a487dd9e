// Tests of src/conntrack/udp/udp-frontends.ts.

import t from 'tap';
import { sameUdpFrontends, udpFrontendsOf } from '../../../../src/conntrack/udp/udp-frontends.ts';
import { ServedService } from '../../../../src/engine/service-change.ts';
import { type EndpointSlice, readEndpointSlice } from '../../../../src/services/objects/endpoint-slice.ts';
import { readService, type Service } from '../../../../src/services/objects/service.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import { DRAINING, endpoint, slice, UNREADY } from '../../../support/builders/slice.ts';
import { type ApiObject, merge } from '../../../support/deployment/merge.ts';

const UDP = { ports: [{ name: '', protocol: 'UDP', port: 5353 }] };

function read(overrides: ApiObject = {}): Service {
  const { value } = readService(
    service('kube/dns', merge({ spec: { ports: [{ port: 53, protocol: 'UDP' }] } }, overrides)),
  );
  if (value === undefined) throw new Error('The Service is proxied');
  return value;
}

function slices(...overrides: readonly ApiObject[]): EndpointSlice[] {
  return overrides.flatMap((override) => readEndpointSlice(slice('kube/dns', merge(UDP, override))).value ?? []);
}

/** The Service with these slices, compiled on some node. */
function servedOf(serviceOf: Service, of: readonly EndpointSlice[], owns = () => true): ServedService {
  return new ServedService({ service: serviceOf, slices: of, node: { nodeName: 'n1', zone: undefined }, owns });
}

function print(frontends: ReturnType<typeof udpFrontendsOf>): string[] {
  return frontends.map(({ key, servicePort, endpoints }) => `${servicePort} ${key} -> ${[...endpoints].join(', ')}`);
}

t.test('udpFrontendsOf() lists every frontend of a UDP port', async (t) => {
  const of = read({
    spec: {
      ...clusterIps('10.96.0.10', 'fd00::a'),
      type: 'LoadBalancer',
      externalIPs: ['198.51.100.7'],
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP', nodePort: 30053 },
        { name: 'dns-tcp', port: 53, protocol: 'TCP', nodePort: 30053 },
      ],
    },
    status: { loadBalancer: { ingress: [{ ip: '198.51.100.8' }] } },
  });
  const found = udpFrontendsOf(servedOf(of, slices({ ports: [{ name: 'dns', protocol: 'UDP', port: 5353 }] })));
  t.strictSame(print(found), [
    'kube/dns:dns 10.96.0.10 53 -> 10.1.0.1 5353',
    'kube/dns:dns 198.51.100.8 53 -> 10.1.0.1 5353',
    'kube/dns:dns 198.51.100.7 53 -> 10.1.0.1 5353',
    'kube/dns:dns ip 30053 -> 10.1.0.1 5353',
    'kube/dns:dns fd00::a 53 -> ',
    'kube/dns:dns ip6 30053 -> ',
  ]);
});

t.test('udpFrontendsOf() includes every serving endpoint, on any node', async (t) => {
  const cases = [
    { conditions: {}, counts: true, why: 'ready' },
    { conditions: DRAINING, counts: true, why: 'terminating, but serving' },
    { conditions: { conditions: { ready: true, serving: false } }, counts: true, why: 'ready, although not serving' },
    { conditions: UNREADY, counts: false, why: 'not ready' },
    { conditions: { hints: { forZones: [{ name: 'elsewhere' }] } }, counts: true, why: 'hinted for another zone' },
    { conditions: { nodeName: 'other' }, counts: true, why: 'on another node, with policy Local' },
  ];
  const of = read({ spec: { internalTrafficPolicy: 'Local' } });
  for (const { conditions, counts, why } of cases) {
    const [frontend] = udpFrontendsOf(servedOf(of, slices({ endpoints: [endpoint('10.1.0.1', conditions)] })));
    t.equal(frontend?.endpoints.has('10.1.0.1 5353'), counts, why);
  }
});

t.test('udpFrontendsOf() is empty without UDP, without a Service, and for frontends of other Services', async (t) => {
  t.strictSame(udpFrontendsOf({ state: 'absent', key: 'kube/dns' }), []);
  t.strictSame(udpFrontendsOf(servedOf(read({ spec: { ports: [{ port: 53, protocol: 'TCP' }] } }), slices({}))), []);
  t.strictSame(udpFrontendsOf(servedOf(read(), slices({}), () => false)), []);
});

t.test('sameUdpFrontends() compares frontends and endpoints', async (t) => {
  const of = (hosts: readonly number[], ...ips: string[]) =>
    udpFrontendsOf(
      servedOf(read({ spec: { externalIPs: ips } }), slices({ endpoints: hosts.map((n) => endpoint(`10.1.0.${n}`)) })),
    );
  t.ok(sameUdpFrontends([], []));
  t.ok(sameUdpFrontends(of([1, 2]), of([2, 1])));
  t.notOk(sameUdpFrontends(of([1]), of([2])));
  t.notOk(sameUdpFrontends(of([1]), of([1, 2])));
  t.notOk(sameUdpFrontends(of([1], '192.0.2.1'), of([1])));
  t.notOk(sameUdpFrontends(of([1], '192.0.2.1'), of([1], '192.0.2.2')));
});
