// Tests of src/controller/repair/change-reports.ts.

import t from 'tap';
import { ChangeReports } from '../../../../src/controller/repair/change-reports.ts';
import { summarize } from '../../../../src/controller/repair/foreign-changes.ts';
import { foreignCommit } from '../../../support/builders/foreign-commit.ts';

const CHANGES = summarize(foreignCommit('delete rule ip nftlane services handle 8'));

t.test('ChangeReports reports at most five times in ten seconds, and everything in the end', async (t) => {
  const reported: number[] = [];
  const reports = new ChangeReports(({ transactions }) => reported.push(transactions));
  for (let now = 0; now < 10_000; now += 1000) {
    reports.add(CHANGES);
    reports.report(now);
  }
  t.strictSame(reported, [1, 1, 1, 1, 1]);
  reports.report(9_999);
  t.equal(reported.length, 5);
  reports.report(10_000);
  t.strictSame(reported, [1, 1, 1, 1, 1, 5], 'the others in one');
  reports.report(10_001);
  t.equal(reported.length, 6, 'nothing is reported twice');
});
