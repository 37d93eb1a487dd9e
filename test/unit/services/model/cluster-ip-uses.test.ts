// Tests of src/services/model/cluster-ip-uses.ts.

import fc from 'fast-check';
import t from 'tap';
import { runSteps } from '../../../../src/lib/steps.ts';
import { ClusterIpUses } from '../../../../src/services/model/cluster-ip-uses.ts';
import { type EndpointSlice, readEndpointSlice } from '../../../../src/services/objects/endpoint-slice.ts';
import { readService, type Service } from '../../../../src/services/objects/service.ts';
import { clusterIps, service } from '../../../support/builders/service.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';

function serviceAt(key: string, ...addresses: readonly string[]): Service {
  const { value } = readService(service(key, { spec: clusterIps(...addresses) }));
  if (value === undefined) throw new Error('The Service is valid');
  return value;
}

function sliceWith(of: string, ...addresses: readonly string[]): EndpointSlice {
  const addressType = addresses[0]?.includes(':') ? 'IPv6' : 'IPv4';
  const endpoints = addresses.map((address) => endpoint(address));
  const { value } = readEndpointSlice(slice(of, { addressType, endpoints }));
  if (value === undefined) throw new Error('The slice is valid');
  return value;
}

/** The uses with the objects that they were made from, as the store has them. */
class Cluster {
  readonly changed: string[] = [];
  readonly uses = new ClusterIpUses((key) => this.changed.push(key));
  readonly services = new Map<string, Service>();
  readonly slices = new Map<string, EndpointSlice>();

  setService(key: string, after: Service | undefined): this {
    this.uses.setService(key, { before: this.services.get(key), after });
    if (after === undefined) this.services.delete(key);
    else this.services.set(key, after);
    return this;
  }

  setSlice(key: string, after: EndpointSlice | undefined): this {
    this.uses.setSlice(key, { before: this.slices.get(key), after });
    if (after === undefined) this.slices.delete(key);
    else this.slices.set(key, after);
    return this;
  }

  search(isFree: (address: string) => boolean = () => false): this {
    runSteps(this.uses.searchSteps(this.slices.values(), isFree));
    return this;
  }

  takeChanged(): string[] {
    return this.changed.splice(0);
  }

  issues(): string[] {
    return this.uses.issues().map(({ object, value, reason }) => `${object} ${value} ${reason}`);
  }
}

t.test('ClusterIpUses finds cluster IPs among endpoints, whichever comes first', async (t) => {
  const cluster = new Cluster().setSlice('a/x-1', sliceWith('a/x', '10.1.0.1', '10.1.0.2'));
  cluster.setService('b/early', serviceAt('b/early', '10.1.0.2', 'fd00::2'));
  t.equal(cluster.uses.isInUse('10.1.0.2'), false, 'not searched yet');
  cluster.search();
  t.equal(cluster.uses.isInUse('10.1.0.2'), true);
  t.equal(cluster.uses.isInUse('10.1.0.1'), false, 'no cluster IP');
  t.strictSame(cluster.takeChanged(), ['b/early']);
  cluster.setSlice('a/y-1', sliceWith('a/y', 'fd00::2', 'fd00::2'));
  t.equal(cluster.uses.isInUse('fd00::2'), true, 'a later slice');
  t.strictSame(cluster.takeChanged(), ['b/early']);
  t.match(cluster.uses.issues(), [
    {
      object: 'Service b/early',
      field: 'spec.clusterIPs',
      value: '"10.1.0.2"',
      reason: 'is an endpoint of EndpointSlice a/x-1',
      effect: 'not refusing connections that it does not serve',
    },
    { value: '"fd00::2"', reason: 'is an endpoint of EndpointSlice a/y-1' },
  ]);
});

t.test('ClusterIpUses names another slice when the first is gone, and forgets the last', async (t) => {
  const cluster = new Cluster().setService('b/s', serviceAt('b/s', '10.1.0.2')).search();
  for (const key of ['a/z', 'a/x', 'a/y']) cluster.setSlice(`${key}-1`, sliceWith(key, '10.1.0.2'));
  t.strictSame(cluster.takeChanged(), ['b/s'], 'only the first one matters');
  t.strictSame(cluster.issues(), ['Service b/s "10.1.0.2" is an endpoint of EndpointSlice a/x-1']);
  t.strictSame([...cluster.uses.slicesAt('10.1.0.2')].sort(), ['a/x-1', 'a/y-1', 'a/z-1']);
  const before = cluster.uses.issues();
  t.equal(cluster.uses.issues(), before, 'the same list');
  cluster.setSlice('a/x-1', sliceWith('a/x', '10.1.0.9')).setSlice('a/z-1', undefined);
  t.strictSame(cluster.issues(), ['Service b/s "10.1.0.2" is an endpoint of EndpointSlice a/y-1']);
  t.strictSame(cluster.takeChanged(), []);
  cluster.setSlice('a/y-1', undefined);
  t.strictSame(cluster.takeChanged(), ['b/s']);
  t.strictSame(cluster.issues(), []);
  t.strictSame([...cluster.uses.slicesAt('10.1.0.2')], []);
});

