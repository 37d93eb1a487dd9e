// Tests of src/controller/sync-logger.ts.

import t from 'tap';
import { summarize } from '../../../src/controller/repair/foreign-changes.ts';
import { SyncLogger } from '../../../src/controller/sync-logger.ts';
import { foreignCommit } from '../../support/builders/foreign-commit.ts';
import { commitOf, syncReport, syncTimes } from '../../support/builders/sync-report.ts';
import { recordLog } from '../../support/fakes/recording-log.ts';

function open() {
  const { log, lines } = recordLog();
  return { logger: new SyncLogger({ log, services: () => 3 }), lines };
}

const TIMES = syncTimes({ durationMs: 1.26, latencyMs: 20.04 });

t.test('SyncLogger logs the initial load, and later syncs that changed something', async (t) => {
  const { logger, lines } = open();
  const report = syncReport({ operations: 5, transactions: 1 });
  logger.committed(commitOf({ report, times: TIMES, isInitial: true }));
  logger.committed(commitOf({ report, times: TIMES }));
  logger.committed(commitOf());
  const fields = { operations: 5, transactions: 1, durationMs: 1.3, latencyMs: 20 };
  t.strictSame(lines, [
    { level: 'info', message: 'ruleset complete', details: { services: 3, ...fields } },
    { level: 'debug', message: 'synced', details: fields },
  ]);
});

t.test('SyncLogger logs drift, refused Services and foreign changes', async (t) => {
  const { logger, lines } = open();
  const problems = {
    issues: [],
    conflicts: [],
    limited: [],
    refused: [{ service: 'shop/web', reason: 'Out of range' }],
  };
  logger.committed(commitOf({ report: syncReport({ drift: ['No such file or directory'] }), problems }));
  logger.chainsModified(['a', 'b', 'c', 'd', 'e', 'f']);
  t.match(lines, [
    { level: 'warn', details: { reason: 'No such file or directory' } },
    { level: 'error', message: 'kernel refused Service', details: { service: 'shop/web', reason: 'Out of range' } },
    { level: 'warn', details: { chains: 'a, b, c, d, e', count: 6 } },
  ]);
  t.equal(lines.length, 3);
});

t.test('SyncLogger logs what another process changed, and that it keeps undoing repairs', async (t) => {
  const { logger, lines } = open();
  logger.foreignChanges(summarize(foreignCommit('delete chain ip nftlane services')));
  logger.contested({ program: 'other', pid: 4711, repairs: 12, waitMs: 800 });
  logger.contested(undefined);
  const changes = { changes: '1 chain', transactions: 1, first: ['delete chain ip services'] };
  t.match(lines, [
    { level: 'warn', details: { program: 'other-program', pid: 4711, ...changes } },
    { level: 'error', details: { program: 'other', pid: 4711, repairs: 12, waitMs: 800 } },
    { level: 'info', message: 'no other process undoes repairs of the ruleset any more' },
  ]);
});

t.test('SyncLogger logs a problem once while it lasts', async (t) => {
  const { logger, lines } = open();
  const issue = { object: 'Service shop/web', field: 'spec', value: 'x', reason: 'no', effect: 'ignoring the field' };
  const conflict = { frontend: '192.0.2.1:80/tcp', winner: 'a/old', losers: ['b/new', 'c/new'] };
  const problems = { issues: [issue], conflicts: [conflict], refused: [], limited: [] };
  for (let n = 0; n < 2; n++) logger.committed(commitOf({ problems }));
  t.strictSame(lines, [
    { level: 'warn', message: 'object has an invalid field', details: issue },
    {
      level: 'warn',
      message: 'frontend conflict between Services',
      details: { ...conflict, losers: 'b/new, c/new' },
    },
  ]);
  logger.committed(commitOf());
  t.strictSame(lines.splice(0).slice(2), [
    {
      level: 'info',
      message: 'object no longer has this invalid field',
      details: { object: 'Service shop/web', field: 'spec', value: 'x' },
    },
    {
      level: 'info',
      message: 'frontend conflict between Services is over',
      details: { ...conflict, losers: 'b/new, c/new' },
    },
  ]);
  logger.committed(commitOf());
  t.equal(lines.length, 0, 'its end is logged once');
  logger.committed(commitOf({ problems }));
  t.equal(lines.length, 2, 'it has recurred');
});

t.test('SyncLogger logs a limit and a refusal once, and when they are over', async (t) => {
  const { logger, lines } = open();
  const limit = { service: 'shop/big', reason: 'needs 9 elements', effect: 'left-out' } as const;
  // A refused Service is tried again and again, which makes a new list each time.
  const problems = () => ({
    ...{ issues: [], conflicts: [], limited: [limit] },
    refused: [{ service: 'shop/web', reason: 'Out of range' }],
  });
  for (let n = 0; n < 3; n++) logger.committed(commitOf({ problems: problems() }));
  logger.committed(commitOf());
  t.match(lines, [
    { level: 'warn', message: 'Service exceeds a limit', details: limit },
    { level: 'error', message: 'kernel refused Service', details: { service: 'shop/web' } },
    { level: 'info', message: 'Service no longer exceeds this limit', details: { service: 'shop/big' } },
    { level: 'info', message: 'kernel no longer refuses Service', details: { service: 'shop/web' } },
  ]);
  t.equal(lines.length, 4);
});

t.test('SyncLogger logs that syncs succeed again', async (t) => {
  const { logger, lines } = open();
  logger.committed(commitOf());
  t.equal(lines.length, 0);
  logger.failed();
  logger.failed();
  for (let n = 0; n < 2; n++) logger.committed(commitOf());
  t.strictSame(lines, [{ level: 'info', message: 'sync succeeded again', details: { count: 2 } }]);
});
