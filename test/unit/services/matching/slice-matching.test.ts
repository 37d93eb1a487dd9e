// Tests of src/services/matching/slice-matching.ts.

import t from 'tap';
import { orphanIssue, sliceIssues, whyWithoutEndpoints } from '../../../../src/services/matching/slice-matching.ts';
import { type EndpointSlice, readEndpointSlice } from '../../../../src/services/objects/endpoint-slice.ts';
import type { MissedSlice } from '../../../../src/services/objects/read.ts';
import { readService, type Service } from '../../../../src/services/objects/service.ts';
import { formatIssue } from '../../../../src/services/objects/validation-issue.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

const HTTP = { name: 'http', port: 80, protocol: 'TCP' };

function serviceWith(spec: ApiObject = { ports: [HTTP] }): Service {
  const { value } = readService(service('shop/web', { spec }));
  if (value === undefined) throw new Error('The Service is used');
  return value;
}

function sliceWith(name: string, overrides: ApiObject): EndpointSlice {
  const { value } = readEndpointSlice(slice('shop/web', { metadata: { name }, ...overrides }));
  if (value === undefined) throw new Error('The slice is used');
  return value;
}

function missed(object: ApiObject): MissedSlice {
  const { missed } = readEndpointSlice(object);
  if (missed === undefined) throw new Error('No Service can miss it');
  return missed;
}

const port = (name: string, protocol = 'TCP') => ({ ports: [{ name, protocol, port: 8080 }] });
const lines = (...parameters: Parameters<typeof sliceIssues>) => sliceIssues(...parameters).map(formatIssue);
const SERVICE_PORT = 'Service shop/web has spec.ports[].name "http" with protocol TCP';
const EXPECTED_PORT = `names and protocols must be equal: ${SERVICE_PORT}`;

t.test('sliceIssues() names the field that differs, and what would fit', async (t) => {
  const cases: [about: string, overrides: ApiObject, expected: string][] = [
    ['another name', port('web'), `ports[0].name "web": ${EXPECTED_PORT}`],
    ['a name in other case', port('HTTP'), `ports[0].name "HTTP": ${EXPECTED_PORT}`],
    ['no name', port(''), `ports[0].name "": ${EXPECTED_PORT}`],
    ['another protocol', port('http', 'UDP'), `ports[0].protocol "UDP": ${EXPECTED_PORT}`],
    ['both', port('dns', 'UDP'), `ports ["dns/UDP"]: ${EXPECTED_PORT}`],
    ['no ports', { ports: [] }, `ports []: the slice has no usable port: ${SERVICE_PORT}`],
    ['no list of ports', { ports: undefined }, `ports []: the slice has no usable port: ${SERVICE_PORT}`],
  ];
  for (const [about, overrides, expected] of cases) {
    const issues = sliceIssues(serviceWith(), [sliceWith('web-1', overrides)], []);
    t.strictSame(issues.map(formatIssue), [`EndpointSlice shop/web-1: ${expected}; the port has no endpoints`], about);
    t.match(issues, [{ service: 'shop/web' }]);
  }
  const wrongFamily = sliceWith('web-1', { ...port('http'), addressType: 'IPv6', endpoints: [endpoint('fd00::1')] });
  t.strictSame(lines(serviceWith(), [wrongFamily], []), [
    'EndpointSlice shop/web-1: addressType "IPv6": Service shop/web has IPv4 only; its endpoints are not used',
  ]);
});

t.test('sliceIssues() names the slice that differs least', async (t) => {
  const slices = [sliceWith('a', port('dns', 'UDP')), sliceWith('b', port('http', 'UDP')), sliceWith('c', port('web'))];
  t.match(lines(serviceWith(), slices, []), [
    /^EndpointSlice shop\/b: ports\[0\]\.protocol .*, nor in 2 other slices$/,
  ]);
});

