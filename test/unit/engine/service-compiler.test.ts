// Tests of src/engine/service-compiler.ts: changes in pieces, with objects that change in between.

import fc from 'fast-check';
import t from 'tap';
import { Engine } from '../../../src/engine/engine.ts';
import { linesOf } from '../../../src/engine/transaction.ts';
import { applyEvent, ClusterObjects, objectEvents } from '../../support/builders/arbitrary-events.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';
import { put, remove, replaceAll } from '../../support/builders/put-objects.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import { FakeNftables } from '../../support/fakes/fake-nftables.ts';
import { contents, danglingVerdicts, orphanedSlots } from '../../support/fakes/ruleset-checks.ts';

const OPTIONS = { ...DEFAULT_OPTIONS, nodeName: 'n1' };
/** So small that nearly every Service is large. */
const SIZES = { largeService: 4, servicesAtOnce: 2, piece: 3, minPiece: 1 };

/** An engine that changes Services in pieces, with its kernel. */
class PiecewiseProxy {
  readonly kernel = new FakeNftables();
  readonly engine: Engine;
  /** Called between the steps of a computation. */
  betweenSteps: () => void = () => {};

  constructor(sizes?: typeof SIZES) {
    this.engine = new Engine(OPTIONS, sizes);
    this.engine.adopt(this.kernel.list());
    this.engine.compile();
    this.#apply();
  }

  /** One sync. Returns the number of operations. */
  sync(): number {
    for (const _ of this.engine.compilePiece()) this.betweenSteps();
    return this.#apply();
  }

  /** Syncs until nothing is left. */
  finish(): number {
    let syncs = 1;
    for (this.sync(); this.engine.hasMore || this.engine.store.isTouched; this.sync()) {
      if (++syncs > 10_000) throw new Error('The work does not end');
    }
    return syncs;
  }

  #apply(): number {
    let operations = 0;
    for (const transaction of this.engine.plan().flat()) {
      const lines = linesOf(transaction);
      operations += lines.length;
      this.kernel.run(lines);
      this.engine.committed(transaction);
      const dangling = danglingVerdicts(this.kernel);
      if (dangling.length > 0) throw new Error(`Verdicts without slots: ${dangling}`);
    }
    const { chains, operations: deletions } = this.engine.staleChains();
    this.kernel.run(deletions.map(({ line }) => line));
    this.engine.removed(chains);
    this.engine.changes.take();
    return operations;
  }
}

function fresh(objects: readonly ApiObject[]): PiecewiseProxy {
  const proxy = new PiecewiseProxy();
  replaceAll(proxy.engine, objects);
  proxy.finish();
  return proxy;
}

t.test('pieces arrive at the state of a fresh engine, whatever changes in between', async (t) => {
  const property = fc.property(
    objectEvents(40),
    fc.array(fc.nat(6), { minLength: 1, maxLength: 8 }),
    fc.constantFrom('syncs', 'steps'),
    (history, pauses, between) => {
      const proxy = new PiecewiseProxy(SIZES);
      const cluster = new ClusterObjects();
      const events = history.entries();
      let [pause, paused] = [0, 0];
      const applyNext = (): boolean => {
        const { done, value } = events.next();
        if (done === true) return false;
        cluster.apply(value[1]);
        applyEvent(proxy.engine, value[1]);
        return true;
      };
      if (between === 'steps') {
        proxy.betweenSteps = () => {
          if (pause-- > 0) return;
          pause = pauses[paused++ % pauses.length] ?? 0;
          applyNext();
        };
      }
      for (let index = 0; applyNext(); index++) {
        for (let syncs = pauses[index % pauses.length] ?? 0; syncs > 0; syncs--) proxy.sync();
      }
      proxy.betweenSteps = () => {};
      proxy.finish();
      const expected = fresh(cluster.objects());
      if (JSON.stringify(contents(proxy.kernel.list())) !== JSON.stringify(contents(expected.kernel.list())))
        throw new Error('Other elements');
      if (orphanedSlots(proxy.kernel).length > 0) throw new Error('Orphaned slots');
      if (JSON.stringify(proxy.engine.conflicts()) !== JSON.stringify(expected.engine.conflicts()))
        throw new Error('Other conflicts');
      if (proxy.engine.inProgress.length > 0) throw new Error('Still in progress');
    },
  );
  fc.assert(property, { numRuns: 150, seed: 1 });
  t.pass('150 histories');
});

t.test('the change of another Service does not wait for a large one', async (t) => {
  const proxy = new PiecewiseProxy();
  const other = [service('shop/web'), slice('shop/web')];
  put(proxy.engine, ...other);
  proxy.finish();
  const endpoints = (count: number) => Array.from({ length: count }, (_, i) => endpoint(`10.2.${i >> 8}.${i & 255}`));
  put(
    proxy.engine,
    service('tenant/huge', { spec: { ...clusterIps('10.96.0.9'), externalIPs: ['192.0.2.7', '192.0.2.8'] } }),
    slice('tenant/huge', { endpoints: endpoints(10_000) }),
  );
  proxy.sync();
  t.ok(proxy.engine.hasMore);
  t.notOk(proxy.kernel.elements('ip', 'service-ips').has('10.96.0.9 . tcp . 80'));
  put(proxy.engine, slice('shop/web', { endpoints: [endpoint('10.1.0.1'), endpoint('10.1.0.2')] }));
  const operations = proxy.sync();
  t.equal(proxy.kernel.elements('ip', 'service-ips').get('10.96.0.1 . tcp . 80')?.data, 'goto cluster-2');
  t.ok(operations < 3000, `${operations} operations`);
  const syncs = proxy.finish();
  t.ok(syncs > 10, `${syncs} syncs`);
  t.equal(proxy.kernel.elements('ip', 'service-ips').get('10.96.0.9 . tcp . 80')?.data, 'goto cluster-10000');
  t.strictSame(
    proxy.engine.changes.list().map(({ key }) => key),
    [],
  );
  remove(proxy.engine, service('tenant/huge'));
  const isServed = () => proxy.kernel.elements('ip', 'service-ips').has('10.96.0.9 . tcp . 80');
  for (let removing = 0; removing < 5 && isServed(); removing++) proxy.sync();
  t.notOk(isServed(), 'its verdicts are removed first');
  proxy.finish();
  t.equal(proxy.kernel.elements('ip', 'endpoints').size, 2);
});

t.test('a large Service is reported when it is complete, and is in progress until then', async (t) => {
  const proxy = new PiecewiseProxy({ ...SIZES, largeService: 4 });
  const endpoints = [1, 2, 3, 4, 5, 6, 7].map((host) => endpoint(`10.1.0.${host}`));
  put(proxy.engine, service('shop/web'), slice('shop/web', { endpoints }));
  const reported: string[] = [];
  for (let syncs = 0; proxy.engine.hasMore || syncs === 0; syncs++) {
    for (const _ of proxy.engine.compilePiece());
    reported.push(...proxy.engine.changes.take().map(({ key }) => `${key} ${proxy.engine.hasMore}`));
    if (proxy.engine.hasMore) t.match(proxy.engine.inProgress, [{ key: 'shop/web', state: 'served' }]);
  }
  t.strictSame(reported, ['shop/web false']);
});
