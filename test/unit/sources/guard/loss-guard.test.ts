// Tests of src/sources/guard/loss-guard.ts.

import * as fc from 'fast-check';
import t from 'tap';
import { serviceCidr } from '../../../support/builders/service-cidr.ts';
import { type ApiObject, merge } from '../../../support/deployment/merge.ts';
import { GuardedWorld, webService, webSlice } from './guarded-world.ts';

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
const all = (numbers: readonly number[]) => numbers.flatMap((index) => [webService(index), webSlice(index)]);

/** The ways to lose the Services with these numbers, or all of their endpoints, out of 40. */
const WAYS: Readonly<Record<string, (world: GuardedWorld, lost: readonly number[]) => void>> = {
  'an empty list': (world, lost) => world.list(...all(range(lost.length, 40))),
  'a list of Services alone': (world, lost) => world.listKind('Service', all(range(lost.length, 40))),
  'a list of slices alone': (world, lost) => world.listKind('EndpointSlice', all(range(lost.length, 40))),
  'deletions of Services': (world, lost) => world.remove(...lost.map((index) => webService(index))),
  'deletions of slices': (world, lost) => world.remove(...lost.map((index) => webSlice(index))),
  'deletions of both': (world, lost) => world.remove(...all(lost)),
  'slices without endpoints': (world, lost) => world.put(...lost.map((index) => webSlice(index, { ready: 0 }))),
  'endpoints that are not ready': (world, lost) =>
    world.put(...lost.map((index) => webSlice(index, { ready: 0, unready: 2 }))),
  'a list in which nothing is ready': (world, lost) => {
    const unready = lost.flatMap((index) => [webService(index), webSlice(index, { ready: 0, unready: 2 })]);
    world.list(...unready, ...all(range(lost.length, 40)));
  },
  'Services that are not proxied any more': (world, lost) =>
    world.put(...lost.map((index) => ({ ...webService(index), spec: { type: 'ExternalName' } }))),
};

for (const [way, lose] of Object.entries(WAYS)) {
  t.test(`LossGuard holds back the loss of most Services by ${way}`, async (t) => {
    const world = GuardedWorld.withServices(40);
    const before = world.snapshot();
    lose(world, range(0, 35));
    t.strictSame(world.snapshot(), before, 'everything is as it was');
    t.equal(world.guard.heldServices, 35);
    t.match(world.journal, [/^hold \d+ of 40$/]);
    world.pass(299_000);
    t.strictSame(world.snapshot(), before, 'until the end of the grace period');
    world.pass(1_000);
    t.strictSame(world.snapshot(), world.expected());
    t.strictSame(world.journal.slice(1), ['expired 35']);
    t.notOk(world.guard.hasHeld);
  });

  t.test(`LossGuard applies the loss of half of the Services by ${way}`, async (t) => {
    const world = GuardedWorld.withServices(40);
    lose(world, range(0, 20));
    world.pass(2_000);
    t.strictSame(world.snapshot(), world.expected());
    t.strictSame(world.journal, []);
  });
}

t.test('LossGuard does not delay a loss in a small cluster, or of few Services', async (t) => {
  const small = GuardedWorld.withServices(19);
  small.list();
  t.strictSame(small.snapshot(), small.expected(), 'fewer Services than the minimum');
  const large = GuardedWorld.withServices(200);
  large.remove(...all(range(0, 9)));
  t.strictSame(large.snapshot(), large.expected(), 'less than a tenth of the limit');
  t.notOk(large.guard.hasHeld);
});

t.test('LossGuard does not hold a drain that takes its time', async (t) => {
  const world = GuardedWorld.withServices(100);
  for (const index of range(0, 100)) {
    world.remove(webService(index), webSlice(index));
    world.pass(2_000);
    t.strictSame(world.snapshot(), world.expected(), `${index}`);
  }
  t.strictSame(world.journal, []);
});

t.test('LossGuard restores what was applied just before the loss became a mass loss', async (t) => {
  const world = GuardedWorld.withServices(100);
  const before = world.snapshot();
  for (const index of range(0, 50)) {
    world.remove(webSlice(index), webService(index));
    world.pass(500);
  }
  t.ok(world.store.services.size < 60, `${world.store.services.size} of 100 Services are left`);
  t.strictSame(world.journal, []);
  world.remove(webSlice(50));
  t.strictSame(world.journal, ['hold 51 of 100']);
  world.remove(webService(50));
  t.strictSame(world.snapshot(), before);
  world.pass(300_000);
  t.strictSame(world.snapshot(), world.expected());
});

t.test('LossGuard restores all slices of a Service that loses them one by one', async (t) => {
  const parts = range(1, 5);
  const world = new GuardedWorld();
  const slices = range(0, 30).flatMap((index) => parts.map((part) => webSlice(index, { part, ready: 3 })));
  world.list(...range(0, 30).map((index) => webService(index)), ...slices);
  const before = world.snapshot();
  for (const object of slices.toReversed()) {
    world.put({ ...object, endpoints: [] });
    world.pass(50);
    world.remove(object);
  }
  t.strictSame(world.snapshot(), before);
});