t.test('sliceIssues() finds nothing wrong with what is usual', async (t) => {
  const right = sliceWith('right', port('http'));
  const two = { ports: [HTTP, { name: 'dns', port: 53, protocol: 'UDP' }] };
  const usual: [about: string, Service, EndpointSlice[]][] = [
    ['no slice yet', serviceWith(), []],
    ['no endpoints yet', serviceWith(), [sliceWith('web-1', { ...port('web'), endpoints: [] })]],
    ['one of two slices has the port', serviceWith(), [sliceWith('old', port('web')), right]],
    ['a slice for each port', serviceWith(two), [right, sliceWith('dns', port('dns', 'UDP'))]],
    ['a second family without slices', serviceWith({ ports: [HTTP], ...clusterIps('10.96.0.1', 'fd00::1') }), [right]],
    [
      'slices of a second family',
      serviceWith(),
      [right, sliceWith('v6', { addressType: 'IPv6', endpoints: [endpoint('fd00::1')] })],
    ],
  ];
  for (const [about, object, slices] of usual) t.strictSame(lines(object, slices, []), [], about);
});

t.test('sliceIssues() names what may be meant for a Service without endpoints', async (t) => {
  const labels = (value: ApiObject) => ({ metadata: { name: 'web-abc', labels: value } });
  const core = { apiVersion: 'v1', kind: 'Endpoints', metadata: { namespace: 'shop', name: 'web' } };
  const cases: [about: string, ApiObject, RegExp][] = [
    [
      'no label',
      slice('shop/web', labels({ 'kubernetes.io/service-name': undefined })),
      /^EndpointSlice shop\/web-abc: metadata\.labels\["kubernetes\.io\/service-name"\] \(absent\): must be the name/,
    ],
    [
      'a headless one',
      slice('shop/web', labels({ 'service.kubernetes.io/headless': '' })),
      /: metadata\.labels\["service\.kubernetes\.io\/headless"\] "": is for slices of headless Services only;/,
    ],
    ['names', slice('shop/web', { addressType: 'FQDN' }), /: addressType "FQDN": must be IPv4 or IPv6/],
    ['core Endpoints', core, /^Endpoints shop\/web: kind "Endpoints": only EndpointSlices of discovery\.k8s\.io\/v1/],
    [
      'an older version',
      slice('shop/web', { apiVersion: 'discovery.k8s.io/v1beta1' }),
      /: apiVersion "discovery\.k8s\.io\/v1beta1": only EndpointSlices of discovery\.k8s\.io\/v1 are read; Service shop\/web/,
    ],
  ];
  const filled = sliceWith('right', port('http'));
  for (const [about, object, expected] of cases) {
    t.ok(missed(object).services.includes('shop/web'), about);
    t.match(lines(serviceWith(), [], [missed(object)]), [expected], about);
    t.strictSame(lines(serviceWith(), [filled], [missed(object)]), [], `${about}: another slice serves it`);
    t.match(lines(serviceWith(), [sliceWith('web-1', port('web'))], [missed(object)]), [/ports\[0\]/, expected]);
  }
});

t.test('orphanIssue() names the namespace that has such a Service', async (t) => {
  const orphan = sliceWith('web-1', {});
  t.match(orphanIssue(orphan, []).map(formatIssue), [/: there is no Service shop\/web; its endpoints are not used$/]);
  t.match(orphanIssue(orphan, ['prod']).map(formatIssue), [/; Service prod\/web is in another namespace;/]);
});

t.test('whyWithoutEndpoints() says what is missing', async (t) => {
  const object = serviceWith();
  const [first] = object.ports;
  if (first === undefined) throw new Error('The Service has a port');
  const why = (slices: readonly EndpointSlice[], backends = 0, family: 'ip' | 'ip6' = 'ip') =>
    whyWithoutEndpoints(object, { port: first, family, slices, backends });
  t.match(why([]), /no usable EndpointSlice has the label kubernetes\.io\/service-name=web: it has no selector/);
  const selecting = serviceWith({ ports: [HTTP], selector: { app: 'web' } });
  const state = { port: first, family: 'ip', slices: [], backends: 0 } as const;
  t.match(whyWithoutEndpoints(selecting, state), /=web: its selector matches no pods, or the controller/);
  t.equal(why([sliceWith('a', port('http'))], 0, 'ip6'), 'no EndpointSlice has the addressType IPv6');
  t.equal(why([sliceWith('a', { endpoints: [] })]), 'its EndpointSlices have no usable endpoints');
  t.equal(why([sliceWith('a', port('web'))]), 'no EndpointSlice with endpoints has port "http"/TCP');
  t.equal(why([sliceWith('a', port('http'))], 1), 'its endpoint is not ready');
  t.equal(why([sliceWith('a', port('http'))], 3), 'none of its 3 endpoints is ready');
});
