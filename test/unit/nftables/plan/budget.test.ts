// Tests of src/nftables/plan/budget.ts.

import fc from 'fast-check';
import t from 'tap';
import { Budget, type Cost, type Demand, type Limits, RESOURCES } from '../../../../src/nftables/plan/budget.ts';

function cost(elements: number, others: Partial<Cost> = {}): Cost {
  return { elements, affinityPorts: 0, sourceRanges: 0, ...others };
}

const LIMITS: Limits = {
  service: cost(100, { affinityPorts: 3, sourceRanges: 10 }),
  total: cost(200, { affinityPorts: 4, sourceRanges: 15 }),
};

function budgetOf(demands: Iterable<Demand>, limits = LIMITS): Budget {
  const budget = new Budget();
  budget.setLimits(limits);
  for (const demand of demands) budget.set(demand);
  budget.settle();
  return budget;
}

/** The form of each Service. */
function outcome(budget: Budget, keys: Iterable<string>): Record<string, number | string> {
  const wayOf = (key: string) => {
    const reduction = budget.reduction(key);
    return reduction === undefined ? 0 : (reduction.way ?? 'out');
  };
  return Object.fromEntries(Array.from(keys, (key) => [key, wayOf(key)] as const).sort());
}

const AMOUNTS = fc.record({
  elements: fc.nat(130),
  affinityPorts: fc.constantFrom(0, 0, 0, 1, 4),
  sourceRanges: fc.constantFrom(0, 0, 0, 2, 12),
});

const DEMANDS = fc.array(
  fc.record({
    key: fc.constantFrom(...'abcdefghij'),
    createdAt: fc.nat(3),
    ways: fc
      .tuple(AMOUNTS, fc.option(fc.nat(40), { nil: undefined }))
      .map(([first, second]) =>
        second === undefined || second >= first.elements
          ? [first]
          : [first, { ...first, elements: second, affinityPorts: 0 }],
      ),
  }),
  { maxLength: 25 },
);

t.test('Budget keeps to all limits, and leaves out no Service that fits', async (t) => {
  const property = fc.property(DEMANDS, (history) => {
    const demands = new Map(history.map((demand) => [demand.key, demand]));
    const budget = budgetOf(history);
    const served = [...demands.values()].flatMap((demand) => {
      const reduction = budget.reduction(demand.key);
      const way = reduction === undefined ? 0 : reduction.way;
      return way === undefined ? [] : [demand.ways[way] ?? cost(Number.NaN)];
    });
    const used = (resource: keyof Cost) => served.reduce((sum, each) => sum + each[resource], 0);
    for (const resource of RESOURCES) {
      if (!(used(resource) <= LIMITS.total[resource])) throw new Error(`${resource}: ${used(resource)} in total`);
      if (served.some((each) => each[resource] > LIMITS.service[resource])) throw new Error(`${resource} of one`);
    }
    for (const { key, way, excess } of budget.reductions().values()) {
      const { ways = [] } = demands.get(key) ?? {};
      for (const better of ways.slice(0, way)) {
        const fitsAlone = RESOURCES.every((resource) => better[resource] <= LIMITS.service[resource]);
        const current = way === undefined ? cost(0) : (ways[way] ?? cost(0));
        const fitsBeside = RESOURCES.every(
          (resource) => used(resource) - current[resource] + better[resource] <= LIMITS.total[resource],
        );
        if (fitsAlone && fitsBeside) throw new Error(`${key} fits in a better way`);
      }
      if (excess.needed <= 0) throw new Error(`${key}: needs nothing`);
    }
  });
  fc.assert(property, { numRuns: 500, seed: 1 });
  t.pass('500 histories');
});

