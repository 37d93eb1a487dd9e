// Tests of src/metrics/server/shared-page.ts.

import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { SharedPage } from '../../../../src/metrics/server/shared-page.ts';

t.test('SharedPage computes once for requests that wait, and again for later ones', async (t) => {
  let computed = 0;
  const page = new SharedPage(async () => {
    const text = `${++computed}`;
    await delay(5);
    return text;
  });
  t.strictSame(await Promise.all([page.get(), page.get(), page.get()]), ['1', '1', '1']);
  const second = page.get();
  t.strictSame(await Promise.all([second, page.get()]), ['2', '2']);
});

t.test('SharedPage spends at most a fifth of the time', async (t) => {
  let computed = 0;
  const page = new SharedPage(async () => {
    computed += 1;
    await delay(10);
    return '';
  });
  const startedAt = performance.now();
  while (performance.now() - startedAt < 500) await page.get();
  t.ok(computed >= 2, 'it continues');
  t.ok(computed * 10 <= (performance.now() - startedAt) / 5 + 20, `computed ${computed} times`);
});

t.test('SharedPage.get() rejects like the computation, and the next one does not', async (t) => {
  let fails = true;
  const page = new SharedPage(async () => {
    if (fails) throw new Error('no memory');
    return 'page';
  });
  await t.rejects(page.get(), { message: 'no memory' });
  fails = false;
  t.equal(await page.get(), 'page');
});
