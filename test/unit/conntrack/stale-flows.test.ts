// Tests of src/conntrack/stale-flows.ts.

import t from 'tap';
import { addressKey, type ConntrackEntry, nodePortKey, parseEntry } from '../../../src/conntrack/conntrack-entry.ts';
import { RemovedEndpoints } from '../../../src/conntrack/removed-endpoints.ts';
import { ReversedFlows } from '../../../src/conntrack/reversed-flows.ts';
import { type ExpectedState, StaleFlows, staleReason } from '../../../src/conntrack/stale-flows.ts';
import type { UdpFrontend } from '../../../src/conntrack/udp-frontends.ts';
import { familyOf } from '../../../src/net/address.ts';

const CLIENT = '192.0.2.9';
const NODE = '192.0.2.1';

function target(key: string, name: string, ...endpoints: readonly string[]): UdpFrontend {
  return { key, servicePort: name, endpoints: new Set(endpoints) };
}

const ANSWERED_UNTIL = 1000;

function expectedOf(
  targets: readonly UdpFrontend[],
  former: readonly UdpFrontend[] = [],
  late: readonly UdpFrontend[] = [],
) {
  const formerTargets = new RemovedEndpoints();
  formerTargets.record(former, [], ANSWERED_UNTIL);
  formerTargets.record(late, [], ANSWERED_UNTIL + 1);
  return {
    frontends: new Map(targets.map((target) => [target.key, target])),
    removed: formerTargets,
    uncommitted: new Map<string, (UdpFrontend | undefined)[]>(),
    addedAt: new Map<string, number>(),
    cutoff: ANSWERED_UNTIL,
    nodeAddresses: new Set([NODE, 'fd00:77::1']),
    reversed: new ReversedFlows(),
  } satisfies ExpectedState;
}

const DNS = addressKey('10.96.0.10', 53);
const VIP = addressKey('198.51.100.8', 53);
const SIX = addressKey('fd00:30::a', 53);
const EMPTY = addressKey('10.96.0.20', 53);
const NODE_PORT = nodePortKey('ip', 30053);
const GONE = addressKey('10.96.0.30', 53);
const MOVING = addressKey('10.96.0.40', 53);
const GOING = addressKey('10.96.0.41', 53);
const NEW = addressKey('10.96.0.42', 53);
const ENDPOINTS = ['10.1.0.1 5353', '10.1.0.2 5353'];

const EXPECTED = expectedOf(
  [
    target(DNS, 'kube/dns:dns', ...ENDPOINTS),
    target(VIP, 'kube/dns:dns', ...ENDPOINTS),
    target(SIX, 'kube/dns:dns', 'fd00:1::1 5353'),
    target(NODE_PORT, 'kube/dns:dns', ...ENDPOINTS),
    target(EMPTY, 'kube/empty'),
    target(MOVING, 'kube/moving', '10.1.0.1 5353'),
    target(GOING, 'kube/going', '10.1.0.1 5353'),
    target(NEW, 'kube/new', '10.1.0.1 5353'),
  ],
  [
    target(GONE, 'kube/gone', '10.1.0.7 5353'),
    target(nodePortKey('ip', 30099), 'kube/gone', '10.1.0.7 5353'),
    target(DNS, 'kube/gone', '10.1.0.1 5353'),
  ],
  [target(DNS, 'kube/dns:dns', '10.1.0.6 5353'), target(GONE, 'kube/gone', '10.1.0.6 5353')],
);
EXPECTED.uncommitted.set(MOVING, [target(MOVING, 'kube/moving', '10.1.0.2 5353')]);
EXPECTED.uncommitted.set(GOING, [undefined]);
EXPECTED.addedAt.set(NEW, ANSWERED_UNTIL + 1);
EXPECTED.addedAt.set(VIP, ANSWERED_UNTIL);

