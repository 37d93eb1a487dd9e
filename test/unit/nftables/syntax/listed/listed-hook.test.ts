// Tests of src/nftables/syntax/listed/listed-hook.ts.

import t from 'tap';
import { printListedHook } from '../../../../../src/nftables/syntax/listed/listed-hook.ts';
import { printHook } from '../../../../../src/nftables/syntax/statement.ts';

t.test('printListedHook() prints a hook of ours as we write it', async (t) => {
  const hook = { type: 'nat', hook: 'output', priority: -100 } as const;
  t.equal(printListedHook({ ...hook, policy: 'accept', rest: '' }), printHook(hook));
});

t.test('printListedHook() prints what others may have', async (t) => {
  const hook = { type: 'filter', hook: 'ingress', priority: undefined, policy: 'drop', rest: 'device "lo"' };
  t.equal(printListedHook(hook), 'type filter hook ingress device "lo" priority unknown; policy drop;');
});
