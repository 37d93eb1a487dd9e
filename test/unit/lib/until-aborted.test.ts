// Tests of src/lib/until-aborted.ts.

import t from 'tap';
import { untilAborted } from '../../../src/lib/until-aborted.ts';

t.test('untilAborted() resolves when the signal aborts', async (t) => {
  const controller = new AbortController();
  let isResolved = false;
  const aborted = untilAborted(controller.signal).then(() => {
    isResolved = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  t.notOk(isResolved);
  controller.abort();
  await aborted;
  t.ok(isResolved);
});

t.test('untilAborted() resolves for an aborted signal', async () => {
  await untilAborted(AbortSignal.abort());
});