/** A flow from the client: `destination port` and `reply source port`. */
function flow(to: string, from: string): ConntrackEntry {
  const [destination = '', destinationPort] = to.split(' ');
  const [source = '', sourcePort] = from.split(' ');
  return {
    family: familyOf(destination),
    original: { source: CLIENT, sourcePort: 1000, destination, destinationPort: Number(destinationPort) },
    reply: { source, sourcePort: Number(sourcePort), destination: NODE, destinationPort: 1000 },
  };
}

t.test('whyStale() leaves healthy flows and those of others alone', async (t) => {
  const cases = [
    { to: DNS, from: '10.1.0.1 5353', because: 'an endpoint has it, though it was behind another Service before' },
    { to: VIP, from: '10.1.0.2 5353', because: 'an endpoint has it' },
    { to: SIX, from: 'fd00:1::1 5353', because: 'an endpoint has it' },
    { to: `${NODE} 30053`, from: '10.1.0.1 5353', because: 'an endpoint has it' },
    { to: '192.0.2.2 30053', from: '192.0.2.2 30053', because: 'it is the port of another host' },
    { to: 'fd00:77::1 30053', from: 'fd00:77::1 30053', because: 'the node port is none of this family' },
    { to: '127.0.0.1 30053', from: '127.0.0.1 30053', because: 'loopback takes no node ports' },
    { to: '10.96.0.10 54', from: '10.96.0.10 54', because: 'no frontend has this port' },
    { to: '8.8.8.8 53', from: '8.8.8.8 53', because: 'no frontend has this address' },
    { to: '10.1.0.9 5353', from: '10.1.0.9 5353', because: 'it goes to a pod without a Service' },
    { to: GONE, from: '10.1.0.8 5353', because: 'it went elsewhere than to an endpoint of the Service' },
    { to: GONE, from: GONE, because: 'it was never translated, and now rightly so' },
    { to: MOVING, from: '10.1.0.1 5353', because: 'its endpoint goes with a sync that has not succeeded yet' },
    { to: MOVING, from: '10.1.0.2 5353', because: 'its endpoint comes with a sync under way' },
    { to: GOING, from: GOING, because: 'there may be no such frontend any more' },
    { to: DNS, from: '10.1.0.6 5353', because: 'its endpoint went a moment ago' },
    { to: GONE, from: '10.1.0.6 5353', because: 'its endpoint went a moment ago, and the frontend' },
    { to: NEW, from: NEW, because: 'the frontend came a moment ago' },
  ];
  for (const { to, from, because } of cases) {
    t.equal(staleReason(flow(to, from), EXPECTED), undefined, `${to} <- ${from}: ${because}`);
  }
});

t.test('whyStale() says why', async (t) => {
  const none = 'is no endpoint of kube/dns:dns';
  const cases = [
    { to: DNS, from: '10.1.0.9 5353', why: `10.1.0.9:5353 ${none}` },
    { to: DNS, from: '10.1.0.1 53', why: `10.1.0.1:53 ${none}` },
    { to: VIP, from: '10.1.0.9 5353', why: `10.1.0.9:5353 ${none}` },
    { to: SIX, from: 'fd00:1::9 5353', why: `[fd00:1::9]:5353 ${none}` },
    { to: `${NODE} 30053`, from: '10.1.0.9 5353', why: `10.1.0.9:5353 ${none}` },
    { to: VIP, from: VIP, why: 'the flow to 198.51.100.8:53 is older than this frontend of kube/dns:dns' },
    { to: SIX, from: SIX, why: 'the flow to [fd00:30::a]:53 is older than this frontend of kube/dns:dns' },
    {
      to: `${NODE} 30053`,
      from: `${NODE} 30053`,
      why: `the flow to ${NODE}:30053 is older than this frontend of kube/dns:dns`,
    },
    { to: MOVING, from: '10.1.0.9 5353', why: '10.1.0.9:5353 is no endpoint of kube/moving' },
    { to: GOING, from: '10.1.0.9 5353', why: '10.1.0.9:5353 is no endpoint of kube/going' },
    { to: EMPTY, from: '10.1.0.1 5353', why: '10.1.0.1:5353 is no endpoint of kube/empty, which has none left' },
    { to: GONE, from: '10.1.0.7 5353', why: '10.96.0.30:53 is no frontend of kube/gone any more' },
    { to: `${NODE} 30099`, from: '10.1.0.7 5353', why: `${NODE}:30099 is no frontend of kube/gone any more` },
  ];
  for (const { to, from, why } of cases) t.equal(staleReason(flow(to, from), EXPECTED), why, `${to} <- ${from}`);
});