t.test('Budget depends on the demands only, not on their history', async (t) => {
  const property = fc.property(DEMANDS, fc.array(fc.boolean(), { minLength: 1 }), (history, settles) => {
    const budget = budgetOf([]);
    const demands = new Map<string, Demand>();
    let shown = outcome(budget, []);
    for (const [index, demand] of history.entries()) {
      if (demands.has(demand.key) && index % 3 === 0) {
        demands.delete(demand.key);
        budget.remove(demand.key);
      } else {
        demands.set(demand.key, demand);
        budget.set(demand);
      }
      if (settles[index % settles.length] === false) continue;
      const changed = budget.settle();
      const now = outcome(budget, 'abcdefghij');
      const differing = Object.keys(now).filter((key) => now[key] !== (shown[key] ?? 0));
      if ([...changed].sort().join() !== differing.join()) throw new Error('settle() returns what changed');
      shown = now;
    }
    budget.settle();
    const fresh = outcome(budgetOf(demands.values()), 'abcdefghij');
    if (JSON.stringify(outcome(budget, 'abcdefghij')) !== JSON.stringify(fresh)) throw new Error('Another outcome');
  });
  fc.assert(property, { numRuns: 200, seed: 2 });
  t.pass('200 histories');
});

t.test('the oldest Service is kept, and others take cheaper ways before one is left out', async (t) => {
  const ways = [cost(90), cost(30)];
  const old = { key: 'z', createdAt: 1, ways: [cost(80)] };
  const budget = budgetOf([
    { key: 'young', createdAt: 9, ways },
    { key: 'middle', createdAt: 5, ways },
    old,
    { key: 'youngest', createdAt: 10, ways: [cost(70)] },
  ]);
  t.strictSame(outcome(budget, ['z', 'middle', 'young', 'youngest']), { z: 0, middle: 0, young: 1, youngest: 'out' });
  t.match(budget.reduction('youngest')?.excess, { scope: 'total', resource: 'elements', needed: 70, limit: 200 });
  t.match(budget.reduction('young')?.excess, { scope: 'total', resource: 'elements', needed: 90, limit: 200 });
  budget.remove('z');
  t.strictSame([...budget.settle()], ['youngest']);
  t.strictSame(outcome(budget, ['middle', 'young', 'youngest']), { middle: 0, young: 1, youngest: 0 });
});

t.test('large Services, however old, do not displace small ones', async (t) => {
  const limits = { service: cost(200_000), total: cost(1_000_000) };
  const large = Array.from({ length: 8 }, (_, index) => ({
    ...{ key: `large/${index}`, createdAt: index },
    ways: [cost(200_000)],
  }));
  const small = Array.from({ length: 500 }, (_, index) => ({ key: `s/${index}`, createdAt: 1000, ways: [cost(100)] }));
  const budget = budgetOf([...large, ...small], limits);
  t.strictSame([...budget.reductions().keys()].sort(), ['large/4', 'large/5', 'large/6', 'large/7']);
});

t.test('changed limits apply to all demands', async (t) => {
  const budget = budgetOf([{ key: 'a', createdAt: 1, ways: [cost(90), cost(20)] }]);
  t.equal(budget.reduction('a'), undefined);
  budget.setLimits({ ...LIMITS, service: cost(50) });
  t.strictSame([...budget.settle()], ['a']);
  t.match(budget.reduction('a'), { way: 1, excess: { scope: 'service', needed: 90, limit: 50 } });
  budget.setLimits(LIMITS);
  t.strictSame([...budget.settle()], ['a']);
});

t.test('a change among 10,000 Services that do not all fit takes few milliseconds', async (t) => {
  const demands = Array.from({ length: 10_000 }, (_, index) => ({
    ...{ key: `s/${index}`, createdAt: (index * 7919) % 10_000 },
    ways: [cost(150)],
  }));
  const budget = budgetOf(demands, { service: cost(1000), total: cost(1_000_000) });
  t.equal(budget.reductions().size, 10_000 - Math.floor(1_000_000 / 150));
  // Processor time: the wall time depends on what else the machine does.
  const before = process.cpuUsage();
  for (let amount = 0; amount < 20; amount++) {
    budget.set({ key: 's/77', createdAt: 77, ways: [cost(amount)] });
    budget.settle();
  }
  const ms = process.cpuUsage(before).user / 20_000;
  t.ok(ms < 20, `${ms.toFixed(2)} ms`);
});