t.test('ClusterIpUses knows all Services of an address', async (t) => {
  const cluster = new Cluster().setSlice('a/x-1', sliceWith('a/x', '10.1.0.1'));
  for (const key of ['b/1', 'b/2']) cluster.setService(key, serviceAt(key, '10.1.0.1'));
  cluster.search();
  t.strictSame(cluster.takeChanged(), ['b/1', 'b/2']);
  t.equal(cluster.issues().length, 2);
  cluster.setService('b/1', serviceAt('b/1', '10.96.0.1'));
  t.equal(cluster.uses.isInUse('10.1.0.1'), true);
  t.equal(cluster.issues().length, 1);
  cluster.setService('b/2', undefined);
  t.equal(cluster.uses.isInUse('10.1.0.1'), false, 'no cluster IP any more');
  t.strictSame(cluster.issues(), []);
  cluster.setService('b/2', serviceAt('b/2', '10.1.0.1')).search();
  t.equal(cluster.uses.isInUse('10.1.0.1'), true, 'again');
});

t.test('ClusterIpUses compares with the addresses of this node', async (t) => {
  const cluster = new Cluster().setService('b/s', serviceAt('b/s', '192.0.2.1')).search();
  cluster.uses.setNode({ name: 'n1', addresses: ['192.0.2.1', 'fd00::9'] });
  t.strictSame(cluster.takeChanged(), ['b/s']);
  t.strictSame(cluster.issues(), ['Service b/s "192.0.2.1" is an address of Node n1']);
  cluster.uses.setNode({ name: 'n1', addresses: ['192.0.2.1', 'fd00::9'] });
  t.strictSame(cluster.takeChanged(), [], 'unchanged');
  cluster.uses.setNode({ name: 'n1', addresses: ['192.0.2.2'] });
  t.strictSame(cluster.takeChanged(), ['b/s']);
  t.equal(cluster.uses.isInUse('192.0.2.1'), false);
  t.strictSame(cluster.issues(), []);
});

t.test(
  'ClusterIpUses searches for new cluster IPs once, in steps, and not for those that cannot be endpoints',
  async (t) => {
    const cluster = new Cluster();
    let reads = 0;
    const many = Array.from({ length: 300 }, (_, n) =>
      sliceWith(`a/s${n}`, ...Array.from({ length: 100 }, (_, host) => `10.${n >> 8}.${n & 255}.${host + 1}`)),
    );
    function* slices(): Generator<EndpointSlice> {
      for (const each of many) {
        reads++;
        yield each;
      }
    }
    for (let n = 0; n < 50; n++) cluster.setService(`b/${n}`, serviceAt(`b/${n}`, `10.0.${n}.7`));
    const isFree = (address: string) => address === '10.0.9.7';
    const steps = [...cluster.uses.searchSteps(slices(), isFree)].length;
    t.ok(steps >= 2, `${steps} pauses`);
    t.equal(reads, 300, 'one pass for all');
    t.equal(cluster.issues().length, 49);
    t.equal(cluster.uses.isInUse('10.0.9.7'), false);
    runSteps(cluster.uses.searchSteps(slices(), isFree));
    cluster.setService('b/1', serviceAt('b/1', '10.0.9.7'));
    runSteps(cluster.uses.searchSteps(slices(), isFree));
    t.equal(reads, 300, 'nothing new');
  },
);

const ADDRESSES = ['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.1.0.4'];
const SOME = fc.subarray(ADDRESSES, { minLength: 1 });
const EVENTS = fc.oneof(
  fc.record({
    kind: fc.constant('service' as const),
    key: fc.constantFrom('a/1', 'a/2'),
    at: fc.constantFrom(...ADDRESSES, undefined),
  }),
  fc.record({
    kind: fc.constant('slice' as const),
    key: fc.constantFrom('a/x', 'a/y', 'a/z'),
    at: fc.option(SOME, { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('node' as const), at: SOME }),
  fc.record({ kind: fc.constant('search' as const) }),
);

t.test('ClusterIpUses arrives at the same whatever changes before, during and after a search', async (t) => {
  const property = fc.property(fc.array(EVENTS, { maxLength: 40 }), (events) => {
    const cluster = new Cluster();
    let node: readonly string[] = [];
    const left = [...events];
    const applyNext = (): void => {
      const event = left.shift();
      if (event?.kind === 'service') {
        cluster.setService(event.key, event.at === undefined ? undefined : serviceAt(event.key, event.at));
      } else if (event?.kind === 'slice')
        cluster.setSlice(`${event.key}-1`, event.at && sliceWith(event.key, ...event.at));
      else if (event?.kind === 'node') {
        node = event.at;
        cluster.uses.setNode({ name: 'n1', addresses: node });
      }
    };
    function* slicesMeanwhile(): Generator<EndpointSlice> {
      for (const slice of cluster.slices.values()) {
        yield slice;
        applyNext();
      }
    }
    while (left.length > 0) {
      if (left[0]?.kind === 'search') runSteps(cluster.uses.searchSteps(slicesMeanwhile(), () => false));
      applyNext();
    }
    cluster.search();
    const own = [...cluster.services.values()].flatMap(({ clusterIps }) => Object.values(clusterIps));
    const endpoints = [...cluster.slices.values()].flatMap((slice) => slice.endpoints.map(({ address }) => address));
    const uses = (address: string) => node.includes(address) || (own.includes(address) && endpoints.includes(address));
    const expected = ADDRESSES.filter(uses);
    const found = ADDRESSES.filter((address) => cluster.uses.isInUse(address));
    if (found.join() !== expected.join()) throw new Error(`${found} instead of ${expected}`);
    const reported = new Set(cluster.uses.issues().map(({ value }) => JSON.parse(value)));
    const toReport = expected.filter((address) => own.includes(address));
    if ([...reported].sort().join() !== toReport.join()) throw new Error(`${[...reported]} instead of ${toReport}`);
  });
  fc.assert(property, { numRuns: 2000, seed: 11 });
  t.pass('2,000 histories');
});