t.test('whyStale() knows a flow that an answer has opened anew', async (t) => {
  const place = (text: string) => {
    const [address = '', port] = text.split(' ');
    return { address, port: Number(port) };
  };
  const untranslated = (from: string, to: string): ConntrackEntry => {
    const [source, destination] = [place(from), place(to)];
    const tuple = (a: typeof source, b: typeof source) => {
      return { source: a.address, sourcePort: a.port, destination: b.address, destinationPort: b.port };
    };
    return { family: 'ip', original: tuple(source, destination), reply: tuple(destination, source) };
  };
  const [client, server] = [`${CLIENT} 1000`, `${NODE} 30053`];
  const reversed = new ReversedFlows();
  const expected = { ...EXPECTED, reversed };
  const entry = untranslated(server, client);
  t.equal(staleReason(entry, expected), undefined, 'a process of this node asks from this port');
  for (const to of [server, GONE, MOVING]) reversed.record(untranslated(client, to), 0);
  const reason = `an answer has opened anew the flow to ${NODE}:30053, which is older than this frontend of kube/dns:dns`;
  t.equal(staleReason(entry, expected), reason);
  t.equal(staleReason(untranslated(server, `${CLIENT} 1001`), expected), undefined, 'another client');
  t.equal(staleReason(untranslated(GONE, client), expected), undefined, 'no frontend any more');
  t.equal(staleReason(untranslated(MOVING, client), expected), undefined, 'its frontend is being changed');
});

t.test('StaleFlows gathers what frontend and endpoint have in common', async (t) => {
  const flows = new StaleFlows();
  t.strictSame(flows.groups(), []);
  const [first, other] = [flow(DNS, '10.1.0.9 5353'), flow(DNS, '10.1.0.8 5353')];
  for (const entry of [first, flow(DNS, '10.1.0.1 5353'), other, flow(DNS, '10.1.0.9 5353')]) {
    flows.check(entry, EXPECTED);
  }
  t.match(flows.groups(), [
    { first, count: 2, reason: '10.1.0.9:5353 is no endpoint of kube/dns:dns' },
    { first: other, count: 1 },
  ]);
});

t.test('StaleFlows judges 50,000 lines in much less than a second', async (t) => {
  const services = Array.from({ length: 1000 }, (_, n) => addressKey(`10.96.${n >> 8}.${n & 255}`, 53));
  const expected = expectedOf(services.map((key) => target(key, 'kube/dns', ...ENDPOINTS)));
  const lines = Array.from({ length: 50_000 }, (_, n) => {
    const [address] = services[n % 1000]?.split(' ') ?? [];
    const client = `10.2.${n >> 8}.${n & 255}`;
    const endpoint = n % 100 === 7 ? '10.1.0.9' : '10.1.0.1';
    const reply = `src=${endpoint} dst=${client} sport=5353 dport=1000`;
    return `udp      17 27 src=${client} dst=${address} sport=1000 dport=53 ${reply} [ASSURED] mark=0 use=1`;
  });
  // Time of the processor: others may be at work on this machine.
  const before = process.cpuUsage();
  const flows = new StaleFlows();
  for (const line of lines) {
    const entry = parseEntry(line, 'ip');
    if (entry !== undefined) flows.check(entry, expected);
  }
  const { user, system } = process.cpuUsage(before);
  const ms = (user + system) / 1000;
  t.comment(`${Math.round(ms)} ms`);
  t.ok(ms < 1000, `${Math.round(ms)} ms`);
  t.equal(
    flows.groups().reduce((sum, { count }) => sum + count, 0),
    500,
  );
});
