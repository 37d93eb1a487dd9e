// Tests of src/explain/trace/: trace.ts and walk.ts, on small rulesets.

import t from 'tap';
import type { Packet } from '../../../../src/explain/flow/packet.ts';
import { createRuleset, type RulesetElement } from '../../../../src/explain/ruleset/ruleset.ts';
import { trace } from '../../../../src/explain/trace/trace.ts';
import type { Chain, Field, Rule } from '../../../../src/nftables/syntax/statement.ts';

const PACKET: Packet = {
  ...{ family: 'ip', protocol: 'tcp', source: '10.1.0.9', sourcePort: 40_000 },
  ...{ destination: '10.96.0.1', destinationPort: 80, inInterface: 'lan' },
};
const HOST = { addresses: ['192.0.2.1'], routes: [] };
const DESTINATION: readonly Field[] = [{ field: 'daddr' }];

function base(hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting', rules: readonly Rule[]): Chain {
  const type = hook === 'input' || hook === 'forward' ? 'filter' : 'nat';
  return { name: `at-${hook}`, hook: { type, hook, priority: 0 }, rules };
}

function traceThrough(
  packet: Packet,
  chains: readonly Chain[],
  elements: Record<string, readonly RulesetElement[]> = {},
) {
  return trace(packet, createRuleset('ip', chains, new Map(Object.entries(elements))), HOST);
}

function element(key: string, data = ''): RulesetElement {
  return { key, data, comment: '' };
}

t.test('trace() runs the hooks that the packet passes', async (t) => {
  const hooks = ['prerouting', 'input', 'forward', 'output', 'postrouting'] as const;
  const mark: Rule = [{ kind: 'set-mark', bit: 1 }];
  const passed = (packet: Packet) =>
    traceThrough(
      packet,
      hooks.map((hook) => base(hook, [mark])),
    ).steps.map(({ hook }) => hook);
  t.strictSame(passed(PACKET), ['prerouting', 'forward', 'postrouting']);
  t.strictSame(passed({ ...PACKET, destination: '192.0.2.1' }), ['prerouting', 'input']);
  t.strictSame(passed({ ...PACKET, inInterface: undefined }), ['output', 'postrouting']);
  const toItself = { ...PACKET, inInterface: undefined, destination: '192.0.2.1' };
  t.strictSame(
    passed(toItself),
    ['output', 'postrouting', 'input'],
    'it is already translated when it returns through loopback',
  );
});

t.test(
  'trace() does not doubt a packet to its own host because of a mark, which is read when packets leave',
  async (t) => {
    const toItself = { ...PACKET, inInterface: undefined, destination: '192.0.2.1' };
    const concerns = (last: Rule[number]) => {
      const late: Chain = {
        name: 'late',
        hook: { type: 'filter', hook: 'prerouting', priority: -99 },
        rules: [[{ kind: 'in-set', fields: [{ field: 'saddr' }], set: 's', negate: true }, last]],
      };
      return traceThrough(toItself, [base('postrouting', [[{ kind: 'masquerade' }]]), late]).concerns.length;
    };
    t.equal(concerns({ kind: 'set-mark', bit: 14 }), 0);
    t.equal(concerns({ kind: 'drop' }), 1, 'the address that masquerading chooses is not known');
  },
);

t.test('trace() returns from a jump, but not from a goto', async (t) => {
  const reject: Rule = [{ kind: 'reject', tcpReset: false }];
  const other: Chain = { name: 'other', rules: [] };
  const middle = (kind: 'jump' | 'goto'): Chain => ({ name: 'middle', rules: [[{ kind, chain: 'other' }], reject] });
  const chains = (kind: 'jump' | 'goto') => [
    base('forward', [[{ kind: 'jump', chain: 'middle' }]]),
    middle(kind),
    other,
  ];
  t.equal(traceThrough(PACKET, chains('jump')).outcome, 'refuse');
  t.equal(traceThrough(PACKET, chains('goto')).outcome, 'untouched');
});

t.test('trace() follows the first packet of a connection, not later ones', async (t) => {
  const conditions: Rule = [
    { kind: 'state', state: 'new-or-invalid' },
    { kind: 'protocol', protocol: 'tcp' },
  ];
  const reset: Rule = [{ kind: 'reject', tcpReset: true }];
  t.equal(traceThrough(PACKET, [base('forward', [[...conditions, ...reset]])]).outcome, 'refuse');
  t.equal(
    traceThrough(PACKET, [base('forward', [[...conditions, { kind: 'without-flags', flags: 'syn' }, ...reset]])])
      .outcome,
    'untouched',
  );
});

t.test('trace() follows every slot, and continues after missing ones', async (t) => {
  const fields: readonly Field[] = [...DESTINATION, { field: 'random', modulus: 4 }];
  const choose: Rule = [{ kind: 'dnat', fields, map: 'endpoints' }];
  const masquerade: Rule = [{ kind: 'status-dnat' }, { kind: 'masquerade' }];
  const chains = [base('prerouting', [choose]), base('postrouting', [masquerade])];
  const slots = ['10.1.0.1', '10.1.0.2', '10.1.0.1', '10.1.0.1'];
  const endpoints = slots.map((address, slot) => element(`10.96.0.1 . ${slot}`, `${address} . 8080`));
  const full = traceThrough(PACKET, chains, { endpoints });
  t.strictSame(full.destinations, [
    { address: '10.1.0.1', port: 8080, share: 0.75, masquerade: true },
    { address: '10.1.0.2', port: 8080, share: 0.25, masquerade: true },
  ]);
  t.strictSame(
    full.steps.map(({ element }) => element),
    ['10.96.0.1 . 0 : 10.1.0.1 . 8080', undefined],
  );
  t.strictSame(
    traceThrough(PACKET, chains, { endpoints: endpoints.slice(1) }).otherOutcomes,
    ['forward'],
    'slot 0 is missing',
  );
});

t.test('trace() finds an address in the prefixes of a set', async (t) => {
  const fields: readonly Field[] = [...DESTINATION, { field: 'saddr' }];
  const rule: Rule = [{ kind: 'in-set', fields, set: 'ranges', negate: false }, { kind: 'drop' }];
  const ends = (key: string) => traceThrough(PACKET, [base('forward', [rule])], { ranges: [element(key)] }).outcome;
  t.equal(ends('10.96.0.1 . 10.1.0.0/16'), 'drop');
  t.equal(ends('10.96.0.1 . 10.1.0.9'), 'drop');
  t.equal(ends('10.96.0.1 . 10.2.0.0/16'), 'untouched');
  t.equal(ends('10.96.0.2 . 10.1.0.0/16'), 'untouched');
});
