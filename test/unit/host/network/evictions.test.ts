// Tests of src/host/network/evictions.ts.

import t from 'tap';
import { Evictions } from '../../../../src/host/network/evictions.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';

t.test('Evictions counts each connection and logs once a minute for each server', (t) => {
  const { log, lines } = recordLog();
  let now = 0;
  const evictions = new Evictions({ log, clock: { now: () => now } });
  for (let count = 0; count < 10; count++) evictions.add('health', '192.0.2.1');
  evictions.add('metrics', '192.0.2.2');
  now = 60_000;
  evictions.add('health', '192.0.2.3');
  t.strictSame(
    [...evictions.counts],
    [
      ['health', 11],
      ['metrics', 1],
    ],
  );
  t.strictSame(
    lines.map(({ level, details }) => ({ level, ...details })),
    [
      { level: 'warn', server: 'health', client: '192.0.2.1', count: 1 },
      { level: 'warn', server: 'metrics', client: '192.0.2.2', count: 1 },
      { level: 'warn', server: 'health', client: '192.0.2.3', count: 10 },
    ],
  );
  t.end();
});
