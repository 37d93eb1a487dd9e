// Tests of src/explain/trace/listed-chains.ts, and of walk.ts with tables of other programs.

import t from 'tap';
import type { Packet } from '../../../../src/explain/flow/packet.ts';
import { kernelRuleset } from '../../../../src/explain/ruleset/kernel-ruleset.ts';
import { elementIndex } from '../../../../src/explain/ruleset/ruleset.ts';
import { trace } from '../../../../src/explain/trace/trace.ts';
import { parseTables } from '../../../../src/nftables/syntax/listed/table-listing.ts';
import { toRoute } from '../../../support/builders/arbitrary-packets.ts';

const PACKET = {
  ...({ family: 'ip', protocol: 'tcp', source: '198.51.100.9', sourcePort: 40_000 } as const),
  ...{ destination: '10.96.0.1', destinationPort: 80, inInterface: 'lan' },
};
const HOST = {
  addresses: ['192.0.2.1'],
  routes: [toRoute('10.1.0.0/16', 'pods'), toRoute('198.51.100.0/24', 'lan')],
};

/** Our table, which translates the destination, with further rules in its chain. */
function ours({ flags = '', policy = 'accept', rules = [] as readonly string[] } = {}): string {
  return `table ip nftlane {
${flags}
	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy ${policy};
${rules.map((rule) => `\t\t${rule}\n`).join('')}		dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 1 map @endpoints
	}

	chain other {
	}
}
`;
}

function base(hook: string, rules: readonly string[], { table = 'inet other', extra = '' } = {}): string {
  return `table ${table} {
	chain base {
		${hook}
${rules.map((rule) => `\t\t${rule}\n`).join('')}	}
${extra}
}
`;
}

const ENDPOINTS = [{ key: '10.96.0.1 . tcp . 80 . 0', data: '10.1.0.5 . 8080', comment: '' }];

function follow(...listings: readonly string[]) {
  return followPacket(PACKET, ...listings);
}

function followPacket(packet: Packet, ...listings: readonly string[]) {
  const find = elementIndex(new Map([['endpoints', ENDPOINTS]]));
  const { outcome, destinations, concerns } = trace(
    packet,
    kernelRuleset(parseTables(listings.join('')), 'ip', find),
    HOST,
  );
  const to = destinations.map(
    ({ address, port, masquerade }) => `${address}:${port}${masquerade ? ' masqueraded' : ''}`,
  );
  return [outcome, ...to, ...concerns].join(', ');
}

const FORWARDED = 'forward, 10.1.0.5:8080';
const FORWARD_DROP = 'type filter hook forward priority filter; policy drop;';
const FORWARD = 'type filter hook forward priority filter; policy accept;';

t.test('chains of others that accept do not matter', async (t) => {
  t.equal(follow(ours()), FORWARDED);
  for (const rules of [
    [],
    ['accept'],
    ['ip saddr @unknown accept', 'counter packets 1 bytes 2'],
    ['ct state invalid drop', 'ct state established,related accept'],
    ['tcp dport 22 drop', 'udp dport 8080 drop', 'icmp type echo-request reject'],
    ['accept', 'drop'],
    ['jump helper', 'ip saddr 10.9.0.0/16 drop'],
  ]) {
    const helper = '\tchain helper {\n\t\tlimit rate 1/second return\n\t\tct state invalid drop\n\t}';
    t.equal(follow(base(FORWARD, rules, { extra: helper }), ours()), FORWARDED, rules.join('; '));
  }
  t.equal(follow(ours(), base(FORWARD_DROP, ['ct status dnat accept'])), FORWARDED);
  t.equal(
    follow(
      ours(),
      base(FORWARD_DROP, ['ct state established,related accept', 'tcp dport 8080 goto ok'], {
        extra: '\tchain ok {\n\t\taccept\n\t}',
      }),
    ),
    FORWARDED,
  );
});

