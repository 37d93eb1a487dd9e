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

const READY = {};
const READY_TERMINATING = { conditions: { ready: true, terminating: true } };
const NOT_READY = { conditions: { ready: false, serving: false } };

t.test('backendsOf() takes the most usable of several entries for an address', async (t) => {
  const states = [NOT_READY, DRAINING, READY_TERMINATING, READY];
  for (const [worse, first] of states.entries()) {
    for (const second of states.slice(worse)) {
      const [alone] = backends([read('x', { endpoints: [endpoint('10.1.0.1', second)] })]);
      const pair = [first, second].map((fields) => endpoint('10.1.0.1', fields));
      for (const endpoints of [pair, pair.toReversed()]) {
        const apart = endpoints.map((entry, index) => read(`s${index}`, { endpoints: [entry] }));
        for (const slices of [[read('one', { endpoints })], apart, apart.toReversed()]) {
          const [merged] = backends(slices);
          t.match(merged, { ready: alone?.ready, serving: alone?.serving, terminating: alone?.terminating });
          t.equal(merged?.entries?.length, 2);
        }
      }
    }
  }
});

t.test('backendsOf() takes node and hints from the most usable entries', async (t) => {
  const at = (nodeName: string, fields: ApiObject = {}) => endpoint('10.1.0.1', { ...fields, nodeName });
  const merged = (...endpoints: ApiObject[]) => {
    const [found] = backends([read('a', { endpoints })]);
    return found && { nodeName: found.nodeName, isLocal: found.isLocal, zoneHints: found.zoneHints };
  };
  const zones = (...names: string[]) => ({ hints: { forZones: names.map((name) => ({ name })) } });
  t.match(merged(at('n2'), at('n1')), { nodeName: 'n1', isLocal: true }, 'this node');
  t.match(merged(at('n3'), at('n2')), { nodeName: 'n2', isLocal: false });
  t.match(merged(at('n2'), at('n1', NOT_READY)), { nodeName: 'n2', isLocal: false }, 'the pod has moved');
  t.match(
    merged(endpoint('10.1.0.1'), at('n1', NOT_READY)),
    { nodeName: 'n1', isLocal: true },
    'only one names a node',
  );
  t.match(merged(at('n2', zones('b')), at('n2', zones('a', 'b'))), { zoneHints: ['a', 'b'] });
  t.match(merged(at('n2', zones('b')), at('n2')), { zoneHints: [] }, 'an entry without hints is for every client');
  t.match(merged(at('n2', zones('b')), at('n2', { ...NOT_READY, ...zones('a') })), { zoneHints: ['b'] });
});

t.test(
  'backendsOf() does not depend on the order of slices and entries, and an entry takes no endpoint away',
  async (t) => {
    const entry = fc.record({
      host: fc.integer({ min: 1, max: 3 }),
      nodeName: fc.constantFrom('n1', 'n2', ''),
      state: fc.constantFrom(READY, DRAINING, READY_TERMINATING, NOT_READY),
      zones: fc.subarray(['a', 'b']),
    });
    type Entry = typeof entry extends fc.Arbitrary<infer T> ? T : never;
    const lists = fc.array(fc.array(entry, { maxLength: 4 }), { minLength: 1, maxLength: 4 });
    const toSlice = (entries: readonly Entry[], index: number) =>
      read(`s${index}`, {
        endpoints: entries.map(({ host, nodeName, state, zones }) =>
          endpoint(`10.1.0.${host}`, {
            ...state,
            ...(nodeName === '' ? {} : { nodeName }),
            hints: { forZones: zones.map((name) => ({ name })) },
          }),
        ),
      });
    const usable = (list: readonly Backend[]) =>
      list.filter(({ ready, serving, terminating }) => ready || (serving && terminating)).map(({ name }) => name);
    const property = fc.property(lists, fc.infiniteStream(fc.nat()), (given, random) => {
      const found = backends(given.map(toSlice));
      t.equal(new Set(names(found)).size, found.length);
      const shuffled = given.map((entries) => shuffle(entries, random)).map(toSlice);
      t.strictSame(backends(shuffle(shuffled, random)), found);
      for (let left = 0; left < given.length; left++) {
        const fewer = usable(backends(given.map(toSlice).filter((_, index) => index !== left)));
        t.strictSame(
          fewer.filter((name) => !usable(found).includes(name)),
          [],
        );
      }
    });
    fc.assert(property, { numRuns: 200, seed: 1 });
  },
);

function shuffle<T>(items: readonly T[], random: fc.Stream<number>): T[] {
  const left = [...items];
  return items.flatMap(() => left.splice((random.next().value ?? 0) % left.length, 1));
}
