// Tests of src/migration/removal-plan.ts.

import t from 'tap';
import { type IptablesTable, keepChains, planRemoval } from '../../../src/migration/removal-plan.ts';

const TABLE: IptablesTable = {
  chains: ['KUBE-SERVICES', 'KUBE-MARK-MASQ', 'KUBE-POSTROUTING', 'KUBE-FORWARD'],
  jumpRules: [
    { chain: 'PREROUTING', target: 'KUBE-SERVICES', rule: '1' },
    { chain: 'POSTROUTING', target: 'KUBE-POSTROUTING', rule: '2' },
    { chain: 'FORWARD', target: 'KUBE-FORWARD', rule: '3' },
  ],
  baseChains: new Set(['PREROUTING', 'POSTROUTING', 'FORWARD']),
  dropPolicyChains: new Set(),
};

t.test('planRemoval() removes all chains without foreign jumps', async (t) => {
  const plan = planRemoval(TABLE, { keepAccepting: true });
  t.strictSame(plan.chains, TABLE.chains);
  t.strictSame(plan.jumpRules, TABLE.jumpRules);
  t.equal(plan.kept.size, 0);
});

t.test('planRemoval() keeps chains that a drop policy requires, if asked to', async (t) => {
  const table = { ...TABLE, dropPolicyChains: new Set(['FORWARD']) };
  t.strictSame([...planRemoval(table, { keepAccepting: true }).kept.keys()], ['KUBE-FORWARD']);
  t.equal(planRemoval(table, { keepAccepting: false }).kept.size, 0);
});

t.test('planRemoval() keeps chains with foreign jumps, and chains that these need', async (t) => {
  const foreign = { chain: 'CNI-SETMARK', target: 'KUBE-MARK-MASQ', rule: '4' };
  const plan = planRemoval({ ...TABLE, jumpRules: [...TABLE.jumpRules, foreign] }, { keepAccepting: false });
  t.strictSame([...plan.kept.keys()], ['KUBE-MARK-MASQ', 'KUBE-POSTROUTING']);
  t.strictSame(plan.chains, ['KUBE-SERVICES', 'KUBE-FORWARD']);
  t.strictSame(
    plan.jumpRules.map(({ rule }) => rule),
    ['1', '3'],
  );
  const more = keepChains(plan, ['KUBE-SERVICES', 'KUBE-MARK-MASQ']);
  t.strictSame(more.chains, ['KUBE-FORWARD']);
  t.match(more.kept.get('KUBE-MARK-MASQ'), 'CNI-SETMARK', 'the first reason holds');
});
