// Tests of src/fastpath/maps/service-port-ids.ts.

import t from 'tap';
import { ServicePortIds } from '../../../../src/fastpath/maps/service-port-ids.ts';

t.test('idOf() assigns numbers above all installed ones', async (t) => {
  const ids = new ServicePortIds([4, 9, 2]);
  t.strictSame(
    ['a', 'b', 'a'].map((name) => ids.idOf(name)),
    [10, 11, 10],
  );
  t.equal(new ServicePortIds([]).idOf('a'), 1);
});

t.test('adopt() keeps installed numbers', async (t) => {
  const ids = new ServicePortIds([4, 9]);
  ids.adopt([
    { servicePort: 'a', id: 4 },
    { servicePort: 'a', id: 9 },
    { servicePort: 'b', id: 4 },
  ]);
  ids.adopt([{ servicePort: 'a', id: 9 }]);
  t.equal(ids.idOf('a'), 4, 'the first one is kept');
  t.equal(ids.idOf('b'), 10, 'a number has one Service port');
});
