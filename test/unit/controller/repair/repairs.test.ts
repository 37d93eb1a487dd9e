// Tests of src/controller/repair/repairs.ts.

import t from 'tap';
import { printCounts } from '../../../../src/controller/repair/foreign-changes.ts';
import { Repairs } from '../../../../src/controller/repair/repairs.ts';
import type { RulesetCommit } from '../../../../src/nftables/syntax/notification.ts';
import { foreignCommit } from '../../../support/builders/foreign-commit.ts';

const ELEMENT = foreignCommit('delete element ip nftlane service-ips { 10.0.0.1 . tcp . 80 : drop }');
const RULE = foreignCommit('delete rule ip nftlane services handle 8');
const CHAIN = foreignCommit('add chain ip nftlane other');

function createRepairs() {
  const calls: string[] = [];
  const clock = { time: 0, now: () => clock.time };
  const log = (text: string) => void calls.push(text);
  const repairs = new Repairs({
    engine: {
      foreignChanges: {
        observe: (commit: RulesetCommit) => log(`observe ${commit.notifications.length}`),
        compareTables: () => [],
        repair: () => {},
        acceptForms: () => [],
        installed: () => undefined,
        installedCount: () => 0,
        installedKeys: () => [],
      },
      invalidate: () => log('invalidate'),
      retryRefused: () => log('retry refused'),
    },
    tableCheck: { hasten: () => log('hasten') },
    clock,
    request: () => log('request'),
    onCommit: () => {},
    onReport: (changes) => log(`report ${changes.transactions}: ${printCounts(changes)}`),
    onContest: (contest) => log(contest === undefined ? 'contest ended' : `contest ${contest.waitMs}`),
  });
  return { repairs, clock, calls, take: () => calls.splice(0) };
}

t.test('a changed element is recorded when the next sync begins', async (t) => {
  const { repairs, take } = createRepairs();
  repairs.observe(ELEMENT);
  t.strictSame(take(), ['report 1: 1 element', 'request']);
  t.ok(repairs.begin());
  t.notOk(repairs.canCheck);
  repairs.committed();
  t.strictSame(take(), ['observe 1'], 'without a check');
  t.ok(repairs.canCheck);
});

t.test('a check follows the repair of other changes, and precedes that of additions', async (t) => {
  const { repairs, take } = createRepairs();
  repairs.observe(RULE);
  take();
  repairs.begin();
  t.notOk(repairs.canCheck);
  repairs.committed();
  t.strictSame(take(), ['observe 1', 'hasten', 'request']);
  t.ok(repairs.isReported, 'what the check finds was reported');
  repairs.committed();
  t.notOk(repairs.isReported);
  repairs.observe(CHAIN);
  take();
  repairs.begin();
  t.ok(repairs.canCheck);
  t.strictSame(take(), ['observe 1', 'hasten']);
});

t.test('a failed repair is followed by a check, and blames no Service', async (t) => {
  const { repairs, take } = createRepairs();
  repairs.failed();
  t.strictSame(take(), [], 'a failure without a repair is none of it');
  repairs.observe(RULE);
  repairs.begin();
  take();
  repairs.failed();
  t.strictSame(take(), ['retry refused', 'hasten']);
  t.ok(repairs.canCheck);
});

t.test('a contest is slowed down, reported, and ends', async (t) => {
  const { repairs, clock, take } = createRepairs();
  const calls: string[] = [];
  for (let count = 0; count < 14; count++) {
    clock.time += 50;
    repairs.observe(RULE);
    if (!repairs.begin()) {
      clock.time += repairs.contest?.waitMs ?? 0;
      t.ok(repairs.begin(), 'the sync is due after the wait');
    }
    repairs.committed();
    calls.push(...take().filter((call) => call.startsWith('contest')));
  }
  t.strictSame(calls, ['contest 200', 'contest 400', 'contest 800']);
  t.match(repairs.contest, { program: 'other-program', pid: 4711, repairs: 13, waitMs: 800 });
  clock.time += 30_000;
  repairs.begin();
  t.ok(take().includes('contest ended'));
  t.equal(repairs.contest, undefined);
});

t.test('reports are bounded, and none is lost', async (t) => {
  const { repairs, clock, take } = createRepairs();
  for (let count = 0; count < 1000; count++) repairs.observe(ELEMENT);
  t.equal(take().filter((call) => call.startsWith('report')).length, 5);
  clock.time += 10_000;
  repairs.begin();
  t.ok(take().includes('report 995: 995 elements'));
});

t.test('too many changes make the kernel unknown instead of filling the memory', async (t) => {
  const { repairs, take } = createRepairs();
  const many = { ...ELEMENT, notifications: Array(30_000).fill(ELEMENT.notifications[0]) };
  for (let count = 0; count < 3; count++) repairs.observe(many);
  take();
  repairs.begin();
  t.strictSame(
    take().filter((call) => !call.startsWith('report')),
    ['invalidate'],
  );
});

t.test('a loss of notifications makes the kernel unknown', async (t) => {
  const { repairs, take } = createRepairs();
  repairs.observe(ELEMENT);
  repairs.observeLoss();
  take();
  t.ok(repairs.begin());
  t.strictSame(take(), ['invalidate']);
});

t.test('a contest delays the changes of objects only in proportion to the last repair', async (t) => {
  const { repairs, clock, take } = createRepairs();
  for (let repair = 0; repair < 11; repair++) {
    repairs.observe(ELEMENT);
    t.ok(repairs.begin(), 'not held yet');
    clock.time += 10;
    repairs.committed();
  }
  // Only the last of three waits of 200, 400 and 800 ms is longer than that of a change.
  for (const waitMs of [200, 400]) {
    repairs.observe(ELEMENT);
    clock.time += waitMs;
    t.ok(repairs.begin());
    repairs.committed();
  }
  repairs.observe(ELEMENT);
  t.match(take().slice(-1), ['contest 800']);
  clock.time += 199;
  t.notOk(repairs.begin({ hasChanges: true }));
  clock.time += 1;
  t.notOk(repairs.begin(), 'a repair alone waits longer');
  t.ok(repairs.begin({ hasChanges: true }), 'a change waits 200 ms');
  clock.time += 100;
  repairs.committed();
  repairs.observe(ELEMENT);
  clock.time += 899;
  t.notOk(repairs.begin({ hasChanges: true }), 'after a repair of 100 ms');
  clock.time += 1;
  t.ok(repairs.begin({ hasChanges: true }));
});
