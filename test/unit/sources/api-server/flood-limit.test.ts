// Tests of src/sources/api-server/flood-limit.ts.

import t from 'tap';
import { FloodLimit } from '../../../../src/sources/api-server/flood-limit.ts';

t.test('FloodLimit allows a thousand events in ten seconds', async (t) => {
  const limit = new FloodLimit();
  for (let now = 0; now < 100_000; now += 10) limit.count(now);
  for (let count = 0; count < 1000; count++) limit.count(100_000);
  t.throws(() => limit.count(100_001), { message: 'more than 1000 events without content in 10 s' });
  t.doesNotThrow(() => limit.count(100_002), 'the next watch starts from zero');
});
