// Tests that an engine arrives at the state of a fresh engine after any history, without broken states in between.

import fc from 'fast-check';
import t from 'tap';
import { Engine } from '../../../src/engine/engine.ts';
import { BATCH_SIZE, linesOf, type Transaction } from '../../../src/engine/transaction.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { parsePrefix } from '../../../src/net/prefix.ts';
import { SETS_AND_MAPS } from '../../../src/nftables/compile/sets-and-maps.ts';
import { writeChain } from '../../../src/nftables/syntax/operation.ts';
import { applyEvent, ClusterObjects, type ObjectEvent, objectEvents } from '../../support/builders/arbitrary-events.ts';
import { DEFAULT_OPTIONS } from '../../support/builders/proxy-options.ts';
import { put, replaceAll } from '../../support/builders/put-objects.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import { FakeNftables } from '../../support/fakes/fake-nftables.ts';
import { contents, danglingVerdicts, orphanedSlots } from '../../support/fakes/ruleset-checks.ts';

const OPTIONS = { ...DEFAULT_OPTIONS, nodeName: 'n1' };

function equal(actual: unknown, expected: unknown, about: string): void {
  const [a, b] = [JSON.stringify(actual, undefined, 1), JSON.stringify(expected, undefined, 1)];
  if (a !== b) throw new Error(`${about}\nactual: ${a}\nexpected: ${b}`);
}

/** An engine with its kernel. */
class TestProxy {
  readonly kernel: FakeNftables;
  readonly engine = new Engine(OPTIONS);

  constructor(kernel = new FakeNftables()) {
    this.kernel = kernel;
    this.engine.adopt(kernel.list());
  }

  /** Syncs the kernel, and checks it after each transaction. Returns the transactions. */
  sync(): Transaction[] {
    this.engine.compile();
    const transactions = this.engine.plan().flat();
    for (const transaction of transactions) {
      const lines = linesOf(transaction);
      if (lines.length === 0) throw new Error('An empty transaction');
      this.kernel.run(lines);
      this.engine.committed(transaction);
      equal(danglingVerdicts(this.kernel), [], 'Every verdict has its slots');
    }
    const { chains, operations } = this.engine.staleChains();
    this.kernel.run(operations.map(({ line }) => line));
    this.engine.removed(chains);
    return transactions;
  }

  /** Checks that the kernel has exactly the desired state, and that nothing is left to do. */
  check(): void {
    equal(orphanedSlots(this.kernel), [], 'No orphaned slots');
    equal(installed(this.kernel), desired(this.engine), 'The kernel has the desired elements');
    equal(this.engine.plan(), [], 'Nothing is left to do');
    equal(this.engine.differences(), [], 'Nothing differs');
    equal(this.engine.staleChains().chains, [], 'No stale chains');
    const rules = FAMILIES.flatMap((family) =>
      this.engine
        .chains(family)
        .chains.map((chain) => [
          `${family} ${chain.name}`,
          writeChain(family, chain).flatMap(({ line }) => /^add rule \S+ \S+ \S+ (.+)$/.exec(line)?.[1] ?? []),
        ]),
    );
    equal([...this.kernel.rules()].sort(), rules.sort(), 'The kernel has the desired rules');
    const affinityMaps = FAMILIES.flatMap((family) =>
      this.engine.chains(family).dynamicSets.map(({ name }) => `${family} ${name}`),
    );
    equal(this.kernel.affinityMaps().sort(), affinityMaps.sort(), 'The kernel has the desired affinity maps');
  }
}

function installed(kernel: FakeNftables): string[] {
  const lines = [...kernel.list().elements].flatMap(([object, elements]) =>
    [...elements].map(([key, { data, comment }]) => `${object} ${key} "${comment}" : ${data}`),
  );
  return lines.sort();
}

