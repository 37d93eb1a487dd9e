// Tests of how fates are compared.
import t from 'tap';
import {
  type Destination,
  diffOutcomes,
  type FlowOutcome,
  mergeDestinations,
} from '../../../../src/explain/flow/flow-outcome.ts';

const NAMES = { a: 'one', b: 'two' };

function landing(address: string, more: Partial<Destination> = {}): Destination {
  return { address, port: 80, share: 0.5, masquerade: false, ...more };
}

function forward(...landings: readonly Destination[]): FlowOutcome {
  return { outcome: 'forward', destinations: landings };
}

t.test('sortLandings() joins what leads to the same endpoint', async (t) => {
  t.strictSame(
    mergeDestinations([
      landing('10.1.0.2'),
      landing('10.1.0.1', { share: 0.25 }),
      landing('10.1.0.1', { share: 0.25 }),
    ]),
    [landing('10.1.0.1'), landing('10.1.0.2')],
  );
});

t.test('differencesOf() names every difference', async (t) => {
  const both = forward(landing('10.1.0.1'), landing('fd00::1'));
  const cases: readonly [FlowOutcome, FlowOutcome, readonly string[]][] = [
    [both, both, []],
    [both, { outcome: 'drop', destinations: [] }, ['one: forward, two: drop']],
    [both, forward(landing('10.1.0.1')), ['only one leads to [fd00::1]:80']],
    [forward(landing('10.1.0.1')), both, ['only two leads to [fd00::1]:80']],
    [
      forward(landing('10.1.0.1')),
      forward(landing('10.1.0.1', { masquerade: true })),
      ['only one leads to 10.1.0.1:80', 'only two leads to 10.1.0.1:80 (masqueraded)'],
    ],
    [
      forward(landing('10.1.0.1')),
      forward(landing('10.1.0.1', { share: 0.9 })),
      ['share of 10.1.0.1:80 is 0.5 for one, 0.9 for two'],
    ],
  ];
  for (const [one, two, differences] of cases) t.strictSame(diffOutcomes(one, two, NAMES), differences);
});
