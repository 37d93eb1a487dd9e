// Tests of src/controller/repair/element-verifier.ts.

import t from 'tap';
import { describeVerification, ElementVerifier } from '../../../../src/controller/repair/element-verifier.ts';
import type { Engine } from '../../../../src/engine/engine.ts';
import { linesOf } from '../../../../src/engine/transaction.ts';
import type { SetOrMap } from '../../../../src/nftables/syntax/element.ts';
import type { ListedElement } from '../../../../src/nftables/syntax/listing.ts';
import type { Notification, RulesetCommit } from '../../../../src/nftables/syntax/notification.ts';
import { refKey } from '../../../../src/nftables/syntax/object-ref.ts';
import { commitAll, engineOf } from '../../../support/builders/engine.ts';
import { service } from '../../../support/builders/service.ts';
import { slice } from '../../../support/builders/slice.ts';
import { FakeNftables } from '../../../support/fakes/fake-nftables.ts';
import { silentLog } from '../../../support/fakes/silent-log.ts';

interface VerifierWorld {
  readonly kernel: FakeNftables;
  readonly engine: Engine;
  readonly rests: number[];
  readonly counts: { begun: number; ended: number };
  /** Runs a round and returns what was reported. */
  round(): Promise<Notification[]>;
  readonly verifier: ElementVerifier;
}

/** Each listing takes `listMs`. `onList` is called at its end. */
function begin({
  listMs = 10,
  onList = () => {},
}: {
  listMs?: number;
  onList?: (world: VerifierWorld) => void;
} = {}): VerifierWorld {
  const kernel = new FakeNftables();
  const engine = engineOf([service(), slice()]);
  for (const transaction of commitAll(engine)) kernel.run(linesOf(transaction));
  const [rests, counts, commits]: [number[], { begun: number; ended: number }, RulesetCommit[]] = [
    [],
    { begun: 0, ended: 0 },
    [],
  ];
  let now = 0;
  let stop = new AbortController();
  const verifier = new ElementVerifier({
    engine,
    nftClient: {
      transactionCounts: counts,
      readElements: async (object: SetOrMap, _: unknown, onElement: (element: ListedElement) => void) => {
        now += listMs;
        for (const [key, element] of kernel.list().elements.get(refKey(object)) ?? [])
          onElement({ key, ...element, packets: 0 });
        onList(world);
      },
    },
    onDifferences: (commit) => commits.push(commit),
    log: silentLog,
    clock: {
      now: () => now,
      sleep: async (ms) => {
        rests.push(ms);
        now += ms;
        if (verifier.status.roundEndedMs !== undefined) stop.abort();
      },
    },
    cpuMs: () => 0,
  });
  const round = async () => {
    stop = new AbortController();
    await verifier.run(stop.signal);
    return commits.splice(0).flatMap(({ notifications }) => notifications);
  };
  verifier.committed({ isInitial: true } as never);
  const world = { kernel, engine, rests, counts, round, verifier };
  return world;
}

const shown = (notifications: readonly Notification[]) =>
  notifications.map((one) => (one.kind === 'element' ? `${one.verb} ${refKey(one.object)} ${one.key}` : one.kind));

t.test('ElementVerifier finds nothing in an unchanged kernel, and rests 99 times as long as it works', async (t) => {
  const { round, rests, verifier } = begin({ listMs: 50 });
  t.equal(describeVerification(verifier.status), 'not yet');
  t.strictSame(await round(), []);
  t.match(verifier.status, { differences: 0, skipped: 0 });
  t.equal(describeVerification(verifier.status), '0 differences');
  t.ok(rests.every((ms) => ms === 50 * 99));
  const quick = begin({ listMs: 1 });
  await quick.round();
  t.ok(
    quick.rests.every((ms) => ms === 1000),
    'and at least a second',
  );
});

t.test('ElementVerifier reports deleted, changed and foreign elements', async (t) => {
  const { kernel, round, verifier, engine } = begin();
  kernel.run([
    'delete element ip nftlane endpoints { 10.96.0.1 . tcp . 80 . 0 }',
    'delete element ip nftlane service-ips { 10.96.0.1 . tcp . 80 }',
    'add element ip nftlane service-ips { 10.96.0.1 . tcp . 80 comment "other" : drop }',
    'add element ip nftlane cluster-ips { 10.96.0.9 }',
  ]);
  const found = await round();
  // The next round has begun when the run is stopped.
  t.strictSame([...new Set(shown(found))].sort(), [
    'add ip cluster-ips 10.96.0.9',
    'add ip service-ips 10.96.0.1 . tcp . 80',
    'delete ip endpoints 10.96.0.1 . tcp . 80 . 0',
  ]);
  t.equal(verifier.status.differences, 3);
  engine.foreignChanges.observe({ generation: 0, pid: 0, program: '', omitted: new Map(), notifications: found });
  for (const transaction of commitAll(engine)) kernel.run(linesOf(transaction));
  t.strictSame(await round(), [], 'they are repaired');
});

t.test('ElementVerifier does not take our own changes for differences', async (t) => {
  let lists = 0;
  const { round, verifier, kernel } = begin({
    onList: ({ counts }) => {
      lists++;
      counts.begun++;
      counts.ended++;
    },
  });
  kernel.run(['add element ip nftlane cluster-ips { 10.96.0.9 }']);
  t.strictSame(await round(), []);
  const { skipped } = verifier.status;
  t.ok(skipped > 30, 'every listing was disturbed');
  t.equal(lists, skipped * 3 + 1, 'a bounded number of times, and the next round has begun');
  t.equal(describeVerification(verifier.status), `0 differences, ${skipped} sets and maps not compared`);
});

t.test('ElementVerifier waits while the state of the kernel is not known, or a transaction is under way', async (t) => {
  const unknown = begin();
  unknown.engine.invalidate();
  await unknown.round();
  t.ok(unknown.verifier.status.skipped > 30);
  const busy = begin();
  busy.counts.begun++;
  await busy.round();
  t.ok(busy.verifier.status.skipped > 30);
});