t.test('chains of others that surely drop, reject or translate are evaluated', async (t) => {
  t.equal(follow(ours(), base(FORWARD_DROP, [])), 'drop');
  t.equal(follow(ours(), base(FORWARD_DROP, ['tcp dport 80 accept'])), 'drop', 'the port is translated');
  t.equal(follow(ours(), base(FORWARD, ['ip daddr 10.1.0.0/16 reject'])), 'refuse');
  t.equal(follow(ours(), base('type filter hook prerouting priority raw; policy accept;', ['drop'])), 'drop');
  t.equal(follow(ours(), base(FORWARD, ['jump x'], { extra: '\tchain x {\n\t\tdrop\n\t}' })), 'drop');
  const nat = (priority: string) => `type nat hook prerouting priority ${priority}; policy accept;`;
  const dnat = ['ip daddr 10.96.0.1 dnat to 203.0.113.9:81'];
  t.equal(follow(ours(), base(nat('dstnat - 5'), dnat)), 'forward, 203.0.113.9:81');
  t.equal(follow(ours(), base(nat('dstnat + 5'), dnat)), FORWARDED, 'the flow is translated already');
  t.match(follow(ours(), base(nat('dstnat'), dnat)), /it has the priority of another chain that translates/);
  const masquerade = base('type nat hook postrouting priority srcnat; policy accept;', ['masquerade']);
  t.equal(follow(ours(), masquerade), 'forward, 10.1.0.5:8080 masqueraded');
  const ingress = (device: string) => `type filter hook ingress device "${device}" priority filter; policy accept;`;
  t.equal(follow(ours(), base(ingress('lan'), ['drop'], { table: 'netdev other' })), 'drop');
  t.equal(follow(ours(), base(ingress('eth9'), ['drop'], { table: 'netdev other' })), FORWARDED);
});

t.test('rules of others that cannot be evaluated are named', async (t) => {
  const cases: readonly [hook: string, rules: readonly string[]][] = [
    [FORWARD, ['ip saddr @blocked drop']],
    [FORWARD, ['limit rate over 5/second reject']],
    [FORWARD_DROP, ['ip saddr @allowed accept']],
    [FORWARD, ['meta mark set 0x1']],
    [FORWARD, ['queue to 1']],
    [FORWARD, ['ip saddr @a jump x']],
    [FORWARD, ['ip saddr vmap { 10.0.0.1 : accept, 10.0.0.2 : drop }']],
    ['type nat hook prerouting priority dstnat - 5; policy accept;', ['redirect to :81']],
    ['type filter hook prerouting priority mangle; policy accept;', ['tproxy to 127.0.0.1:1 accept']],
    ['type filter hook prerouting priority raw; policy accept;', ['ip saddr @a notrack']],
    ['type filter hook output priority what; policy accept;', ['drop']],
  ];
  for (const [hook, rules] of cases) {
    const result = follow(ours(), base(hook, rules, { extra: '\tchain x {\n\t\tdrop\n\t}' }));
    if (hook.includes('output')) t.equal(result, FORWARDED, 'the packet does not pass this hook');
    else t.match(result, /^forward, 10\.1\.0\.5:8080, inet other (?:base|x): /, rules.join('; '));
  }
});

t.test('a packet that a rule exempts from connection tracking is not translated', async (t) => {
  const raw = 'type filter hook prerouting priority raw; policy accept;';
  t.equal(follow(ours(), base(raw, ['ip daddr 10.96.0.1 notrack'])), 'untouched');
  t.equal(follow(ours(), base(raw, ['ip daddr 10.96.0.2 notrack'])), FORWARDED);
  t.equal(follow(ours(), base(raw, ['ip saddr 10.1.0.5 notrack'])), 'drop', 'the replies are not translated back');
  const mangle = 'type filter hook prerouting priority mangle; policy accept;';
  t.equal(follow(ours(), base(mangle, ['notrack'])), FORWARDED, 'it is tracked already');
});

t.test('rules of others in our table are evaluated or named', async (t) => {
  t.equal(follow(ours({ rules: ['tcp dport 80 drop'] })), 'drop');
  t.equal(follow(ours({ rules: ['tcp dport 81 drop', 'counter packets 1 bytes 2'] })), FORWARDED);
  t.equal(follow(ours({ rules: ['accept'] })), 'untouched');
  t.equal(follow(ours({ rules: ['return'] })), 'untouched');
  t.equal(follow(ours({ rules: ['tcp dport 80 jump other'] })), FORWARDED);
  t.equal(follow(ours({ rules: ['dnat to 203.0.113.9'] })), 'forward, 203.0.113.9:80');
  t.match(
    follow(ours({ rules: ['ip saddr . ip daddr @x drop comment "x"'] })),
    /^forward, .*, ip nftlane nat-prerouting: /,
  );
  t.equal(follow(ours({ policy: 'drop', rules: ['return'] })), 'drop');
  t.equal(follow(ours({ flags: '\tflags dormant' })), 'untouched');
});

