// Tests of src/host/process-warnings.ts.

import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { handleProcessWarnings, reportProcessWarnings } from '../../../src/host/process-warnings.ts';

t.test('warnings of Node are reported once each, and not by Node', async (t) => {
  const listeners = process.listeners('warning');
  t.teardown(() => {
    process.removeAllListeners('warning');
    for (const listener of listeners) process.on('warning', listener);
  });
  const [first, second]: unknown[][] = [[], []];
  handleProcessWarnings((warning) => first?.push(warning));
  t.equal(process.listenerCount('warning'), 1, "Node's own listener is gone");
  process.emitWarning('old', 'DeprecationWarning', 'DEP0999');
  process.emitWarning('old', 'DeprecationWarning', 'DEP0999');
  await nextTurn();
  t.strictSame(first, [{ name: 'DeprecationWarning', reason: 'old' }]);
  reportProcessWarnings((warning) => second?.push(warning));
  process.emitWarning('odd');
  for (let n = 0; n < 200; n++) process.emitWarning(`number ${n}`);
  await nextTurn();
  t.equal(first?.length, 1);
  t.strictSame(second?.[0], { name: 'Warning', reason: 'odd' });
  t.equal(second?.length, 99, 'a hundred different ones in all');
});