function desired(engine: Engine): string[] {
  const lines = FAMILIES.flatMap((family) =>
    Object.values(SETS_AND_MAPS[family]).flatMap((object) =>
      engine.elements(object).map(({ key, data, comment }) => `${family} ${object.name} ${key} "${comment}" : ${data}`),
    ),
  );
  return lines.sort();
}

function fromScratch(objects: readonly ApiObject[]): TestProxy {
  const proxy = new TestProxy();
  replaceAll(proxy.engine, objects);
  proxy.sync();
  proxy.check();
  return proxy;
}

/** Replays a history, with a sync after each event that `syncAfter` selects. */
function replay(
  history: readonly ObjectEvent[],
  syncAfter: readonly boolean[],
): { proxy: TestProxy; cluster: ClusterObjects } {
  const [proxy, cluster] = [new TestProxy(), new ClusterObjects()];
  for (const [index, event] of history.entries()) {
    applyEvent(proxy.engine, event);
    cluster.apply(event);
    if (!syncAfter[index % syncAfter.length]) continue;
    proxy.sync();
    proxy.check();
  }
  proxy.sync();
  proxy.check();
  return { proxy, cluster };
}

const SYNCS = fc.array(fc.boolean(), { minLength: 1, maxLength: 7 });

t.test('Engine arrives at the state of a fresh engine, whatever the history', async (t) => {
  let historiesWithUses = 0;
  let historiesWithHealthChecks = 0;
  const property = fc.property(objectEvents(40), SYNCS, (history, syncAfter) => {
    const { proxy, cluster } = replay(history, syncAfter);
    const scratch = fromScratch(cluster.objects());
    equal(contents(proxy.kernel.list()), contents(scratch.kernel.list()), 'The kernels have the same elements');
    equal([...proxy.kernel.rules()].sort(), [...scratch.kernel.rules()].sort(), 'The kernels have the same rules');
    equal(proxy.engine.conflicts(), scratch.engine.conflicts(), 'The conflicts are the same');
    equal(proxy.engine.store.issues(), scratch.engine.store.issues(), 'The issues are the same');
    const ofHealthChecks = ({ engine }: TestProxy) =>
      engine.issues().filter(({ reason }) => reason.includes('health check node port'));
    equal(ofHealthChecks(proxy), ofHealthChecks(scratch), 'The node ports of health checks are the same');
    if (ofHealthChecks(proxy).length > 0) historiesWithHealthChecks++;
    const [uses, expectedUses] = [proxy, scratch].map(({ engine }) => engine.store.clusterIpUses.issues());
    equal(uses, expectedUses, 'The cluster IPs in use are the same');
    if ((uses?.length ?? 0) > 0) historiesWithUses++;
    return true;
  });
  fc.assert(property, { numRuns: 300, seed: 1 });
  t.ok(historiesWithHealthChecks >= 5, `${historiesWithHealthChecks} with node ports that are taken by health checks`);
  t.ok(historiesWithUses > 50, `300 histories, ${historiesWithUses} with cluster IPs that are in use`);
});

t.test('Engine keeps maglev tables across changes and restarts', async (t) => {
  const property = fc.property(objectEvents(20, { maglev: true }), SYNCS, (history, syncAfter) => {
    const { proxy, cluster } = replay(history, syncAfter);
    const scratch = fromScratch(cluster.objects());
    equal(contents(proxy.kernel.list()), contents(scratch.kernel.list()), 'The kernels have the same elements');
    const restarted = new TestProxy(proxy.kernel);
    replaceAll(restarted.engine, cluster.objects());
    const lines = restarted.sync().flatMap(linesOf);
    equal(
      lines.filter((line) => line.includes(' element ')),
      [],
      'No element is sent again',
    );
  });
  fc.assert(property, { numRuns: 12, seed: 5 });
  t.pass('12 histories');
});

