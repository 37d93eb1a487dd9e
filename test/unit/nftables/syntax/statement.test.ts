// Tests of src/nftables/syntax/statement.ts.

import t from 'tap';
import {
  type Field,
  printFields,
  printHook,
  printRule,
  type Statement,
} from '../../../../src/nftables/syntax/statement.ts';

const KEY: readonly Field[] = [{ field: 'daddr' }, { field: 'l4proto' }, { field: 'dport' }];

/** The text of each kind of statement; the type ensures that none is missing. */
const STATEMENTS: Readonly<Record<Statement['kind'], readonly (readonly [Statement, string])[]>> = {
  state: [
    [{ kind: 'state', state: 'new' }, 'ct state new'],
    [{ kind: 'state', state: 'invalid' }, 'ct state invalid'],
    [{ kind: 'state', state: 'new-or-invalid' }, 'ct state invalid,new'],
  ],
  'status-dnat': [[{ kind: 'status-dnat' }, 'ct status dnat']],
  protocol: [[{ kind: 'protocol', protocol: 'tcp' }, 'meta l4proto tcp']],
  'without-flags': [
    [{ kind: 'without-flags', flags: 'syn' }, 'tcp flags ! syn'],
    [{ kind: 'without-flags', flags: 'syn,rst' }, 'tcp flags ! syn,rst'],
  ],
  'is-local': [[{ kind: 'is-local', field: 'saddr' }, 'fib saddr type local']],
  'in-prefix': [
    [{ kind: 'in-prefix', field: 'saddr', prefix: 'fd00::/8', negate: false }, 'ip6 saddr fd00::/8'],
    [{ kind: 'in-prefix', field: 'daddr', prefix: '::1', negate: true }, 'ip6 daddr != ::1'],
  ],
  'in-set': [
    [{ kind: 'in-set', fields: KEY, set: 's', negate: false }, 'ip6 daddr . meta l4proto . th dport @s'],
    [{ kind: 'in-set', fields: KEY.slice(2), set: 's', negate: true }, 'th dport != @s'],
  ],
  'input-interface': [
    [{ kind: 'input-interface', name: 'cni0', negate: false }, 'iifname "cni0"'],
    [{ kind: 'input-interface', name: 'veth*', negate: true }, 'iifname != "veth*"'],
  ],
  'output-interface': [[{ kind: 'output-interface', name: 'x0' }, 'oifname "x0"']],
  'leaves-by-input-interface': [[{ kind: 'leaves-by-input-interface' }, 'fib daddr . iif oif exists']],
  'update-affinity': [
    [
      { kind: 'update-affinity', map: 'affinity/a/b/tcp/', seconds: 90 },
      'update @affinity/a/b/tcp/ { ct original ip6 saddr timeout 90s : ip6 daddr . th dport }',
    ],
  ],
  'mark-is-set': [[{ kind: 'mark-is-set', bit: 14 }, 'meta mark & 0x00004000 != 0']],
  'set-mark': [[{ kind: 'set-mark', bit: 0 }, 'meta mark set meta mark | 0x00000001']],
  'clear-mark': [[{ kind: 'clear-mark', bit: 31 }, 'meta mark set meta mark ^ 0x80000000']],
  vmap: [[{ kind: 'vmap', fields: [{ field: 'sport' }], map: 'm' }, 'th sport vmap @m']],
  dnat: [
    [
      { kind: 'dnat', fields: [...KEY, { field: 'random', modulus: 3 }], map: 'm' },
      'dnat ip6 to ip6 daddr . meta l4proto . th dport . numgen random mod 3 map @m',
    ],
  ],
  masquerade: [[{ kind: 'masquerade' }, 'masquerade fully-random']],
  reject: [
    [{ kind: 'reject', tcpReset: true }, 'reject with tcp reset'],
    [{ kind: 'reject', tcpReset: false }, 'reject'],
  ],
  drop: [[{ kind: 'drop' }, 'drop']],
  jump: [[{ kind: 'jump', chain: 'c' }, 'jump c']],
  goto: [[{ kind: 'goto', chain: 'c' }, 'goto c']],
};

t.test('printRule() prints every statement', async (t) => {
  for (const [statement, text] of Object.values(STATEMENTS).flat()) t.equal(printRule([statement], 'ip6'), text);
  t.equal(printRule([{ kind: 'state', state: 'new' }, { kind: 'drop' }], 'ip'), 'ct state new drop');
  t.equal(printRule([], 'ip'), '');
});

t.test('printFields() prints addresses with their family', async (t) => {
  t.equal(printFields([{ field: 'saddr' }], 'ip'), 'ip saddr');
  t.equal(printFields(KEY, 'ip6'), 'ip6 daddr . meta l4proto . th dport');
  t.equal(
    printFields([{ field: 'original-daddr' }, { field: 'original-dport' }], 'ip6'),
    'ct original ip6 daddr . ct original proto-dst',
  );
});

t.test('printFields() uses the same hash seed everywhere', async (t) => {
  t.equal(
    printFields([{ field: 'hash', of: 'address', modulus: 4093 }], 'ip'),
    'jhash ip saddr mod 4093 seed 0x6e66746c',
  );
  t.equal(
    printFields([{ field: 'hash', of: 'address-and-port', modulus: 3 }], 'ip6'),
    'jhash ip6 saddr . th sport mod 3 seed 0x6e66746c',
  );
});

t.test('printHook() prints priorities as numbers', async (t) => {
  const hook = { type: 'nat', hook: 'output', priority: -100 } as const;
  t.equal(printHook(hook), 'type nat hook output priority -100; policy accept;');
});

t.test('unknown statements and fields throw', async (t) => {
  t.throws(() => printRule([{ kind: 'accept' } as never], 'ip'), /Invariant broken/);
  t.throws(() => printFields([{ field: 'length' } as never], 'ip'), /Invariant broken/);
});
