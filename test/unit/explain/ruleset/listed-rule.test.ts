// Tests of src/explain/ruleset/listed-rule.ts.

import t from 'tap';
import { readListedRule } from '../../../../src/explain/ruleset/listed-rule.ts';

/** The kinds of effects, with `?` for a rule with unknown comparisons. */
function effects(text: string): string {
  const { effects, hasUnknown } = readListedRule(text);
  return `${effects.map(({ kind }) => kind).join(' ')}${hasUnknown ? '?' : ''}`;
}

t.test('readListedRule() knows every statement that affects packets', async (t) => {
  const cases: readonly (readonly [text: string, effects: string])[] = [
    ['counter packets 1 bytes 2 drop comment "a { drop"', 'drop'],
    ['log prefix "drop: " level warn accept', 'accept'],
    ['ct state established,related accept', 'accept'],
    ['tcp dport { 22, 80-90 } reject with tcp reset', 'reject'],
    ['reject with icmpx admin-prohibited', 'reject'],
    ['iifname != "lo" jump drop', 'jump'],
    ['limit rate over 10/second burst 5 packets drop', 'drop?'],
    ['ip saddr @blocked drop', 'drop?'],
    ['ip daddr . tcp dport @services accept', 'accept?'],
    ['tcp flags & (fin | syn) == syn drop', 'drop?'],
    ['dnat to 10.0.0.1:8080', 'dnat'],
    ['dnat ip to 10.0.0.1 persistent', 'dnat'],
    ['dnat ip6 to [fd00::1]:80', 'dnat'],
    ['dnat to fd00::1', 'dnat'],
    ['masquerade random', 'masquerade'],
    ['meta nftrace set 1', ''],
    ['tcp option maxseg size set rt mtu', ''],
    ['add @seen { ip saddr timeout 1m }', ''],
    ['flow add @ft', ''],
    ['return', 'return'],
  ];
  for (const [text, expected] of cases) t.equal(effects(text), expected, text);
});

t.test('readListedRule() takes everything else that changes or diverts packets as a change', async (t) => {
  for (const text of [
    'dnat to ip saddr map { 10.0.0.1 : 10.0.0.2 }',
    'dnat ip to 10.0.0.1-10.0.0.9',
    'redirect to :8080',
    'tproxy to 127.0.0.1:1234',
    'snat to 10.0.0.1',
    'queue flags bypass to 1',
    'dup to 10.0.0.1 device "lo"',
    'fwd to "lo"',
    'synproxy mss 1460',
    'meta mark set 0x00000001',
    'meta mark set meta mark | 0x00004000',
    'ct mark set meta mark',
    'ct zone set 5',
    'ip daddr set 10.0.0.1',
    'tcp dport set 81',
    'ip6 hoplimit set 3',
    'ether daddr set 00:00:00:00:00:01',
    'xt target "DNAT"',
    'ip saddr vmap @foreign',
  ])
    t.match(effects(text), /^change/, text);
});

t.test('readListedRule() reads the verdicts of an anonymous map, which may all apply', async (t) => {
  t.equal(effects('ip saddr vmap { 10.0.0.1 : drop, 10.0.0.2 : jump x, 10.0.0.3 : accept }'), 'drop jump accept?');
});

t.test('readListedRule() reads comparisons', async (t) => {
  const { conditions } = readListedRule(
    'iifname "eth*" ct state != { new, untracked } ip daddr 10.0.0.0/8 th dport 53 accept',
  );
  t.strictSame(conditions, [
    { field: 'iifname', negate: false, values: ['eth*'] },
    { field: 'ct state', negate: true, values: ['new', 'untracked'] },
    { field: 'ip daddr', negate: false, values: ['10.0.0.0/8'] },
    { field: 'th dport', negate: false, values: ['53'] },
  ]);
});