t.test('LossGuard passes on everything else during a hold', async (t) => {
  const world = GuardedWorld.withServices(40);
  world.list(...all(range(30, 40)));
  t.equal(world.guard.heldServices, 30);
  world.put(webService(100), webSlice(100), webService(35, 1), webSlice(35, { ready: 1 }));
  for (const key of ['a/s100', 'a/s35']) {
    t.equal(world.stored('Service').get(key), world.source('Service').get(key), key);
    t.equal(world.stored('EndpointSlice').get(`${key}-1`), world.source('EndpointSlice').get(`${key}-1`), key);
  }
  world.put(webSlice(36, { ready: 1, unready: 1 }));
  t.match(world.stored('EndpointSlice').get('a/s36-1'), { endpoints: [{ ready: true }, { ready: false }] });
  t.strictSame(world.journal, ['hold 30 of 40']);
});

t.test('LossGuard holds further losses during a hold, each for the grace period', async (t) => {
  const world = GuardedWorld.withServices(40);
  world.list(...all(range(30, 40)));
  world.pass(100_000);
  world.remove(webService(30), webSlice(30));
  t.ok(world.stored('Service').has('a/s30'));
  world.pass(200_000);
  t.strictSame([...world.stored('Service').keys()].length, 10, 'the first loss is applied');
  t.ok(world.stored('Service').has('a/s30'));
  world.pass(100_000);
  t.strictSame(world.snapshot(), world.expected());
  t.strictSame(world.journal, ['hold 30 of 40', 'expired 31']);
});

t.test('LossGuard ends the hold when the Services come back', async (t) => {
  const world = GuardedWorld.withServices(40);
  world.list();
  world.put(...all(range(0, 20)));
  t.equal(world.guard.heldServices, 20);
  world.put(webService(20), webSlice(20));
  t.equal(world.guard.heldServices, 19, 'the rest has some time to come back');
  world.pass(29_000);
  world.put(webService(21), webSlice(21));
  t.equal(world.guard.heldServices, 18);
  world.pass(1_000);
  t.strictSame(world.journal, ['hold 40 of 40', 'recovered 18']);
  t.strictSame(world.snapshot(), world.expected(), 'the rest is lost');
  const relisted = GuardedWorld.withServices(40);
  const before = relisted.snapshot();
  relisted.list();
  relisted.list(...all(range(0, 40)));
  t.strictSame(relisted.snapshot(), before);
  t.equal(relisted.guard.heldServices, 0);
  t.strictSame(relisted.journal, ['hold 40 of 40', 'recovered 0']);
});

t.test('LossGuard releases a Service that gets other endpoints, with its lost slices', async (t) => {
  const world = GuardedWorld.withServices(40);
  world.listKind('EndpointSlice', []);
  world.put(webSlice(3, { part: 2 }));
  const slices = [...world.stored('EndpointSlice').keys()].filter((key) => key.startsWith('a/s3-'));
  t.strictSame(slices, ['a/s3-2']);
  t.equal(world.guard.heldServices, 39);
});

t.test('LossGuard releases a held Service whose address another one takes', async (t) => {
  const world = GuardedWorld.withServices(40);
  world.list();
  world.put(merge(webService(7), { metadata: { name: 'heir' } }));
  t.ok(world.stored('Service').has('a/heir'));
  t.notOk(world.stored('Service').has('a/s7'));
  t.ok(world.stored('Service').has('a/s8'));
});

t.test('LossGuard applies a loss that an operator accepts', async (t) => {
  const world = GuardedWorld.withServices(40);
  world.list(...all(range(35, 40)));
  t.equal(world.guard.accept(), 35);
  t.strictSame(world.snapshot(), world.expected());
  t.strictSame(world.journal, ['hold 35 of 40', 'accepted 35']);
  world.guard.accept();
  t.equal(world.journal.length, 2, 'nothing is held');
});

t.test('LossGuard applies all losses while it is disabled', async (t) => {
  const world = GuardedWorld.withServices(40, { enabled: false });
  world.list();
  t.strictSame(world.snapshot(), world.expected());
});

t.test('LossGuard follows a Service that is created again with another identity', async (t) => {
  const world = GuardedWorld.withServices(40);
  for (const index of range(0, 40)) world.remove(webService(index), webSlice(index));
  world.put(...range(0, 40).flatMap((index) => [webService(index, 1), webSlice(index, { ready: 1, part: 2 })]));
  t.strictSame(world.snapshot(), world.expected());
  t.match(world.journal, [/^hold 2\d of 40$/, 'recovered 0']);
});

