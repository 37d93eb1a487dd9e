// Tests of src/fastpath/maps/port-bitmap.ts.

import t from 'tap';
import { PortBitmap } from '../../../../src/fastpath/maps/port-bitmap.ts';

t.test('ports of frontends and backends have separate bits', async (t) => {
  const bitmap = new PortBitmap(new Map());
  bitmap.set('frontends', 65_535);
  bitmap.set('backends', 0);
  t.strictSame([...bitmap.ports('frontends')], [65_535]);
  t.strictSame([...bitmap.ports('backends')], [0]);
  t.strictSame(bitmap.takeWrites(), ['put ports ff030000 0000000000000080', 'put ports 00040000 0100000000000000']);
});

t.test('takeWrites() returns each changed word once', async (t) => {
  const bitmap = new PortBitmap(new Map([[1, 0b110n]]));
  t.strictSame([...bitmap.ports('frontends')], [65, 66]);
  bitmap.set('frontends', 65);
  t.strictSame(bitmap.takeWrites(), [], 'the bit was set');
  bitmap.clear('frontends', 65);
  bitmap.set('frontends', 67);
  t.strictSame(bitmap.takeWrites(), ['put ports 01000000 0c00000000000000']);
  t.strictSame(bitmap.takeWrites(), []);
});