t.test('rules that drop later packets of a flow count as well', async (t) => {
  for (const rule of [
    'ct state established drop',
    'ct direction reply drop',
    'ip saddr 10.1.0.5 tcp sport 8080 drop',
    'ip daddr 198.51.100.9 drop',
    'oifname "lan" reject',
    'tcp flags ack drop',
  ]) {
    const result = follow(ours(), base(FORWARD, [rule]));
    t.match(result, rule.includes('flags') ? /^forward, .*tcp flags ack drop$/ : /^(?:drop|refuse)$/, rule);
  }
  t.equal(follow(ours(), base(FORWARD_DROP, ['tcp dport 8080 accept'])), 'drop', 'the replies');
  t.equal(follow(ours(), base('type filter hook output priority filter; policy drop;', [])), FORWARDED);
  const early = 'type filter hook prerouting priority raw; policy accept;';
  t.equal(follow(ours(), base(early, ['ip daddr 10.1.0.0/16 drop'])), FORWARDED, 'it is not translated yet');
});

t.test('an entry of session affinity with another endpoint is named', async (t) => {
  const listing = `table ip nftlane {
	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		meta l4proto tcp dnat ip to ip saddr map @affinity/shop/web/tcp/http
		dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 1 map @endpoints
	}
}
`;
  for (const endpoint of ['10.1.0.5 . 8080', '10.6.6.6 . 8080']) {
    const entry = { key: PACKET.source, data: endpoint, comment: '' };
    const find = elementIndex(
      new Map([
        ['endpoints', ENDPOINTS],
        ['affinity/shop/web/tcp/http', [entry]],
      ]),
    );
    const { concerns } = trace(PACKET, kernelRuleset(parseTables(listing), 'ip', find), HOST);
    t.equal(concerns.length, endpoint.startsWith('10.6') ? 1 : 0, endpoint);
  }
});

t.test('a chain that comes before ours at the same priority is named only if it matters', async (t) => {
  const nat = 'type nat hook prerouting priority dstnat; policy accept;';
  t.equal(follow(ours(), base(nat, ['tcp dport 81 dnat to 10.0.0.1', 'accept'])), FORWARDED);
  t.match(follow(ours(), base(nat, ['ip saddr @x redirect to :81'])), /, inet other base: /);
});

t.test('before connection tracking, every packet is invalid', async (t) => {
  const at = (priority: number) => `type filter hook prerouting priority ${priority}; policy accept;`;
  t.equal(follow(ours(), base(at(-300), ['ct state invalid drop'])), 'drop');
  t.equal(follow(ours(), base(at(-150), ['ct state invalid drop'])), FORWARDED);
  for (const rule of [
    'ct state new drop',
    'ct status dnat drop',
    'ct direction original drop',
    'ct direction != reply drop',
  ])
    t.equal(follow(ours(), base(at(-300), [rule])), FORWARDED, rule);
});

const MASQUERADE = base('type nat hook postrouting priority srcnat; policy accept;', ['masquerade'], { table: 'ip m' });
const MASQUERADED = 'forward, 10.1.0.5:8080 masqueraded';

t.test('chains after a masquerade see the source that it chose', async (t) => {
  const at = (priority: number) => `type filter hook postrouting priority ${priority}; policy accept;`;
  const after = (rule: string) => follow(ours(), MASQUERADE, base(at(177), [rule]));
  const cases: readonly [rule: string, expected: RegExp][] = [
    ['ip saddr 192.0.2.0/24 drop', /^drop$/],
    ['ip saddr 192.0.2.1 drop', /^drop$/],
    ['ip saddr 198.51.100.9 tcp dport 8080 drop', /^forward, 10\.1\.0\.5:8080 masqueraded$/],
    ['tcp sport 40000 drop', /masqueraded, inet other base: tcp sport 40000 drop$/],
    ['tcp sport 1024-65535 drop', /^drop$/],
    ['tcp sport 22 drop', /^forward, 10\.1\.0\.5:8080 masqueraded$/],
    ['ct state established ip saddr 192.0.2.1 drop', /^drop$/],
  ];
  for (const [rule, expected] of cases) t.match(after(rule), expected, rule);
  t.equal(follow(ours(), MASQUERADE, base(at(99), ['ip saddr 192.0.2.0/24 drop'])), MASQUERADED, 'before it');
  t.match(follow(ours(), MASQUERADE, base(at(100), ['ip saddr 192.0.2.0/24 drop'])), /has the priority of another/);
  t.equal(follow(ours(), base(at(177), ['ip saddr 192.0.2.0/24 drop'])), FORWARDED, 'the flow is not masqueraded');
});

