// Tests of src/health/sync-health.ts.

import t from 'tap';
import { SyncHealth, staleAfterMs } from '../../../src/health/sync-health.ts';
import { configurationText, settingsOf } from '../../support/builders/configuration.ts';
import { syncTimes } from '../../support/builders/sync-report.ts';

function given(options: { timeoutMs?: number } = {}) {
  let now = 1000;
  const health = new SyncHealth({ clock: { now: () => now }, ...options });
  return {
    health,
    at: (ms: number) => {
      now = ms;
      return health.isHealthy;
    },
    /** A sync that began at `startedAt` succeeds now. */
    synced: (startedAt: number) => health.committed({ at: now, times: syncTimes({ startedAt }) }),
  };
}

t.test('SyncHealth is healthy while the lists are incomplete', async (t) => {
  const { health, at } = given();
  t.equal(health.isHealthy, true);
  t.equal(health.lastSynced, undefined);
  health.queued(1000);
  t.equal(at(10_000_000), true);
  health.listed(10_000_000);
  t.equal(at(10_059_999), true);
  t.equal(at(10_060_000), false, 'nothing was applied for a minute');
});

t.test('SyncHealth is unhealthy when a change waits for a minute, until it is committed', async (t) => {
  const { health, at, synced } = given();
  health.listed(1000);
  synced(1000);
  t.equal(health.lastSynced, 1000);
  t.equal(at(10_000_000), true, 'no change waits');
  health.queued(10_000_000);
  t.equal(at(10_059_999), true);
  t.equal(at(10_060_000), false);
  t.equal(health.lastSynced, 1000);
  synced(10_059_000);
  t.equal(health.isHealthy, true);
  t.equal(health.lastSynced, 10_060_000);
});

t.test('SyncHealth counts the wait of a change that arrived during a sync', async (t) => {
  const { health, at, synced } = given();
  health.listed(1000);
  at(30_000);
  health.queued(20_000);
  synced(10_000);
  t.equal(at(79_999), true, 'it waits since 20,000');
  t.equal(at(80_000), false);
  synced(79_999);
  t.equal(at(1_000_000), true);
});

t.test('SyncHealth is unhealthy when syncs fail for a minute without a change', async (t) => {
  const { health, at, synced } = given();
  health.listed(1000);
  synced(1000);
  at(100_000);
  health.failed(new Error('refused'));
  for (const ms of [130_000, 159_999]) {
    t.equal(at(ms), true);
    health.failed(new Error('refused'));
  }
  t.equal(at(160_000), false);
  synced(160_000);
  t.equal(health.isHealthy, true);
});

t.test('SyncHealth is not up to date when a change waits for ten seconds because syncs fail', async (t) => {
  const { health, at, synced } = given();
  health.listed(1000);
  synced(1000);
  health.queued(100_000);
  at(103_000);
  health.failed(new Error('no answer within 3000 ms'));
  t.equal(at(109_999) && health.isUpToDate, true);
  t.equal(at(110_000), true, 'a restart does not help yet');
  t.equal(health.isUpToDate, false);
  at(112_000);
  synced(111_000);
  t.equal(health.isUpToDate, true);
  health.queued(200_000);
  t.equal(at(259_999) && health.isUpToDate, true, 'a long sync does not count as failed');
  at(260_000);
  t.equal(health.isUpToDate, false);
});

t.test('SyncHealth is not up to date when syncs fail for ten seconds without a change', async (t) => {
  const { health, at, synced } = given();
  health.listed(1000);
  synced(1000);
  at(100_000);
  health.failed(new Error('refused'));
  t.equal(at(109_999) && health.isUpToDate, true);
  health.failed(new Error('refused'));
  t.equal(at(110_000), true);
  t.equal(health.isUpToDate, false);
});

t.test('the timeout follows syncPeriod', async (t) => {
  const { syncPeriodMs } = settingsOf(configurationText('mode: nftables\nnftables: {syncPeriod: 10s}')).kubeProxy;
  const { health, at } = given({ timeoutMs: staleAfterMs({ syncPeriodMs }) });
  health.listed(1000);
  t.equal(at(20_999), true);
  t.equal(at(21_000), false);
});

t.test('SyncHealth is healthy, and never synced, while the start is held', async (t) => {
  const { health, at } = given();
  health.failed(new Error('the first listing failed'));
  at(31_000);
  health.startHeld();
  health.queued(31_000);
  t.equal(at(10_000_000), true, 'nothing waits');
  t.strictSame([health.isUpToDate, health.lastSynced], [true, undefined]);
  t.strictSame(health.status, { commits: 0 });
  health.listed(10_000_000);
  t.equal(at(10_060_000), false, 'the start may continue, and does not');
});
