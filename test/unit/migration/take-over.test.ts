// Tests of src/migration/take-over.ts.

import t from 'tap';
import { systemClock } from '../../../src/host/clock.ts';
import type { RemovalResult } from '../../../src/migration/leftover-cleaner.ts';
import { TakeOver } from '../../../src/migration/take-over.ts';
import { commitOf } from '../../support/builders/sync-report.ts';

const NOTHING: RemovalResult = { removed: [], kept: [], failures: [] };

/** A node with rules of kube-proxy. `onSleep` runs at each sleep of the take-over, and stops it by returning true. */
function createFixture({
  mode = 'auto',
  onSleep,
}: {
  mode?: 'auto' | 'no';
  onSleep: (fixture: Fixture, ms: number) => boolean;
}): Fixture {
  const stop = new AbortController();
  const log: string[] = [];
  const write = (message: string) => void log.push(message);
  const fixture: Fixture = {
    rules: ['chains'],
    services: 1,
    connections: 0,
    log,
    calls: [],
    takeOver: new TakeOver({
      mode,
      serviceCount: () => fixture.services,
      log: { debug: write, info: write, warn: write, error: write },
      clock: {
        ...systemClock,
        sleep: async (ms) => {
          if (onSleep(fixture, ms)) stop.abort();
        },
      },
      leftovers: {
        find: async () => ({ leftovers: fixture.rules, failures: [] }),
        countIpvsConnections: async () => fixture.connections,
        removeTables: async () => NOTHING,
        remove: async () => {
          fixture.calls.push('remove');
          const removed = fixture.rules;
          fixture.rules = [];
          return { ...NOTHING, removed };
        },
      },
    }),
    run: () => fixture.takeOver.run(stop.signal),
  };
  return fixture;
}

interface Fixture {
  rules: readonly string[];
  services: number;
  connections: number;
  readonly log: string[];
  readonly calls: string[];
  readonly takeOver: TakeOver;
  run(): Promise<void>;
}

const FOUND = 'found leftovers of kube-proxy';
const REMOVED = 'took over from kube-proxy and removed its leftovers';
const REMOVED_AGAIN = 'removed new leftovers of kube-proxy';

t.test('TakeOver removes nothing before the ruleset is complete', async (t) => {
  const fixture = createFixture({ onSleep: () => true });
  const running = fixture.run();
  await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(fixture.log, []);
  fixture.takeOver.committed(commitOf({ isInitial: true }));
  await running;
  t.strictSame(fixture.log, [FOUND, REMOVED]);
});

t.test('TakeOver stops on abort, before and after it starts to wait', async (t) => {
  const fixture = createFixture({ onSleep: () => true });
  const stop = new AbortController();
  const waiting = fixture.takeOver.run(stop.signal);
  stop.abort();
  await waiting;
  await fixture.takeOver.run(stop.signal);
  t.strictSame(fixture.log, []);
});

t.test('TakeOver removes new leftovers with a warning, after delays that double', async (t) => {
  const pauses: number[] = [];
  const fixture = createFixture({
    onSleep: (fixture, ms) => {
      pauses.push(ms / 60_000);
      fixture.rules = ['chains'];
      return pauses.length === 8;
    },
  });
  fixture.takeOver.committed(commitOf({ isInitial: true }));
  await fixture.run();
  t.strictSame(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
  t.strictSame(fixture.log, [FOUND, REMOVED, ...new Array(7).fill(REMOVED_AGAIN)]);
});

t.test('TakeOver waits while there are no Services or the kernel refused one', async (t) => {
  const fixture = createFixture({
    onSleep: (fixture, ms) => {
      if (ms !== 10_000) return true;
      t.strictSame(fixture.calls, []);
      if (fixture.services === 0) {
        fixture.services = 1;
        fixture.takeOver.committed(
          commitOf({
            problems: { issues: [], conflicts: [], refused: [{ service: 'shop/web', reason: 'no' }], limited: [] },
          }),
        );
      } else fixture.takeOver.committed(commitOf());
      return false;
    },
  });
  fixture.services = 0;
  fixture.takeOver.committed(commitOf({ isInitial: true }));
  await fixture.run();
  const kept = 'keeping the leftovers of kube-proxy for now';
  t.strictSame(fixture.log, [FOUND, kept, kept, REMOVED]);
});

t.test('TakeOver waits for connections through IPVS to end', async (t) => {
  const fixture = createFixture({
    onSleep: (fixture, ms) => {
      if (ms !== 10_000) return true;
      t.strictSame(fixture.calls, []);
      fixture.connections--;
      return false;
    },
  });
  fixture.connections = 3;
  fixture.takeOver.committed(commitOf({ isInitial: true }));
  await fixture.run();
  t.strictSame(fixture.log, [FOUND, 'waiting for connections through IPVS to end', REMOVED]);
});

t.test('TakeOver keeps leftovers and warns once if disabled', async (t) => {
  let rounds = 0;
  const fixture = createFixture({ mode: 'no', onSleep: () => ++rounds === 3 });
  fixture.takeOver.committed(commitOf({ isInitial: true }));
  await fixture.run();
  t.strictSame(fixture.calls, []);
  t.strictSame(fixture.log, ['take-over is disabled, keeping the leftovers of kube-proxy']);
});
