// Tests of src/nftables/syntax/listed/rule-parser.ts.

import t from 'tap';
import type { Family } from '../../../../../src/net/family.ts';
import { FAMILIES } from '../../../../../src/net/family.ts';
import { endpointChain } from '../../../../../src/nftables/compile/endpoint-chains.ts';
import { staticChains } from '../../../../../src/nftables/compile/static-chains.ts';
import { normalRule, parseRule } from '../../../../../src/nftables/syntax/listed/rule-parser.ts';
import { printRule } from '../../../../../src/nftables/syntax/statement.ts';
import { engineOf } from '../../../../support/builders/engine.ts';

const UDP_KEY = 'ip daddr . meta l4proto . udp dport . jhash ip saddr . udp sport mod 2 seed';

/** What we write, and how nft may list it. */
const FORMS: readonly [family: Family, written: string, listed: readonly string[]][] = [
  [
    'ip',
    'meta l4proto udp dnat ip to ip daddr . meta l4proto . th dport . jhash ip saddr . th sport mod 2 seed 0x6e66746c map @endpoints',
    [
      `dnat ip to ${UDP_KEY} 0x6e66746c map @endpoints`,
      `meta l4proto 17 dnat ip to ${UDP_KEY} 1852208236 map @endpoints`,
    ],
  ],
  ['ip', 'meta l4proto tcp reject with tcp reset', ['reject with tcp reset', 'meta l4proto 6 reject with tcp reset']],
  ['ip6', 'reject', ['reject with icmpv6 port-unreachable', 'reject with icmpx port-unreachable']],
  [
    'ip',
    'ct state invalid,new meta l4proto tcp tcp flags ! syn jump x',
    ['ct state invalid,new tcp flags ! syn jump x', 'ct state new,invalid tcp flags ! syn jump x'],
  ],
  [
    'ip6',
    'ct state invalid meta l4proto tcp tcp flags ! syn,rst ip6 saddr . ip6 saddr . meta l4proto . th sport @hairpin-connections drop',
    ['ct state invalid tcp flags ! syn,rst ip6 saddr . ip6 saddr . meta l4proto . tcp sport @hairpin-connections drop'],
  ],
  [
    'ip',
    'meta mark & 0x00004000 != 0 meta mark set meta mark ^ 0x00004000 masquerade fully-random',
    ['meta mark & 16384 != 0x00000000 meta mark set meta mark ^ 0x4000  masquerade fully-random'],
  ],
  ['ip', 'ip saddr 10.0.0.1/32 drop', ['ip saddr 10.0.0.1 drop']],
  ['ip6', 'ip6 saddr != ::1/128 drop', ['ip6 saddr != ::1 drop']],
  [
    'ip',
    'update @affinity/a/b/tcp/ { ct original ip saddr timeout 10800s : ip daddr . th dport }',
    ['update @affinity/a/b/tcp/ { ct original ip saddr timeout 3h : ip daddr . th dport }'],
  ],
  [
    'ip',
    'ip saddr . th sport . ip daddr . th dport @reset-connections reject with tcp reset',
    ['ip saddr . tcp sport . ip daddr . tcp dport @reset-connections reject with tcp reset'],
  ],
];

t.test('normalRule() is the same for a rule and its listing', async (t) => {
  for (const [family, written, listed] of FORMS)
    for (const form of listed) t.equal(normalRule(form, family), normalRule(written, family), form);
});

t.test('normalRule() keeps every difference', async (t) => {
  const different: readonly [string, string][] = [
    ['ip daddr @cluster-ips drop', 'ip daddr != @cluster-ips drop'],
    ['ip daddr @cluster-ips drop', 'ip saddr @cluster-ips drop'],
    ['meta l4proto tcp drop', 'meta l4proto udp drop'],
    ['jump a', 'goto a'],
    ['drop', 'counter packets 0 bytes 0 drop'],
    ['drop', 'drop comment "x"'],
    ['ct state new drop', 'drop'],
    ['meta mark set meta mark | 0x00004000', 'meta mark set meta mark | 0x00008000'],
    ['meta mark set meta mark | 0x00004000', 'meta mark set 0x00004000'],
    ['meta l4proto tcp meta mark set meta mark | 0x1 drop', 'meta mark set meta mark | 0x1 meta l4proto tcp drop'],
    ['ip daddr . th dport vmap @a', 'ip daddr . th sport vmap @a'],
    ['masquerade fully-random', 'masquerade'],
  ];
  for (const [a, b] of different) t.not(normalRule(a, 'ip'), normalRule(b, 'ip'), `${a} | ${b}`);
});

t.test('parseRule() refuses statements that our rules never have', async (t) => {
  for (const text of [
    'counter packets 1 bytes 2 drop',
    'tcp dport 80 drop',
    'ip6 saddr ::1 drop',
    'meta l4proto tcp ip daddr . udp dport vmap @a',
    'ip saddr 10.0.0.0/33 drop',
    'meta mark set meta mark | 0x3',
    'accept',
    'ct original ip saddr . th dport @x drop',
    'dnat ip to 10.0.0.1',
    'drop drop drop,',
  ])
    t.equal(parseRule(text, 'ip'), undefined, text);
});

t.test('parseRule() reads back every rule that we write', async (t) => {
  for (const family of FAMILIES) {
    const { node } = engineOf([], { resetsConnections: true });
    const names = [
      'cluster-3',
      'external-source-7',
      'direct-1',
      'affinity-cluster/a/b/tcp/x',
      'affinity-update-60/a/b/udp/',
    ];
    const chains = names.flatMap((name) => endpointChain(name, family, node).chains);
    for (const rule of [...staticChains(family, node), ...chains].flatMap(({ rules }) => rules)) {
      const text = printRule(rule, family);
      t.ok(parseRule(text, family), text);
      t.equal(normalRule(normalRule(text, family), family), normalRule(text, family));
    }
  }
});