t.test('LossGuard holds ServiceCIDRs together with Services only', async (t) => {
  const cidrs = ['10.96.0.0/16', '10.97.0.0/16'].map((cidr, index) =>
    serviceCidr(`c${index}`, { spec: { cidrs: [cidr] } }),
  );
  const world = GuardedWorld.withServices(40);
  world.put(...cidrs);
  world.remove(...cidrs.slice(0, 1));
  t.equal(world.stored('ServiceCIDR').size, 1, 'an operator removed it');
  world.pass(60_000);
  world.listKind('ServiceCIDR', []);
  t.equal(world.stored('ServiceCIDR').size, 0);
  world.list();
  t.strictSame([...world.stored('ServiceCIDR').keys()], ['c1'], 'what was lost with the Services is restored');
  world.put(...cidrs);
  world.remove(...cidrs);
  t.equal(world.stored('ServiceCIDR').size, 2);
  world.pass(300_000);
  t.strictSame(world.snapshot(), world.expected());
});

t.test('LossGuard counts each family', async (t) => {
  const v6 = (index: number): ApiObject => ({
    ...webSlice(index, { part: 6, ready: 0 }),
    addressType: 'IPv6',
    endpoints: [{ addresses: [`fd00::${index}`], conditions: { ready: true } }],
  });
  const world = GuardedWorld.withServices(40);
  world.put(...range(0, 40).map(v6));
  const before = world.snapshot();
  world.remove(...range(0, 40).map(v6));
  t.strictSame(world.snapshot(), before);
});

/** One step of the source. */
type Step =
  | { readonly do: 'put' | 'remove' | 'empty' | 'move'; readonly what: 'service' | 'slice'; readonly index: number }
  | { readonly do: 'list'; readonly keep: readonly number[] }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'accept' };

const SERVICES = 12;
const index = fc.nat(SERVICES - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constantFrom('put', 'remove', 'empty', 'move'),
      what: fc.constantFrom('service', 'slice'),
      index,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('list' as const), keep: fc.uniqueArray(index) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(500, 3_000, 31_000, 120_000) }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'accept' as const }) },
);

function take(world: GuardedWorld, each: Step, version: number): void {
  if (each.do === 'pass') world.pass(each.ms);
  else if (each.do === 'accept') world.guard.accept();
  else if (each.do === 'list') world.list(...all(each.keep));
  else if (each.what === 'service' && each.do === 'remove') world.remove(webService(each.index));
  else if (each.what === 'service') world.put(webService(each.index, version));
  else if (each.do === 'remove') world.remove(webSlice(each.index));
  else if (each.do === 'move') world.put(movedSlice(each.index));
  else world.put(webSlice(each.index, each.do === 'put' ? { ready: 1 + (version % 3) } : { ready: 0 }));
}

/** The slice of a Service, now of the next one. */
function movedSlice(number: number): ApiObject {
  return merge(webSlice(number), { metadata: { labels: { 'kubernetes.io/service-name': `s${number + 1}` } } });
}

t.test('LossGuard never delays what exists, and applies everything in the end', async () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const world = GuardedWorld.withServices(SERVICES, { minServices: 4, gracePeriodMs: 100_000 });
      for (const [version, each] of steps.entries()) {
        take(world, each, version);
        for (const [key, value] of world.source('Service')) same(world.stored('Service').get(key), value, key);
        for (const [key, value] of world.source('EndpointSlice')) {
          if (isUsable(value)) same(world.stored('EndpointSlice').get(key), value, key);
        }
        if (!world.guard.hasHeld) same(world.snapshot(), world.expected(), 'nothing is held');
      }
      world.pass(102_000);
      same(world.snapshot(), world.expected(), 'the end');
      same(world.guard.heldServices, 0, 'held Services');
    }),
    { numRuns: 300 },
  );
});

t.test('LossGuard keeps every Service with its endpoints when most of them are lost in any order', async () => {
  const lost = fc.uniqueArray(index, { minLength: 7 });
  const gap = fc.constantFrom(0, 10, 400);
  fc.assert(
    fc.property(lost, gap, fc.infiniteStream(fc.nat(1000)), (numbers, gapMs, random) => {
      const world = GuardedWorld.withServices(SERVICES, { minServices: 4 });
      const before = world.snapshot();
      const events = all(numbers).map((object) => ({ object, at: random.next().value ?? 0 }));
      for (const { object } of events.sort((a, b) => a.at - b.at)) {
        world.remove(object);
        world.pass(gapMs);
      }
      same(world.snapshot(), before, 'kept');
      world.pass(250_000);
      same(world.snapshot(), before, 'still kept');
      world.pass(60_000);
      same(world.snapshot(), world.expected(), 'applied');
    }),
    { numRuns: 200 },
  );
});

function isUsable(slice: unknown): boolean {
  return (slice as { endpoints: readonly unknown[] }).endpoints.length > 0;
}

function same(actual: unknown, expected: unknown, what: string): void {
  const [a, b] = [actual, expected].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`${what}:\n${a}\n${b}`);
}
