// Tests of src/services/model/backends.ts.

import fc from 'fast-check';
import t from 'tap';
import { type Backend, backendsOf } from '../../../../src/services/model/backends.ts';
import { type EndpointSlice, readEndpointSlice } from '../../../../src/services/objects/endpoint-slice.ts';
import type { ServicePort } from '../../../../src/services/objects/service-ports.ts';
import { DRAINING, endpoint, slice } from '../../../support/builders/slice.ts';
import type { ApiObject } from '../../../support/deployment/merge.ts';

const PORT: ServicePort = { name: '', protocol: 'tcp', port: 80, nodePort: 0 };

function read(name: string, overrides: ApiObject): EndpointSlice {
  const { value } = readEndpointSlice(slice('shop/web', { metadata: { name }, ...overrides }));
  if (value === undefined) throw new Error('The slice is used');
  return value;
}

function backends(slices: readonly EndpointSlice[], port: Partial<ServicePort> = {}, nodeName = 'n1'): Backend[] {
  return backendsOf(slices, { port: { ...PORT, ...port }, family: 'ip', nodeName });
}

const names = (list: readonly Backend[]) => list.map(({ name }) => name);

t.test('backendsOf() matches slice ports by name and protocol', async (t) => {
  const ports = [
    { name: 'http', protocol: 'TCP', port: 8080 },
    { name: 'http', protocol: 'UDP', port: 8081 },
    { name: 'dns', protocol: 'TCP', port: 8082 },
    { name: '', protocol: 'TCP', port: 8083 },
  ];
  const slices = [read('a', { ports })];
  t.strictSame(names(backends(slices, { name: 'http' })), ['10.1.0.1:8080']);
  t.strictSame(names(backends(slices, { name: 'http', protocol: 'udp' })), ['10.1.0.1:8081']);
  t.strictSame(names(backends(slices)), ['10.1.0.1:8083']);
  t.strictSame(names(backends(slices, { name: 'other' })), []);
  t.strictSame(names(backends([])), []);
});

t.test('backendsOf() uses slices of its family and sorts by name as text', async (t) => {
  const slices = [
    read('a', { endpoints: ['10.1.0.2', '10.1.0.1', '10.1.0.10'].map((address) => endpoint(address)) }),
    read('b', { addressType: 'IPv6', endpoints: [endpoint('fd00::1')] }),
  ];
  t.strictSame(names(backends(slices)), ['10.1.0.10:8080', '10.1.0.1:8080', '10.1.0.2:8080']);
  const ip6 = backendsOf(slices, { port: PORT, family: 'ip6', nodeName: 'n1' });
  t.strictSame(names(ip6), ['[fd00::1]:8080']);
});

t.test('backendsOf() returns a backend for each port of an address', async (t) => {
  const port = (number: number) => [{ name: '', protocol: 'TCP', port: number }];
  const slices = [read('a', { ports: port(8080) }), read('b', { ports: port(9090) })];
  t.strictSame(names(backends(slices)), ['10.1.0.1:8080', '10.1.0.1:9090']);
});

t.test('backendsOf() marks the backends of this node', async (t) => {
  const endpoints = [{ nodeName: 'n1' }, { nodeName: 'N1' }, {}].map((fields, index) =>
    endpoint(`10.1.0.${index}`, fields),
  );
  const local = (nodeName: string) =>
    backends([read('a', { endpoints })], {}, nodeName).map((backend) => backend.isLocal);
  t.strictSame(local('n1'), [true, false, false]);
  t.strictSame(local(''), [false, false, false], 'a node without a name has no backends');
});

t.test('backendsOf() prefers endpoints that are not terminating, then the last slice by name', async (t) => {
  const ready = (nodeName: string) => ({ endpoints: [endpoint('10.1.0.1', { nodeName })] });
  const draining = (nodeName: string) => ({ endpoints: [endpoint('10.1.0.1', { ...DRAINING, nodeName })] });
  const cases: [ApiObject, ApiObject, string][] = [
    [ready('first'), ready('last'), 'last'],
    [ready('first'), draining('last'), 'first'],
    [draining('first'), ready('last'), 'last'],
    [draining('first'), draining('last'), 'last'],
  ];
  for (const [first, last, expected] of cases) {
    const slices = [read('a', first), read('b', last)];
    t.match(backends(slices), [{ nodeName: expected }]);
    t.strictSame(backends(slices.toReversed()), backends(slices));
  }
});

t.test('backendsOf() does not depend on the order of slices and has no duplicates', async (t) => {
  const endpointArbitrary = fc.record({
    host: fc.integer({ min: 1, max: 4 }),
    conditions: fc.constantFrom({}, DRAINING.conditions),
  });
  const lists = fc.array(fc.array(endpointArbitrary, { maxLength: 4 }), { maxLength: 4 });
  const property = fc.property(lists, fc.nat(3), (given, turn) => {
    const slices = given.map((endpoints, index) =>
      read(`s${index}`, { endpoints: endpoints.map(({ host, ...rest }) => endpoint(`10.1.0.${host}`, rest)) }),
    );
    const found = backends(slices);
    t.strictSame(backends([...slices.slice(turn), ...slices.slice(0, turn)]), found);
    t.equal(new Set(names(found)).size, found.length);
  });
  fc.assert(property, { numRuns: 50, seed: 1 });
});
