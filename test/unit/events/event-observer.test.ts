// Tests of src/events/event-observer.ts.

import t from 'tap';
import { summarize } from '../../../src/controller/repair/foreign-changes.ts';
import type { Problems } from '../../../src/controller/sync-observer.ts';
import { EventObserver } from '../../../src/events/event-observer.ts';
import type { EventSpec } from '../../../src/events/event-spec.ts';
import { foreignCommit } from '../../support/builders/foreign-commit.ts';
import { commitOf, syncReport } from '../../support/builders/sync-report.ts';

const NOTHING: Problems = { issues: [], conflicts: [], refused: [], limited: [] };

function open(services: readonly string[] = ['shop/web', 'shop/old']) {
  const records: EventSpec[] = [];
  const observer = new EventObserver({
    nodeName: 'n1',
    record: (event) => records.push(event),
    hasService: (key) => services.includes(key),
  });
  /** The Events since the last call. */
  const takeRecords = () =>
    records.splice(0).map(({ regarding, type, reason }) => `${regarding.kind} ${regarding.key} ${type} ${reason}`);
  return { observer, records, takeRecords };
}

t.test('EventObserver records the life of the daemon at the Node', async (t) => {
  const { observer, records, takeRecords } = open();
  observer.started('1.2.3');
  observer.committed(commitOf({ isInitial: true }));
  observer.chainsModified(['ip services']);
  t.match(records.at(-1), { note: /ip services/, scope: 'node', action: 'Repair' });
  observer.committed(commitOf({ report: syncReport({ drift: ['No such file or directory'] }) }));
  observer.committed(commitOf());
  t.strictSame(takeRecords(), [
    'Node n1 Normal Starting',
    'Node n1 Normal InitialLoadComplete',
    'Node n1 Warning RulesetRepaired',
    'Node n1 Warning RulesetRepaired',
  ]);
});

t.test('EventObserver records what another process changed, and that it keeps undoing repairs', async (t) => {
  const { observer, records, takeRecords } = open();
  observer.foreignChanges(summarize(foreignCommit('delete chain ip nftlane services')));
  t.match(records.at(-1), {
    note: /Process other-program \(4711\) .* \(1 chain: delete chain ip services\); repaired/,
  });
  observer.contested({ program: 'other', pid: 4711, repairs: 12, waitMs: 800 });
  t.match(records.at(-1), { note: /Process other \(4711\) has undone 12 repairs .* wait for 0\.8 s/ });
  observer.contested(undefined);
  t.strictSame(takeRecords(), [
    'Node n1 Warning RulesetRepaired',
    'Node n1 Warning RulesetContested',
    'Node n1 Normal RulesetContestEnded',
  ]);
});

t.test('EventObserver records at a Service which slice does not match it, and the end of that', async (t) => {
  const { observer, records, takeRecords } = open();
  const issue = { object: 'EndpointSlice shop/web-1', field: 'ports[0].name', value: '"a"', reason: 'x', effect: 'y' };
  observer.committed(commitOf({ problems: { ...NOTHING, issues: [{ ...issue, service: 'shop/web' }] } }));
  t.match(records.at(-1), { note: 'EndpointSlice shop/web-1: ports[0].name "a": x; y', scope: 'cluster' });
  observer.committed(commitOf({ problems: NOTHING }));
  t.strictSame(takeRecords(), [
    'Service shop/web Warning EndpointSliceMismatch',
    'Service shop/web Normal EndpointSliceMatches',
  ]);
});

t.test('EventObserver records the beginning and the end of a hold of lost Services', async (t) => {
  const { observer, records, takeRecords } = open();
  observer.hold({ type: 'held', lost: 30, before: 40, gracePeriodMs: 300_000 });
  const note = '30 of 40 Services, or their endpoints, were lost and are kept: their loss is applied after 300 s';
  t.match(records.at(-1), { note, scope: 'node', action: 'HoldBackLoss' });
  observer.hold({ type: 'recovered', services: 3 });
  observer.hold({ type: 'expired', services: 30 });
  observer.hold({ type: 'accepted', services: 30 });
  t.match(records.at(-1), { note: 'Applied the loss of 30 Services: an operator accepted it' });
  t.strictSame(takeRecords(), [
    'Node n1 Warning ServiceLossHeld',
    'Node n1 Normal ServiceLossRecovered',
    'Node n1 Warning ServiceLossApplied',
    'Node n1 Warning ServiceLossApplied',
  ]);
});

t.test('EventObserver records the beginning and the end of a start that is held', async (t) => {
  const { observer, records, takeRecords } = open();
  observer.hold({ type: 'start-held', lost: 30, before: 40, remainingMs: 290_000 });
  const note =
    '30 of 40 Services, or their endpoints, were lost while no daemon ran, and are kept: nothing in the kernel is changed or repaired, also for new Services, for 290 s';
  t.match(records.at(-1), { note, scope: 'node', action: 'HoldBackLoss' });
  observer.hold({ type: 'emptied', services: 0 });
  t.strictSame(takeRecords(), ['Node n1 Warning ServiceLossHeld', 'Node n1 Normal ServiceLossRecovered']);
});

