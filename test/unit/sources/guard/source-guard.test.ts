// Tests of src/sources/guard/source-guard.ts.

import t, { type Test } from 'tap';
import { Store } from '../../../../src/engine/store.ts';
import { runSteps } from '../../../../src/lib/steps.ts';
import { KINDS } from '../../../../src/services/objects/kinds.ts';
import { type HoldEvent, SourceGuard } from '../../../../src/sources/guard/source-guard.ts';
import { describeSourceProblem } from '../../../../src/sources/status/source-status.ts';
import { fastClock } from '../../../support/fakes/fast-clock.ts';
import { holdRecord } from '../../../support/fakes/hold-record.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';
import { waitUntil } from '../../../support/wait-until.ts';
import { LIMITS, webService } from './guarded-world.ts';

const services = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => KINDS.Service.read(webService(from + index)));

function guardedStore(t: Test, { factor = 1, limits = LIMITS } = {}) {
  const store = new Store();
  const { log, lines } = recordLog();
  const events: HoldEvent[] = [];
  const current = { limits };
  const guard = new SourceGuard({
    sink: store,
    store,
    nodeName: 'n1',
    limits: () => current.limits,
    record: holdRecord(),
    clock: fastClock(factor),
    log,
    onHold: (event) => events.push(event),
  });
  t.teardown(() => guard.close());
  guard.replace('EndpointSlice', []);
  guard.replace('Service', services(0, 40));
  return { store, guard, lines, events, current };
}

t.test('SourceGuard reports a mass loss, and applies it after the grace period', async (t) => {
  const { store, guard, lines, events } = guardedStore(t, { factor: 3_000 });
  guard.replace('Service', services(0, 10));
  t.equal(store.services.size, 40);
  t.strictSame(guard.counts, { heldServices: 30, holds: 1 });
  t.match(guard.problems().map(describeSourceProblem), [
    /^30 Services kept as last known for \w+: lost suddenly; applied after 5m, or now by "nftlane accept-loss"$/,
  ]);
  await waitUntil('end', () => store.services.size === 10);
  t.strictSame(guard.counts, { heldServices: 0, holds: 1 });
  t.strictSame(guard.problems(), []);
  t.match(lines, [
    {
      level: 'warn',
      message: 'source lost most Services; keeping them',
      details: { count: 30, services: 40, effect: 'their loss is applied after 5m' },
    },
    {
      level: 'warn',
      message: 'applied the loss of Services',
      details: { count: 30, reason: 'the grace period is over' },
    },
  ]);
  t.strictSame(events, [
    { type: 'held', lost: 30, before: 40, gracePeriodMs: 300_000 },
    { type: 'expired', services: 30 },
  ]);
});

t.test('SourceGuard ends a hold when Services come back, an operator accepts it, or it is disabled', async (t) => {
  const back = guardedStore(t);
  back.guard.replace('Service', []);
  for (const service of services(0, 40)) back.guard.put('Service', service);
  t.match(back.lines.at(-1), { level: 'info', message: 'source has its Services again', details: { count: 0 } });
  t.equal(back.store.services.size, 40);

  const accepted = guardedStore(t);
  t.equal(accepted.guard.acceptLoss(), 0);
  accepted.guard.replace('Service', []);
  t.equal(accepted.guard.acceptLoss(), 40);
  t.equal(accepted.store.services.size, 0);
  t.match(accepted.lines.at(-1), { level: 'warn', details: { count: 40, reason: 'accepted by an operator' } });

  const disabled = guardedStore(t);
  disabled.guard.replace('Service', []);
  disabled.guard.limitsChanged();
  t.equal(disabled.store.services.size, 40, 'still enabled');
  disabled.current.limits = { ...LIMITS, enabled: false };
  disabled.guard.limitsChanged();
  t.equal(disabled.store.services.size, 0);
});

t.test('SourceGuard applies suspicious losses after two seconds, without a report', async (t) => {
  const { store, guard, lines } = guardedStore(t, { factor: 20 });
  for (const { key } of services(0, 10)) guard.remove('Service', key);
  t.equal(store.services.size, 36, 'the first ones are applied immediately');
  await waitUntil('all', () => store.services.size === 30);
  t.strictSame(lines, []);
});

t.test('SourceGuard reports an incomplete Node', async (t) => {
  const { guard, lines, store } = guardedStore(t);
  const node = { metadata: { name: 'n1' }, status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] } };
  guard.replace('Node', [KINDS.Node.read(node)]);
  guard.remove('Node', 'n1');
  t.ok(store.nodes.has('n1'));
  t.match(guard.problems().map(describeSourceProblem), [
    /^Node n1 kept as last known for 0s: missing: the Node object$/,
  ]);
  guard.put('Node', KINDS.Node.read(node));
  t.strictSame(guard.problems(), []);
  t.match(lines, [
    { level: 'warn', message: 'own Node is incomplete; keeping last known values', details: { node: 'n1' } },
    { level: 'info', message: 'own Node is complete again', details: { node: 'n1' } },
  ]);
});

t.test('SourceGuard holds a start without most Services of the kernel, and reports it', async (t) => {
  const { guard, lines, events } = guardedStore(t);
  const names = Array.from({ length: 100 }, (_, index) => `a/s${index}`);
  const kernel = new Map([['ip', new Set(names)]] as const);
  t.equal(guard.mayStartNow, false);
  t.equal(runSteps(guard.mayStart(kernel)), false, 'the Services have no endpoints');
  t.strictSame(guard.counts, { heldServices: 100, holds: 1 });
  t.match(guard.problems().map(describeSourceProblem), [
    /^100 Services kept as last known for \w+: lost while no daemon ran; the start waits and changes nothing in the kernel for another \d+ s, or until "nftlane accept-loss"$/,
  ]);
  t.equal(guard.acceptLoss(), 100);
  t.equal(guard.mayStartNow, true);
  t.strictSame([guard.counts.heldServices, guard.problems()], [0, []]);
  t.match(lines, [
    {
      level: 'warn',
      message: 'source lacks most Services of the kernel; holding the start',
      details: { count: 100, services: 100, hint: 'run "nftlane accept-loss" to start now' },
    },
    {
      level: 'warn',
      message: 'start is not held any more',
      details: { count: 100, reason: 'accepted by an operator' },
    },
  ]);
  t.match(events, [
    { type: 'start-held', lost: 100, before: 100 },
    { type: 'accepted', services: 100 },
  ]);
});

t.test('SourceGuard does not hold a start when that is disabled', async (t) => {
  const { guard, current, lines } = guardedStore(t);
  const kernel = new Map([['ip', new Set(Array.from({ length: 100 }, (_, index) => `a/s${index}`))]] as const);
  t.equal(runSteps(guard.mayStart(kernel)), false);
  current.limits = { ...LIMITS, enabled: false };
  guard.limitsChanged();
  t.equal(guard.mayStartNow, true);
  t.equal(lines.length, 2);
});
