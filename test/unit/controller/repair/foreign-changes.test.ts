// Tests of src/controller/repair/foreign-changes.ts.

import t from 'tap';
import { combine, printCounts, summarize } from '../../../../src/controller/repair/foreign-changes.ts';
import { foreignCommit } from '../../../support/builders/foreign-commit.ts';

t.test('summarize() counts the notifications by kind and names the first ones', async (t) => {
  const changes = summarize(
    foreignCommit(
      'delete element ip nftlane service-ips { 10.0.0.1 . tcp . 80 : goto cluster-3 }',
      'add table ip6 nftlane { flags dormant; }',
      'insert rule ip nftlane services drop',
      'add map ip nftlane other { type ipv4_addr : verdict; }',
      'add counter ip nftlane c { packets 0 bytes 0 }',
      'add rule ip nftlane services accept',
    ),
  );
  t.match(changes, { program: 'other-program', pid: 4711, transactions: 1 });
  t.equal(printCounts(changes), '1 table, 2 rules, 1 set, 1 element, 1 object');
  t.strictSame(changes.first, [
    'delete element ip service-ips 10.0.0.1 . tcp . 80',
    'add table ip6',
    'add rule ip services',
  ]);
  t.strictSame([...changes.objects], ['ip service-ips', 'ip6', 'ip services', 'ip other', 'ip c']);
});

t.test('summarize() counts omitted elements', async (t) => {
  const omitted = new Map([
    ['ip endpoints', { object: { family: 'ip', name: 'endpoints' }, added: 1, deleted: 70 }],
  ] as const);
  const changes = summarize({ ...foreignCommit(), omitted });
  t.equal(printCounts(changes), '71 elements');
  t.ok(changes.objects.has('ip endpoints'));
});

t.test('combine() adds the counts and names the last process', async (t) => {
  const first = summarize(foreignCommit('delete chain ip nftlane a'));
  const second = summarize({ ...foreignCommit('delete chain ip nftlane a', 'delete chain ip nftlane b'), pid: 5 });
  const both = combine(first, second);
  t.match(both, { pid: 5, transactions: 2, first: ['delete chain ip a', 'delete chain ip b'] });
  t.equal(printCounts(both), '3 chains');
  t.equal(combine(undefined, first), first);
});
