// Tests of src/migration/take-over.ts.
import t from 'tap';
import { systemClock } from '../../../src/host/clock.ts';
import type { RemovalResult } from '../../../src/migration/leftover-cleaner.ts';
import { TakeOver } from '../../../src/migration/take-over.ts';
import { commitOf } from '../../support/builders/sync-report.ts';

const NOTHING: RemovalResult = { removed: [], kept: [], failures: [] };

/** A node with rules of kube-proxy's; `passes` runs whenever time passes, and stops the take-over by returning true. */
function scene({
  mode = 'auto',
  passes,
}: {
  mode?: 'auto' | 'no';
  passes: (scene: Scene, ms: number) => boolean;
}): Scene {
  const stop = new AbortController();
  const log: string[] = [];
  const write = (message: string) => void log.push(message);
  const it: Scene = {
    rules: ['chains'],
    services: 1,
    connections: 0,
    log,
    acts: [],
    takeOver: new TakeOver({
      mode,
      serviceCount: () => it.services,
      log: { debug: write, info: write, warn: write, error: write },
      clock: {
        ...systemClock,
        sleep: async (ms) => {
          if (passes(it, ms)) stop.abort();
        },
      },
      leftovers: {
        find: async () => ({ leftovers: it.rules, failures: [] }),
        countIpvsConnections: async () => it.connections,
        removeTables: async () => NOTHING,
        remove: async () => {
          it.acts.push('remove');
          const removed = it.rules;
          it.rules = [];
          return { ...NOTHING, removed };
        },
      },
    }),
    run: () => it.takeOver.run(stop.signal),
  };
  return it;
}

interface Scene {
  rules: readonly string[];
  services: number;
  connections: number;
  readonly log: string[];
  readonly acts: string[];
  readonly takeOver: TakeOver;
  run(): Promise<void>;
}

const TAKEN = "taken over: kube-proxy's rules are removed";
const BACK = "kube-proxy's rules were back, and are removed again: does it still run? Stop it";

t.test('nothing happens before the ruleset is complete', async (t) => {
  const it = scene({ passes: () => true });
  const running = it.run();
  await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(it.log, []);
  it.takeOver.committed(commitOf({ isInitial: true }));
  await running;
  t.strictSame(it.log, ['found what kube-proxy has left', TAKEN]);
});

t.test('it ends when it is asked to, before and after it began to wait', async (t) => {
  const it = scene({ passes: () => true });
  const stop = new AbortController();
  const waiting = it.takeOver.run(stop.signal);
  stop.abort();
  await waiting;
  await it.takeOver.run(stop.signal);
  t.strictSame(it.log, []);
});

t.test('what comes back is told, and removed after pauses that double', async (t) => {
  const pauses: number[] = [];
  const it = scene({
    passes: (scene, ms) => {
      pauses.push(ms / 60_000);
      scene.rules = ['chains'];
      return pauses.length === 8;
    },
  });
  it.takeOver.committed(commitOf({ isInitial: true }));
  await it.run();
  t.strictSame(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
  t.strictSame(it.log, ['found what kube-proxy has left', TAKEN, ...new Array(7).fill(BACK)]);
});

t.test('a Service that the kernel refused, or none at all, holds it back', async (t) => {
  const it = scene({
    passes: (scene, ms) => {
      if (ms !== 10_000) return true;
      t.strictSame(scene.acts, []);
      if (scene.services === 0) {
        scene.services = 1;
        scene.takeOver.committed(
          commitOf({ problems: { issues: [], conflicts: [], refused: [{ service: 'shop/web', reason: 'no' }] } }),
        );
      } else scene.takeOver.committed(commitOf());
      return false;
    },
  });
  it.services = 0;
  it.takeOver.committed(commitOf({ isInitial: true }));
  await it.run();
  const stays = "kube-proxy's rules stay for now";
  t.strictSame(it.log, ['found what kube-proxy has left', stays, stays, TAKEN]);
});

t.test('connections through ipvs are waited for', async (t) => {
  const it = scene({
    passes: (scene, ms) => {
      if (ms !== 10_000) return true;
      t.strictSame(scene.acts, []);
      scene.connections--;
      return false;
    },
  });
  it.connections = 3;
  it.takeOver.committed(commitOf({ isInitial: true }));
  await it.run();
  t.strictSame(it.log, ['found what kube-proxy has left', 'waiting for connections through ipvs to end', TAKEN]);
});

t.test('where it is switched off, all is left and told once', async (t) => {
  let rounds = 0;
  const it = scene({ mode: 'no', passes: () => ++rounds === 3 });
  it.takeOver.committed(commitOf({ isInitial: true }));
  await it.run();
  t.strictSame(it.acts, []);
  t.strictSame(it.log, ['what kube-proxy has left stays, for taking over is switched off']);
});
