// Tests of src/events/event-recorder.ts.

import t, { type Test } from 'tap';
import { EventRecorder } from '../../../src/events/event-recorder.ts';
import type { EventWriter } from '../../../src/events/event-writer.ts';
import type { Clock } from '../../../src/host/clock.ts';
import { ApiError, ConnectionError } from '../../../src/sources/api-server/client/api-error.ts';
import { eventSpec } from '../../support/builders/event-spec.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';
import { waitUntil } from '../../support/wait-until.ts';

/** A clock that advances only with `pass`. */
class ManualClock implements Clock {
  #now = Date.UTC(2026, 0, 1);
  readonly #sleepers = new Set<{ until: number; wake: () => void }>();

  now(): number {
    return this.#now;
  }

  wallTime(at: number): number {
    return at;
  }

  random(): number {
    return 0.5;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const sleeper = { until: this.#now + ms, wake: () => resolve() };
      if (ms <= 0 || signal?.aborted) return resolve();
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Advances in steps of a second, and lets due tasks run after each. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; ; left -= 1000) {
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      if (left <= 0) return;
      this.#now += Math.min(1000, left);
      for (const sleeper of this.#sleepers) {
        if (sleeper.until > this.#now) continue;
        this.#sleepers.delete(sleeper);
        sleeper.wake();
      }
    }
  }
}

const REPAIRED = eventSpec();

function open(t: Test) {
  const clock = new ManualClock();
  const { log, lines } = recordLog();
  const written: string[] = [];
  const failures: Error[] = [];
  const outcomes: string[] = [];
  const fail = () => {
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
  };
  const writer: EventWriter = {
    create: async ({ note }) => {
      written.push(`create ${note}`);
      fail();
    },
    repeat: async (_, { count }) => {
      written.push(`repeat ${count}`);
      fail();
    },
  };
  const onOutcome = (outcome: string) => void outcomes.push(outcome);
  const recorder = new EventRecorder({ writer, nodeName: 'n1', clock, log, onOutcome });
  const stop = new AbortController();
  const running = recorder.run(stop.signal);
  t.teardown(async () => {
    stop.abort();
    await running;
  });
  return { clock, recorder, written, failures, outcomes, lines };
}

t.test('EventRecorder sends an Event immediately, and repetitions as a series', async (t) => {
  const { clock, recorder, written, outcomes } = open(t);
  recorder.record(REPAIRED);
  t.strictSame(written, [], 'it is sent later');
  await waitUntil('first', () => written.length === 1);
  recorder.record(REPAIRED);
  recorder.record({ ...REPAIRED });
  await clock.pass(59_000);
  t.strictSame(written, ['create flushed']);
  await clock.pass(1_000);
  t.strictSame(written, ['create flushed', 'repeat 3']);
  await clock.pass(300_000);
  t.equal(written.length, 2, 'nothing new to send');
  recorder.record(REPAIRED);
  await clock.pass(1_000);
  t.strictSame(written.at(-1), 'repeat 4');
  await clock.pass(361_000);
  recorder.record(REPAIRED);
  await clock.pass(1_000);
  t.strictSame(written.at(-1), 'create flushed', 'after six minutes a new series begins');
  t.strictSame(outcomes, ['sent', 'repeated', 'repeated', 'sent']);
});

t.test('EventRecorder sends a burst, and then ten Events a minute', async (t) => {
  const { clock, recorder, written, outcomes } = open(t);
  for (let n = 0; n < 250; n++) recorder.record({ ...REPAIRED, note: `number ${n}` });
  t.equal(outcomes.filter((outcome) => outcome === 'dropped').length, 50, 'the queue is limited');
  await clock.pass(0);
  await waitUntil('burst', () => written.length >= 20);
  t.equal(written.length, 20);
  await clock.pass(60_000);
  t.equal(written.length, 30);
});

t.test('EventRecorder delays an Event that every node sees, and sends it once', async (t) => {
  const { clock, recorder, written } = open(t);
  recorder.record({ ...REPAIRED, scope: 'cluster' });
  await clock.pass(14_000);
  t.strictSame(written, []);
  await clock.pass(1_000);
  t.strictSame(written, ['create flushed']);
  recorder.record({ ...REPAIRED, scope: 'cluster' });
  await clock.pass(120_000);
  t.equal(written.length, 1);
});

t.test('EventRecorder logs missing permission once, and retries later', async (t) => {
  const { clock, recorder, written, failures, outcomes, lines } = open(t);
  failures.push(new ApiError(403, 'events is forbidden'), new ApiError(403, 'events is forbidden'));
  recorder.record(REPAIRED);
  await waitUntil('refusal', () => outcomes.length === 1);
  recorder.record(REPAIRED);
  recorder.record({ ...REPAIRED, note: 'again' });
  await clock.pass(599_000);
  t.equal(written.length, 1);
  await clock.pass(1_000);
  recorder.record(REPAIRED);
  await clock.pass(1_000);
  t.equal(written.length, 2);
  await clock.pass(600_000);
  recorder.record(REPAIRED);
  await clock.pass(1_000);
  t.strictSame(outcomes, ['failed', 'dropped', 'dropped', 'failed', 'sent']);
  t.match(lines, [
    { level: 'warn', details: { reason: 'events is forbidden' } },
    { level: 'info', message: 'allowed to write Events again' },
  ]);
  t.equal(lines.length, 2);
});

t.test('EventRecorder retries temporary failures three times', async (t) => {
  const { clock, recorder, written, failures, outcomes } = open(t);
  failures.push(new ConnectionError('gone'), new ApiError(429, 'slowly', 40_000));
  recorder.record(REPAIRED);
  await clock.pass(14_000);
  t.equal(written.length, 1);
  await clock.pass(1_000);
  t.equal(written.length, 2);
  await clock.pass(39_000);
  t.equal(written.length, 2, 'Retry-After is respected');
  await clock.pass(1_000);
  t.strictSame(outcomes, ['sent']);
  failures.push(new ConnectionError('1'), new ConnectionError('2'), new ConnectionError('3'));
  recorder.record({ ...REPAIRED, note: 'other' });
  await clock.pass(120_000);
  t.strictSame(outcomes, ['sent', 'failed']);
  failures.push(new ApiError(422, 'no'));
  recorder.record({ ...REPAIRED, note: 'invalid' });
  await clock.pass(120_000);
  t.strictSame(outcomes, ['sent', 'failed', 'failed']);
  t.equal(written.filter((line) => line === 'create invalid').length, 1, 'an invalid Event is not retried');
});

t.test('EventRecorder creates an Event again if it has expired', async (t) => {
  const { clock, recorder, written, failures } = open(t);
  recorder.record(REPAIRED);
  await waitUntil('first', () => written.length === 1);
  await clock.pass(100_000);
  failures.push(new ApiError(404, 'not found'));
  recorder.record(REPAIRED);
  await clock.pass(1_000);
  t.strictSame(written, ['create flushed', 'repeat 2', 'create flushed']);
  await clock.pass(60_000);
  t.strictSame(written.at(-1), 'repeat 2');
});