t.test('Engine does nothing for unchanged objects', async (t) => {
  const property = fc.property(objectEvents(15), (history) => {
    const { proxy, cluster } = replay(history, [false]);
    put(proxy.engine, ...cluster.objects());
    equal(proxy.sync(), [], 'as single objects');
    replaceAll(proxy.engine, cluster.objects());
    equal(proxy.sync(), [], 'as lists');
  });
  fc.assert(property, { numRuns: 40, seed: 2 });
  t.pass('40 clusters');
});

t.test('Engine changes no element when it restarts', async (t) => {
  const property = fc.property(objectEvents(25), SYNCS, (history, syncAfter) => {
    const { proxy, cluster } = replay(history, syncAfter);
    const before = installed(proxy.kernel);
    const restarted = new TestProxy(proxy.kernel);
    replaceAll(restarted.engine, cluster.objects());
    const sent = restarted.sync();
    equal(
      sent.flatMap(({ changes }) => changes),
      [],
      'No change',
    );
    equal(
      sent.flatMap(linesOf).filter((line) => line.includes(' element ')),
      [],
      'No element',
    );
    equal(installed(restarted.kernel), before, 'All elements stay');
    restarted.check();
  });
  fc.assert(property, { numRuns: 50, seed: 3 });
  t.pass('50 restarts');
});

type Damage = { readonly pick: number; readonly how: 'delete' | 'change' | 'add' | 'flush' | 'chain' | 'rule' };

/** A change of our tables by another program. */
function damage(kernel: FakeNftables, { pick, how }: Damage): void {
  const all = [...kernel.list().elements].flatMap(([object, elements]) =>
    [...elements].map(([key, element]) => ({ object, key, element })),
  );
  const at = ({ object, key }: { object: string; key: string }) => `${object.replace(' ', ' nftlane ')} { ${key}`;
  const target = all[pick % all.length];
  const same = all.filter(({ object }) => object === target?.object);
  const other = /:.*\./.test(`:${target?.element.data}`) ? '203.0.113.1 . 1' : 'drop';
  const data = target === undefined || target.element.data === '' ? '' : ` : ${other}`;
  const lines: Record<Damage['how'], string[]> = {
    chain: [`add chain ip nftlane foreign-${pick}`, `add chain ip nftlane cluster-${pick}`],
    rule: ['flush chain ip nftlane services', 'add rule ip nftlane reject-chain drop'],
    add: [`add element ip nftlane no-endpoint-services { 203.0.113.${pick % 250} . tcp . 1 : drop }`],
    delete: target === undefined ? [] : [`delete element ${at(target)} }`],
    change: target === undefined ? [] : [`delete element ${at(target)} }`, `add element ${at(target)}${data} }`],
    flush: same.map((each) => `delete element ${at(each)} }`),
  };
  kernel.run(lines[how]);
}

t.test('Engine repairs changes that others made to its tables', async (t) => {
  const how = fc.constantFrom<Damage['how'][]>('delete', 'delete', 'change', 'change', 'add', 'flush', 'chain', 'rule');
  const lists = fc.array(fc.record({ pick: fc.nat(1000), how }), { minLength: 1, maxLength: 6 });
  const property = fc.property(objectEvents(25), lists, fc.boolean(), (history, damages, restarts) => {
    const { proxy, cluster } = replay(history, [false]);
    const before = installed(proxy.kernel);
    const rules = [...proxy.kernel.rules()].sort();
    for (const each of damages) damage(proxy.kernel, each);
    let after = proxy;
    if (restarts) {
      after = new TestProxy(proxy.kernel);
      replaceAll(after.engine, cluster.objects());
    } else {
      proxy.engine.invalidate();
      proxy.engine.adopt(proxy.kernel.list());
    }
    // From an unexpected state, verdicts may lack slots between two transactions, so these are not checked here.
    after.engine.compile();
    for (const transaction of after.engine.plan().flat()) after.kernel.run(linesOf(transaction));
    after.engine.invalidate();
    after.engine.adopt(after.kernel.list());
    after.sync();
    after.check();
    if (restarts)
      equal(
        contents(after.kernel.list()),
        contents(fromScratch(cluster.objects()).kernel.list()),
        'The elements of a fresh engine',
      );
    else equal(installed(after.kernel), before, 'The elements as before');
    equal([...after.kernel.rules()].sort(), rules, 'The rules as before');
  });
  fc.assert(property, { numRuns: 150, seed: 4 });
  t.pass('150 repairs');
});

