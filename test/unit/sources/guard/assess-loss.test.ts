// Tests of src/sources/guard/assess-loss.ts.

import * as fc from 'fast-check';
import t from 'tap';
import { assessLoss, type LossLimits } from '../../../../src/sources/guard/assess-loss.ts';

const LIMITS: LossLimits = { enabled: true, percent: 50, minServices: 20, gracePeriodMs: 300_000 };

t.test('assessLoss() compares the lost Services with those before', async (t) => {
  const cases = [
    { lost: 202, present: 0, assessment: 'mass' },
    { lost: 102, present: 100, assessment: 'mass' },
    { lost: 101, present: 101, assessment: 'suspicious' },
    { lost: 20, present: 19, assessment: 'mass' },
    { lost: 20, present: 20, assessment: 'suspicious' },
    { lost: 19, present: 0, assessment: 'normal' },
    { lost: 19, present: 1, assessment: 'suspicious' },
    { lost: 5, present: 90, assessment: 'suspicious' },
    { lost: 5, present: 95, assessment: 'normal' },
    { lost: 4, present: 20, assessment: 'normal' },
    { lost: 1, present: 0, assessment: 'normal' },
    { lost: 0, present: 0, assessment: 'normal' },
    { lost: 0, present: 10_000, assessment: 'normal' },
    { lost: 500, present: 9_500, assessment: 'normal' },
    { lost: 501, present: 9_499, assessment: 'suspicious' },
  ];
  for (const { lost, present, assessment } of cases) {
    t.equal(assessLoss({ lost, present }, LIMITS), assessment, `${lost} lost, ${present} present`);
  }
  t.equal(assessLoss({ lost: 202, present: 0 }, { ...LIMITS, enabled: false }), 'normal');
  const exact = { ...LIMITS, percent: 28, minServices: 1 };
  t.equal(assessLoss({ lost: 7, present: 18 }, exact), 'suspicious', 'not more than the limit');
});

t.test('assessLoss() is monotonic: a larger loss of the same Services is never less serious', async () => {
  const rank = ['normal', 'suspicious', 'mass'];
  const limits = fc.record({
    enabled: fc.constant(true),
    percent: fc.integer({ min: 0, max: 100 }),
    minServices: fc.integer({ min: 1, max: 50 }),
    gracePeriodMs: fc.constant(1),
  });
  fc.assert(
    fc.property(fc.nat(200), limits, (before, limits) => {
      let last = 0;
      for (let lost = 0; lost <= before; lost++) {
        const assessment = assessLoss({ lost, present: before - lost }, limits);
        if (rank.indexOf(assessment) < last) throw new Error(`${lost} of ${before}: less than before`);
        last = rank.indexOf(assessment);
        const isMass = lost >= limits.minServices && lost * 100 > limits.percent * before;
        if (isMass !== (assessment === 'mass')) throw new Error(`${lost} of ${before}: ${assessment}`);
      }
    }),
    { numRuns: 100 },
  );
});
