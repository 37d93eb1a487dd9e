// Tests of src/nftables/syntax/listed/priority.ts.

import t from 'tap';
import { readPriority } from '../../../../../src/nftables/syntax/listed/priority.ts';

t.test('readPriority() reads names, offsets and numbers', async (t) => {
  const cases = {
    'dstnat - 10': -110,
    dstnat: -100,
    'filter + 7': 7,
    srcnat: 100,
    '-110': -110,
    '0': 0,
    'raw - 5': -305,
  };
  for (const [text, priority] of Object.entries(cases)) t.equal(readPriority(text), priority, text);
  for (const text of ['', 'other', 'filter * 2']) t.equal(readPriority(text), undefined, text);
});
