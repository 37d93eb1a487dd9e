// Tests of src/lib/table.ts.

import t from 'tap';
import { formatTable } from '../../../src/lib/table.ts';

t.test('formatTable() aligns text to the left and numbers to the right', async (t) => {
  const rows = [
    ['a', 5, 'long text'],
    ['longer', 1234, ''],
  ];
  t.equal(formatTable(['NAME', 'N', 'END'], rows), 'NAME       N  END\na          5  long text\nlonger  1234');
});

t.test('formatTable() aligns a mixed column to the left', async (t) => {
  t.equal(
    formatTable(
      ['A', 'B'],
      [
        [1, 'x'],
        ['-', 'y'],
      ],
    ),
    'A  B\n1  x\n-  y',
  );
});

t.test('formatTable() without rows prints the header', async (t) => {
  t.equal(formatTable(['A', 'B'], []), 'A  B');
});
