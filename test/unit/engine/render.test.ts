// Tests of src/engine/render.ts.

import t from 'tap';
import { render } from '../../../src/engine/render.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';

t.test('render() replaces both tables', async (t) => {
  const text = render(engineOf());
  for (const family of ['ip', 'ip6']) {
    t.ok(text.includes(`table ${family} nftlane\ndelete table ${family} nftlane\ntable ${family} nftlane {\n`));
  }
});

t.test('render() returns the same bytes for the same objects in any order', async (t) => {
  const objects = ['a/x', 'a/y', 'b/x'].flatMap((name, index) => [
    service(name, { spec: { ...clusterIps(`10.96.0.${index}`), externalIPs: ['198.51.100.1'] } }),
    slice(name, { endpoints: [endpoint('10.1.0.1'), endpoint('10.1.0.2')] }),
  ]);
  t.equal(render(engineOf(objects.toReversed())), render(engineOf(objects)));
});
