// Tests of src/nftables/syntax/listed/duration.ts.

import t from 'tap';
import { parseDuration } from '../../../../../src/nftables/syntax/listed/duration.ts';

t.test('parseDuration() reads the units of nft', async (t) => {
  const cases = { '45s': 45, '5m': 300, '3h': 10_800, '1d1h1m1s': 90_061, '500ms': 0.5, '1m500ms': 60.5 };
  for (const [text, seconds] of Object.entries(cases)) t.equal(parseDuration(text), seconds, text);
  for (const text of ['', '5', 'm', '5x', '5m ', '-5s']) t.equal(parseDuration(text), undefined, text);
});