t.test('replies to a masqueraded packet go to an address of the host, and to a port that is not known', async (t) => {
  const early = 'type filter hook prerouting priority raw; policy accept;';
  const replies = (rule: string) => follow(ours(), MASQUERADE, base(early, [rule]));
  t.equal(replies('ip saddr 10.1.0.5 ip daddr 192.0.2.1 drop'), 'drop');
  t.equal(replies('ip saddr 10.1.0.5 ip daddr 198.51.100.9 drop'), MASQUERADED);
  t.equal(replies('ip daddr 127.0.0.0/8 drop'), MASQUERADED);
  t.equal(replies('tcp dport { 22, 443 } drop'), MASQUERADED);
  t.match(replies('tcp sport 8080 tcp dport 40000 drop'), /, inet other base: tcp sport 8080 tcp dport 40000 drop$/);
  const late = 'type filter hook postrouting priority 101; policy accept;';
  t.equal(follow(ours(), base(late, ['tcp sport 80 drop'])), 'drop', 'they leave with the port of the Service');
  t.equal(follow(ours(), base(late, ['tcp sport 8080 drop'])), FORWARDED);
});

t.test('all chains of type nat translate at one place, whatever their priority', async (t) => {
  const late = ours().replace('priority dstnat', 'priority 50');
  const at = (priority: string) => `type filter hook prerouting priority ${priority}; policy accept;`;
  const drop = ['ct state new ip daddr 10.1.0.5 drop'];
  t.equal(follow(late, base(at('-99'), drop)), 'drop', 'before the priority of the chain, but after the translation');
  t.equal(follow(late, base(at('-101'), drop)), FORWARDED);
  t.match(follow(late, base(at('dstnat'), drop)), /^forward, .*it has the priority of another chain that translates/);
  const original = ['ct state new ip daddr 10.96.0.1 drop'];
  t.match(
    follow(ours(), base(at('dstnat'), original)),
    /^drop, .*it has the priority of another chain that translates/,
  );
  t.equal(follow(ours(), base(at('dstnat'), ['tcp dport 22 drop'])), FORWARDED, 'a chain without effect');
  t.match(
    follow(
      ours(),
      base('type nat hook prerouting priority 40; policy accept;', ['ip daddr 10.96.0.1 dnat to 203.0.113.9:81']),
      MASQUERADE,
    ),
    /^forward, 10\.1\.0\.5/,
    'among each other they are ordered by priority',
  );
});

t.test(
  'the output interface of a packet of this host is that of its first route, also after its translation',
  async (t) => {
    const host = { ...PACKET, source: '192.0.2.1', inInterface: undefined };
    const output = ours().replace('hook prerouting', 'hook output');
    const from = (packet: Packet, rule: string, hook = 'output') =>
      followPacket(packet, output, base(`type filter hook ${hook} priority filter; policy accept;`, [rule]));
    const toLan = { ...host, destination: '198.51.100.50' };
    ENDPOINTS.push({ key: '198.51.100.50 . tcp . 80 . 0', data: '10.1.0.5 . 8080', comment: '' });
    t.equal(from(toLan, 'oifname "lan" drop'), 'drop');
    t.equal(from(toLan, 'oifname "pods" drop'), FORWARDED);
    t.equal(from(toLan, 'oifname "lan" drop', 'postrouting'), FORWARDED, 'by then it has another route');
    t.equal(from(toLan, 'oifname "pods" drop', 'postrouting'), 'drop');
    const toItself = { ...host, destination: '192.0.2.1' };
    ENDPOINTS.push({ key: '192.0.2.1 . tcp . 80 . 0', data: '10.1.0.5 . 8080', comment: '' });
    t.equal(from(toItself, 'oifname "lo" drop'), 'drop', 'a node port at an address of the host');
  },
);