t.test("EventObserver records a failed health check node port with kube-proxy's reason", async (t) => {
  const { observer, records } = open();
  observer.healthPortFailed({ service: 'shop/web', port: 30999, reason: 'another process listens there' });
  t.strictSame(records, [
    {
      regarding: { kind: 'Service', key: 'shop/web' },
      type: 'Warning',
      reason: 'FailedToStartServiceHealthcheck',
      action: 'Listen',
      note: 'Node n1 cannot serve health checks on port 30999: another process listens there',
      scope: 'node',
    },
  ]);
});

t.test('EventObserver records stale objects when the API server can take the Event', async (t) => {
  const { observer, records, takeRecords } = open();
  const unreachable = { cause: 'unreachable', subject: 'API server', forMs: 7_999_000, reason: 'refused' } as const;
  observer.sourceStale(unreachable);
  t.strictSame(takeRecords(), []);
  observer.sourceRecovered(unreachable);
  t.match(records[0], {
    note: /^Objects were not current: API server unreachable for 2h13m: refused; forwarding kept/,
  });
  t.strictSame(takeRecords(), ['Node n1 Warning SourceStale', 'Node n1 Normal SourceRecovered']);
  const silent = { cause: 'silent', subject: 'watch of Services', forMs: 180_000 } as const;
  observer.sourceStale(silent);
  t.strictSame(takeRecords(), ['Node n1 Warning SourceStale']);
  observer.sourceRecovered(silent);
  t.strictSame(takeRecords(), ['Node n1 Normal SourceRecovered']);
});

t.test('EventObserver records failing syncs once after a minute, and the recovery', async (t) => {
  const { observer, records, takeRecords } = open();
  const fail = (startedAt: number) =>
    observer.failed(new Error('nft is gone'), { startedAt, durationMs: 500, full: true });
  fail(1_000);
  fail(60_000);
  t.strictSame(takeRecords(), [], 'not yet');
  fail(60_500);
  t.match(records[0], { note: 'No Service change has reached the kernel for 60 s: nft is gone' });
  fail(120_000);
  t.strictSame(takeRecords(), ['Node n1 Warning SyncFailing']);
  observer.committed(commitOf());
  t.strictSame(takeRecords(), ['Node n1 Normal SyncRecovered']);
  fail(200_000);
  observer.committed(commitOf());
  fail(300_000);
  t.strictSame(takeRecords(), [], 'single failures are not recorded');
});

t.test('EventObserver records the start and the end of each problem', async (t) => {
  const { observer, records, takeRecords } = open();
  const refused = [{ service: 'shop/web', reason: 'Out of range: add element' }];
  const conflicts = [{ frontend: '192.0.2.1:80/tcp', winner: 'shop/old', losers: ['shop/web', 'shop/gone'] }];
  observer.committed(commitOf({ problems: { ...NOTHING, refused, conflicts } }));
  observer.committed(commitOf({ problems: { ...NOTHING, refused, conflicts } }));
  t.match(records[0], { note: /192\.0\.2\.1.* belongs to the older Service shop\/old/, scope: 'cluster' });
  t.match(records[2], { note: 'Node n1 cannot program the Service: Out of range: add element', scope: 'node' });
  t.strictSame(takeRecords(), [
    'Service shop/web Warning FrontendConflict',
    'Service shop/gone Warning FrontendConflict',
    'Service shop/web Warning ServiceNotProgrammed',
  ]);
  observer.committed(commitOf({ problems: { ...NOTHING, conflicts } }));
  t.strictSame(takeRecords(), ['Service shop/web Normal ServiceRestored']);
  observer.committed(commitOf({ problems: NOTHING }));
  t.strictSame(takeRecords(), ['Service shop/web Normal FrontendConflictResolved'], 'nothing for a deleted Service');
  observer.committed(commitOf({ problems: NOTHING }));
  t.strictSame(takeRecords(), []);
});

t.test('EventObserver records that a Service exceeds a limit, once', async (t) => {
  const { observer, records, takeRecords } = open();
  const limited = [
    { service: 'shop/web', effect: 'left-out', reason: 'needs 9 elements, but the limit is 8' } as const,
  ];
  observer.committed(commitOf({ problems: { ...NOTHING, limited } }));
  observer.committed(commitOf({ problems: { ...NOTHING, limited: [...limited] } }));
  t.match(records[0], {
    note: /^On node n1, the Service needs 9 elements, but the limit is 8; left out/,
    scope: 'node',
  });
  t.strictSame(takeRecords(), ['Service shop/web Warning ServiceLimited']);
  observer.committed(commitOf({ problems: NOTHING }));
  t.strictSame(takeRecords(), ['Service shop/web Normal ServiceRestored']);
});

t.test('EventObserver records invalid fields at their objects', async (t) => {
  const { observer, records, takeRecords } = open();
  const issue = { field: 'ports[0].port', value: '0', reason: 'must be a port', effect: 'ignoring this port' };
  const unnamed = ['Service ', 'Service (without a name)', 'Service at /m/web.yaml:3'];
  const issues = ['EndpointSlice shop/web-1', 'Node n1', 'Pod shop/x', ...unnamed].map((object) => ({
    object,
    ...issue,
  }));
  observer.committed(commitOf({ problems: { ...NOTHING, issues } }));
  t.match(records[0], { note: 'ports[0].port 0: must be a port; ignoring this port', scope: 'cluster' });
  t.strictSame(takeRecords(), ['EndpointSlice shop/web-1 Warning InvalidField', 'Node n1 Warning InvalidField']);
});
