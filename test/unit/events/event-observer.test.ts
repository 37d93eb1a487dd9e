// Tests of src/events/event-observer.ts.
import t from 'tap';
import type { Problems } from '../../../src/controller/sync-observer.ts';
import { EventObserver } from '../../../src/events/event-observer.ts';
import type { EventSpec } from '../../../src/events/event-spec.ts';
import { commitOf, syncReport } from '../../support/builders/sync-report.ts';

const NOTHING: Problems = { issues: [], conflicts: [], refused: [] };

function open(services: readonly string[] = ['shop/web', 'shop/old']) {
  const told: EventSpec[] = [];
  const observer = new EventObserver({
    nodeName: 'n1',
    record: (happening) => told.push(happening),
    hasService: (key) => services.includes(key),
  });
  /** What was told since the last call. */
  const news = () =>
    told.splice(0).map(({ regarding, type, reason }) => `${regarding.kind} ${regarding.key} ${type} ${reason}`);
  return { observer, told, news };
}

t.test('EventObserver tells at the Node of the life of the daemon', async (t) => {
  const { observer, told, news } = open();
  observer.started('1.2.3');
  observer.committed(commitOf({ isInitial: true }));
  observer.chainsModified(['ip services']);
  t.match(told.at(-1), { note: /ip services/, scope: 'node', action: 'Repair' });
  observer.committed(commitOf({ report: syncReport({ drift: ['No such file or directory'] }) }));
  observer.committed(commitOf());
  t.strictSame(news(), [
    'Node n1 Normal Starting',
    'Node n1 Normal InitialLoadComplete',
    'Node n1 Warning RulesetRepaired',
    'Node n1 Warning RulesetRepaired',
  ]);
});

t.test('EventObserver tells of a health check port under the name that kube-proxy has for it', async (t) => {
  const { observer, told } = open();
  observer.healthPortFailed({ service: 'shop/web', port: 30999, reason: 'another process listens there' });
  t.strictSame(told, [
    {
      regarding: { kind: 'Service', key: 'shop/web' },
      type: 'Warning',
      reason: 'FailedToStartServiceHealthcheck',
      action: 'Listen',
      note: 'Node n1 cannot answer health checks at port 30999: another process listens there',
      scope: 'node',
    },
  ]);
});

t.test('EventObserver tells of failing syncs after a minute, once, and of the end', async (t) => {
  const { observer, told, news } = open();
  const fail = (startedAt: number) => observer.failed(new Error('nft is gone'), { startedAt, ms: 500, full: true });
  fail(1_000);
  fail(60_000);
  t.strictSame(news(), [], 'not yet');
  fail(60_500);
  t.match(told[0], { note: 'No change of Services has reached the kernel for 60 s: nft is gone' });
  fail(120_000);
  t.strictSame(news(), ['Node n1 Warning SyncFailing']);
  observer.committed(commitOf());
  t.strictSame(news(), ['Node n1 Normal SyncRecovered']);
  fail(200_000);
  observer.committed(commitOf());
  fail(300_000);
  t.strictSame(news(), [], 'a failure now and then is none of the operator');
});

t.test('EventObserver tells of each trouble when it begins, and when it ends', async (t) => {
  const { observer, told, news } = open();
  const refused = [{ service: 'shop/web', reason: 'Out of range: add element' }];
  const conflicts = [{ frontend: 'ip 192.0.2.1 . tcp . 80', winner: 'shop/old', losers: ['shop/web', 'shop/gone'] }];
  observer.committed(commitOf({ problems: { ...NOTHING, refused, conflicts } }));
  observer.committed(commitOf({ problems: { ...NOTHING, refused, conflicts } }));
  t.match(told[0], { note: /192\.0\.2\.1.* belongs to shop\/old/, scope: 'cluster' });
  t.match(told[2], { note: 'Node n1 cannot serve it: Out of range: add element', scope: 'node' });
  t.strictSame(news(), [
    'Service shop/web Warning FrontendConflict',
    'Service shop/gone Warning FrontendConflict',
    'Service shop/web Warning ServiceNotProgrammed',
  ]);
  observer.committed(commitOf({ problems: { ...NOTHING, conflicts } }));
  t.strictSame(news(), ['Service shop/web Normal ServiceRestored']);
  observer.committed(commitOf({ problems: NOTHING }));
  t.strictSame(news(), ['Service shop/web Normal FrontendConflictResolved'], 'a Service that is gone is told nothing');
  observer.committed(commitOf({ problems: NOTHING }));
  t.strictSame(news(), []);
});

t.test('EventObserver tells of fields that cannot be used at the object that has them', async (t) => {
  const { observer, told, news } = open();
  const issue = { field: 'ports[0].port', value: '0', reason: 'must be a port', effect: 'ignoring this port' };
  const issues = ['EndpointSlice shop/web-1', 'Node n1', 'Service ', 'Pod shop/x'].map((object) => ({
    object,
    ...issue,
  }));
  observer.committed(commitOf({ problems: { ...NOTHING, issues } }));
  t.match(told[0], { note: 'ports[0].port 0: must be a port; ignoring this port', scope: 'cluster' });
  t.strictSame(news(), ['EndpointSlice shop/web-1 Warning InvalidField', 'Node n1 Warning InvalidField']);
});
