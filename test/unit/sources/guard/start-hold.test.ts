// Tests of src/sources/guard/start-hold.ts.

import t from 'tap';
import { Store } from '../../../../src/engine/store.ts';
import { runSteps } from '../../../../src/lib/steps.ts';
import { KINDS } from '../../../../src/services/objects/kinds.ts';
import { StartHold } from '../../../../src/sources/guard/start-hold.ts';
import { holdRecord } from '../../../support/fakes/hold-record.ts';
import { LIMITS, webService, webSlice } from './guarded-world.ts';

const GRACE = LIMITS.gracePeriodMs;

/** A kernel with the Services 0 to 39, and a source with those from `from` on. */
function startWith(from: number, { heldMs, kernel = 40 }: { heldMs?: number; kernel?: number } = {}) {
  const store = new Store();
  const journal: string[] = [];
  const record = holdRecord(heldMs);
  const state = { now: 1_000_000, limits: LIMITS, kernel };
  const hold = new StartHold({
    store,
    limits: () => state.limits,
    now: () => state.now,
    record,
    onHold: ({ lost, before, remainingMs }) => journal.push(`hold ${lost} of ${before} for ${remainingMs}`),
    onEnd: (end, applied) => journal.push(`${end} ${applied}`),
  });
  const have = (first: number): void => {
    const indexes = Array.from({ length: 40 - first }, (_, index) => first + index);
    store.replace(
      'Service',
      indexes.map((index) => KINDS.Service.read(webService(index))),
    );
    store.replace(
      'EndpointSlice',
      indexes.map((index) => KINDS.EndpointSlice.read(webSlice(index))),
    );
  };
  have(from);
  const ask = (afterMs = 0): boolean => {
    state.now += afterMs;
    const names = Array.from({ length: state.kernel }, (_, index) => `a/s${index}`);
    return runSteps(hold.mayStart(state.kernel === 0 ? new Map() : new Map([['ip', new Set(names)]])));
  };
  return { hold, journal, record, state, have, ask };
}

t.test('StartHold lets a start change the kernel without a mass loss', async (t) => {
  for (const [from, kernel] of [
    [0, 40],
    [20, 40],
    [40, 19],
    [40, 0],
  ] as const) {
    const { hold, journal, record, state, have, ask } = startWith(from, { kernel });
    t.ok(ask(), `${from} of ${kernel} are lost`);
    t.strictSame([hold.isOver, hold.heldServices, hold.times], [true, 0, undefined]);
    state.kernel = 40;
    have(40);
    t.ok(ask(), 'only at the start');
    t.strictSame([journal, record.calls], [[], []]);
  }
});

t.test('StartHold removes the record of a hold that is over', async (t) => {
  const { record, ask } = startWith(0, { heldMs: 1_000 });
  t.ok(ask());
  t.strictSame(record.calls, ['clear']);
});

t.test('StartHold holds a start until all Services are back', async (t) => {
  const { hold, journal, record, have, ask } = startWith(40);
  t.notOk(ask());
  t.notOk(ask(2_000));
  t.strictSame(hold.times, { heldMs: 2_000, remainingMs: GRACE - 2_000 });
  t.equal(hold.heldServices, 40);
  have(30);
  t.notOk(ask(9_000));
  t.equal(hold.heldServices, 30);
  have(0);
  t.ok(ask(1_000));
  t.strictSame(journal, [`hold 40 of 40 for ${GRACE}`, 'recovered 0']);
  t.strictSame(record.calls, ['save 0', 'save 11000', 'clear']);
});

t.test('StartHold waits for those that are still coming back, and not for those that do not', async (t) => {
  const { journal, have, ask } = startWith(40);
  t.notOk(ask());
  have(15);
  t.notOk(ask(1_000), 'less than a mass loss');
  have(10);
  t.notOk(ask(4_900));
  have(5);
  t.notOk(ask(4_900));
  t.notOk(ask(4_900));
  t.ok(ask(200));
  t.strictSame(journal.at(-1), 'recovered 5');
});

t.test('StartHold applies the loss after the grace period, which restarts do not make longer', async (t) => {
  const first = startWith(40);
  t.notOk(first.ask());
  t.notOk(first.ask(GRACE - 1));
  t.ok(first.ask(1));
  t.strictSame(first.journal, [`hold 40 of 40 for ${GRACE}`, 'expired 40']);
  t.notOk(first.record.calls.includes('clear'), 'the loss is not applied yet');
  first.hold.started();
  first.hold.started();
  t.strictSame(first.record.calls.slice(2), ['clear'], 'it is applied, and a later loss is another one');

  const second = startWith(40, { heldMs: GRACE - 10_000 });
  t.notOk(second.ask());
  t.strictSame(second.journal, ['hold 40 of 40 for 10000']);
  t.ok(second.ask(10_000));

  const third = startWith(40, { heldMs: GRACE + 1 });
  t.ok(third.ask(), 'it ended while no daemon ran');
  t.strictSame(third.journal, ['hold 40 of 40 for 0', 'expired 40']);
});

t.test('StartHold follows limits that change', async (t) => {
  const { journal, state, ask } = startWith(40);
  t.notOk(ask());
  state.limits = { ...LIMITS, gracePeriodMs: 5_000 };
  t.notOk(ask(4_999));
  t.ok(ask(1));
  t.strictSame(journal.at(-1), 'expired 40');
  const raised = startWith(40);
  t.notOk(raised.ask());
  raised.state.limits = { ...LIMITS, minServices: 41 };
  t.ok(raised.ask(5_000));
  t.strictSame(raised.journal.at(-1), 'accepted 40', 'no Service is back');
  const disabled = startWith(40);
  disabled.state.limits = { ...LIMITS, enabled: false };
  t.ok(disabled.ask());
});

t.test('StartHold lets the start continue when it is accepted, or when the kernel has nothing any more', async (t) => {
  const accepted = startWith(40);
  t.equal(accepted.hold.accept(), 0, 'nothing is held yet');
  t.notOk(accepted.ask());
  t.equal(accepted.hold.accept(), 40);
  t.equal(accepted.hold.accept(), 0);
  t.ok(accepted.ask());
  t.strictSame(accepted.journal.slice(1), ['accepted 40']);
  t.strictSame(
    accepted.record.calls,
    ['save 0', `save ${GRACE}`],
    'also for a daemon that follows before the first sync',
  );
  accepted.hold.started();
  t.strictSame(accepted.record.calls.at(-1), 'clear');

  const emptied = startWith(40);
  t.notOk(emptied.ask());
  emptied.state.kernel = 0;
  t.ok(emptied.ask(1_000));
  t.strictSame(emptied.journal.slice(1), ['emptied 0']);
});