/** Each Service has about twenty elements. */
const MANY = BATCH_SIZE / 10;

/** `count` Services with a number of endpoints each, an external address and a node port. */
function many(count: number, { endpoints }: { endpoints: number }): ApiObject[] {
  return Array.from({ length: count }, (_, index) => {
    const [high, low] = [index >> 8, index & 255];
    const ports = [{ port: 80, nodePort: 10000 + index }];
    const addresses = Array.from({ length: endpoints }, (_, host) => endpoint(`10.${host + 1}.${high}.${low}`));
    return [
      service(`a/s${index}`, {
        spec: {
          ...clusterIps(`10.96.${high}.${low}`),
          ports,
          type: 'NodePort',
          externalTrafficPolicy: index % 2 === 0 ? 'Local' : 'Cluster',
          externalIPs: [`198.18.${high}.${low}`],
        },
      }),
      slice(`a/s${index}`, { endpoints: [...addresses, endpoint(`10.200.${high}.${low}`, { nodeName: 'n1' })] }),
    ];
  }).flat();
}

t.test('Engine loads many Services in batches without broken states in between', async (t) => {
  const proxy = new TestProxy();
  replaceAll(proxy.engine, many(MANY, { endpoints: 3 }));
  const first = proxy.sync();
  proxy.check();
  t.ok(first.length > 3, `${first.length} transactions`);
  t.ok(Math.max(...first.map((transaction) => linesOf(transaction).length)) <= BATCH_SIZE);
  t.strictSame(
    first.map(({ declarations }) => declarations.length > 0),
    first.map((_, index) => index === 0),
  );
  replaceAll(proxy.engine, many(MANY, { endpoints: 1 }));
  t.ok(proxy.sync().length > 2, 'shrinks in batches');
  proxy.check();
  replaceAll(proxy.engine, many(MANY, { endpoints: 5 }));
  t.ok(proxy.sync().length > 2, 'grows in batches');
  proxy.check();
  replaceAll(proxy.engine, []);
  t.ok(proxy.sync().length > 2, 'empties in batches');
  proxy.check();
  t.strictSame(installed(proxy.kernel), []);
});

t.test('Engine needs the same chains, sets and maps for one Service as for hundreds', async (t) => {
  const shape = (count: number) => {
    const engine = fromScratch(many(count, { endpoints: 3 })).engine;
    const [first] = new TestProxy().engine.plan().flat();
    return {
      chains: FAMILIES.map((family) => engine.chains(family).chains.map(({ name }) => name)),
      declarations: first && linesOf(first).filter((line) => /^add (map|set) /.test(line)).length,
    };
  };
  t.strictSame(shape(300), shape(2));
});

t.test('Engine follows the addresses of the host', async (t) => {
  const block = parsePrefix('192.0.2.0/24');
  const engine = new Engine({ ...OPTIONS, nodePortAddresses: block === undefined ? [] : [block] });
  const kernel = new FakeNftables();
  engine.adopt(kernel.list());
  for (const addresses of [['192.0.2.1', '198.51.100.1', 'fd00::1', '127.0.0.1'], ['192.0.2.2', '192.0.2.3'], []]) {
    engine.setHostAddresses(addresses);
    engine.compile();
    for (const transaction of engine.plan().flat()) {
      kernel.run(linesOf(transaction));
      engine.committed(transaction);
    }
    const expected = addresses.filter((address) => address.startsWith('192.0.2.'));
    t.strictSame([...kernel.elements('ip', 'nodeport-ips').keys()].sort(), expected);
  }
});
