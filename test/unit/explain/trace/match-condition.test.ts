// Tests of src/explain/trace/match-condition.ts.

import t from 'tap';
import { readListedRule } from '../../../../src/explain/ruleset/listed-rule.ts';
import { matchCondition } from '../../../../src/explain/trace/match-condition.ts';
import { toTracedPacket } from '../../../../src/explain/trace/traced-packet.ts';
import { type Prefix, parsePrefix } from '../../../../src/net/prefix.ts';

const HOST = {
  addresses: ['192.0.2.1'],
  routes: [
    { prefix: parsePrefix('10.1.0.0/16') as Prefix, interface: 'pods' },
    { prefix: parsePrefix('198.51.100.0/24') as Prefix, interface: 'lan' },
  ],
};

/** A translated packet from a client in the LAN to a Service. */
function packet() {
  const traced = toTracedPacket({
    ...{ family: 'ip', protocol: 'tcp', source: '198.51.100.9', sourcePort: 40_000 },
    ...{ destination: '10.96.0.1', destinationPort: 80, inInterface: 'lan' },
  });
  return Object.assign(traced, { destination: '10.1.0.5', port: 8080, translated: true, mark: 0x4000 });
}

function match(text: string, hook = 'forward'): string {
  const [condition] = readListedRule(text).conditions;
  return condition === undefined
    ? 'none'
    : matchCondition(condition, packet(), {
        ...{ host: HOST, hook, routedTo: '10.1.0.5' },
      });
}

t.test('matchCondition() decides what is known of the packet', async (t) => {
  const matching = [
    'ip saddr 198.51.100.0/24',
    'ip daddr { 10.1.0.5, 10.1.0.6 }',
    'ip daddr != 10.96.0.1',
    'tcp dport 8000-9000',
    'th sport 40000',
    'meta l4proto { tcp, udp }',
    'ip protocol 6',
    'meta nfproto ipv4',
    'ct state new,untracked',
    'ct state != established',
    'ct status dnat',
    'ct original ip daddr 10.96.0.1',
    'ct original proto-dst 80',
    'ct direction original',
    'iifname "la*"',
    'oifname "pods"',
    'meta mark 0x00004000',
    'fib daddr type unicast',
    'fib saddr . iif oif exists',
  ];
  const other = [
    'ip saddr 10.0.0.0/8',
    'ip6 saddr fd00::1',
    'udp dport 8080',
    'tcp dport { 22, 443 }',
    'meta l4proto udp',
    'meta nfproto ipv6',
    'ct state invalid',
    'ct state established,related',
    'iifname "lo"',
    'oifname != "pods"',
    'icmp type echo-request',
    'meta mark 0x00000001',
    'fib daddr type local',
    'fib saddr . iif oif missing',
    'ip6 daddr != fd00::1',
    'udp dport != 1',
    'ct original ip6 daddr != fd00::1',
    'icmp type != echo-request',
  ];
  for (const text of matching) t.match(match(text), text.includes('unicast') ? /yes|maybe/ : 'yes', text);
  for (const text of other) t.equal(match(text), 'no', text);
});

t.test('matchCondition() says maybe if it cannot know', async (t) => {
  for (const text of ['ip saddr 10.0.0.1-10.0.0.9', 'ct status confirmed', 'tcp dport ssh', 'fib daddr type broadcast'])
    t.equal(match(text), 'maybe', text);
  t.equal(match('oifname "pods"', 'prerouting'), 'maybe');
  t.equal(match('iifname "lan"', 'output'), 'no');
});
