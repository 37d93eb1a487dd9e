// Tests of src/explain/flow/flow-outcome.ts.

import t from 'tap';
import {
  type Destination,
  diffOutcomes,
  type FlowOutcome,
  mergeDestinations,
} from '../../../../src/explain/flow/flow-outcome.ts';

const NAMES = { a: 'one', b: 'two' };

function destination(address: string, more: Partial<Destination> = {}): Destination {
  return { address, port: 80, share: 0.5, masquerade: false, ...more };
}

function forward(...destinations: readonly Destination[]): FlowOutcome {
  return { outcome: 'forward', destinations: destinations };
}

t.test('mergeDestinations() adds up the shares of an endpoint', async (t) => {
  t.strictSame(
    mergeDestinations([
      destination('10.1.0.2'),
      destination('10.1.0.1', { share: 0.25 }),
      destination('10.1.0.1', { share: 0.25 }),
    ]),
    [destination('10.1.0.1'), destination('10.1.0.2')],
  );
});

t.test('diffOutcomes() describes every difference', async (t) => {
  const both = forward(destination('10.1.0.1'), destination('fd00::1'));
  const cases: readonly [FlowOutcome, FlowOutcome, readonly string[]][] = [
    [both, both, []],
    [both, { outcome: 'drop', destinations: [] }, ['one: forward, two: drop']],
    [both, forward(destination('10.1.0.1')), ['only one: [fd00::1]:80']],
    [forward(destination('10.1.0.1')), both, ['only two: [fd00::1]:80']],
    [
      forward(destination('10.1.0.1')),
      forward(destination('10.1.0.1', { masquerade: true })),
      ['only one: 10.1.0.1:80', 'only two: 10.1.0.1:80 (masqueraded)'],
    ],
    [
      forward(destination('10.1.0.1')),
      forward(destination('10.1.0.1', { share: 0.9 })),
      ['share of 10.1.0.1:80: one 0.5, two 0.9'],
    ],
  ];
  for (const [a, b, differences] of cases) t.strictSame(diffOutcomes(a, b, NAMES), differences);
});
