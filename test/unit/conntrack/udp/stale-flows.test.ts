// Tests of src/conntrack/udp/stale-flows.ts.

import t from 'tap';
import { addressKey, type ConntrackEntry, nodePortKey, parseEntry } from '../../../../src/conntrack/conntrack-entry.ts';
import { RemovedEndpoints } from '../../../../src/conntrack/udp/removed-endpoints.ts';
import { MAX_REVERSED_FLOWS, ReversedFlows } from '../../../../src/conntrack/udp/reversed-flows.ts';
import { type ExpectedState, StaleFlows, staleReason } from '../../../../src/conntrack/udp/stale-flows.ts';
import type { UdpFrontend } from '../../../../src/conntrack/udp/udp-frontends.ts';
import { familyOf } from '../../../../src/net/address.ts';

const CLIENT = '192.0.2.9';
const NODE = '192.0.2.1';

function frontend(key: string, name: string, ...endpoints: readonly string[]): UdpFrontend {
  return { key, servicePort: name, endpoints: new Set(endpoints) };
}

const CUTOFF = 1000;

function expectedOf(
  frontends: readonly UdpFrontend[],
  gone: readonly UdpFrontend[] = [],
  late: readonly UdpFrontend[] = [],
) {
  const removed = new RemovedEndpoints();
  removed.record(gone, [], CUTOFF);
  removed.record(late, [], CUTOFF + 1);
  return {
    frontends: new Map(frontends.map((frontend) => [frontend.key, frontend])),
    removed,
    uncommitted: new Map<string, (UdpFrontend | undefined)[]>(),
    addedAt: new Map<string, number>(),
    cutoff: CUTOFF,
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
    frontend(DNS, 'kube/dns:dns', ...ENDPOINTS),
    frontend(VIP, 'kube/dns:dns', ...ENDPOINTS),
    frontend(SIX, 'kube/dns:dns', 'fd00:1::1 5353'),
    frontend(NODE_PORT, 'kube/dns:dns', ...ENDPOINTS),
    frontend(EMPTY, 'kube/empty'),
    frontend(MOVING, 'kube/moving', '10.1.0.1 5353'),
    frontend(GOING, 'kube/going', '10.1.0.1 5353'),
    frontend(NEW, 'kube/new', '10.1.0.1 5353'),
  ],
  [
    frontend(GONE, 'kube/gone', '10.1.0.7 5353'),
    frontend(nodePortKey('ip', 30099), 'kube/gone', '10.1.0.7 5353'),
    frontend(DNS, 'kube/gone', '10.1.0.1 5353'),
  ],
  [frontend(DNS, 'kube/dns:dns', '10.1.0.6 5353'), frontend(GONE, 'kube/gone', '10.1.0.6 5353')],
);
EXPECTED.uncommitted.set(MOVING, [frontend(MOVING, 'kube/moving', '10.1.0.2 5353')]);
EXPECTED.uncommitted.set(GOING, [undefined]);
EXPECTED.addedAt.set(NEW, CUTOFF + 1);
EXPECTED.addedAt.set(VIP, CUTOFF);

/** A flow from the client: `destination port` and `reply source port`. */
function flow(to: string, from: string): ConntrackEntry {
  const [destination = '', destinationPort] = to.split(' ');
  const [source = '', sourcePort] = from.split(' ');
  return {
    family: familyOf(destination),
    protocol: 'udp',
    original: { source: CLIENT, sourcePort: 1000, destination, destinationPort: Number(destinationPort) },
    reply: { source, sourcePort: Number(sourcePort), destination: NODE, destinationPort: 1000 },
  };
}

t.test('staleReason() ignores valid flows and flows of other destinations', async (t) => {
  const cases = [
    { to: DNS, from: '10.1.0.1 5353', why: 'it goes to an endpoint, which another Service had before' },
    { to: VIP, from: '10.1.0.2 5353', why: 'it goes to an endpoint' },
    { to: SIX, from: 'fd00:1::1 5353', why: 'it goes to an endpoint' },
    { to: `${NODE} 30053`, from: '10.1.0.1 5353', why: 'it goes to an endpoint' },
    { to: '192.0.2.2 30053', from: '192.0.2.2 30053', why: 'it is an address of another host' },
    { to: 'fd00:77::1 30053', from: 'fd00:77::1 30053', why: 'no node port of this family' },
    { to: '127.0.0.1 30053', from: '127.0.0.1 30053', why: 'loopback addresses accept no node ports' },
    { to: '10.96.0.10 54', from: '10.96.0.10 54', why: 'no frontend has this port' },
    { to: '8.8.8.8 53', from: '8.8.8.8 53', why: 'no frontend has this address' },
    { to: '10.1.0.9 5353', from: '10.1.0.9 5353', why: 'it goes to a pod without a Service' },
    { to: GONE, from: '10.1.0.8 5353', why: 'its destination was not an endpoint of the Service' },
    { to: GONE, from: GONE, why: 'it was never translated, which is now right' },
    { to: MOVING, from: '10.1.0.1 5353', why: 'a running sync removes its endpoint' },
    { to: MOVING, from: '10.1.0.2 5353', why: 'a running sync adds its endpoint' },
    { to: GOING, from: GOING, why: 'a running sync may have removed the frontend' },
    { to: DNS, from: '10.1.0.6 5353', why: 'its endpoint was just removed' },
    { to: GONE, from: '10.1.0.6 5353', why: 'its endpoint was just removed, and the frontend' },
    { to: NEW, from: NEW, why: 'the frontend was just added' },
  ];
  for (const { to, from, why } of cases) {
    t.equal(staleReason(flow(to, from), EXPECTED), undefined, `${to} <- ${from}: ${why}`);
  }
});

t.test('staleReason() returns the reason', async (t) => {
  const none = 'is not an endpoint of kube/dns:dns';
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
    { to: MOVING, from: '10.1.0.9 5353', why: '10.1.0.9:5353 is not an endpoint of kube/moving' },
    { to: GOING, from: '10.1.0.9 5353', why: '10.1.0.9:5353 is not an endpoint of kube/going' },
    { to: EMPTY, from: '10.1.0.1 5353', why: '10.1.0.1:5353 is not an endpoint of kube/empty, which has none' },
    { to: GONE, from: '10.1.0.7 5353', why: '10.96.0.30:53 is no longer a frontend of kube/gone' },
    { to: `${NODE} 30099`, from: '10.1.0.7 5353', why: `${NODE}:30099 is no longer a frontend of kube/gone` },
  ];
  for (const { to, from, why } of cases) t.equal(staleReason(flow(to, from), EXPECTED), why, `${to} <- ${from}`);
});

t.test('staleReason() recognizes a flow that a reply recreated', async (t) => {
  const parse = (text: string) => {
    const [address = '', port] = text.split(' ');
    return { address, port: Number(port) };
  };
  const untranslated = (from: string, to: string): ConntrackEntry => {
    const [source, destination] = [parse(from), parse(to)];
    const tuple = (a: typeof source, b: typeof source) => {
      return { source: a.address, sourcePort: a.port, destination: b.address, destinationPort: b.port };
    };
    return { family: 'ip', protocol: 'udp', original: tuple(source, destination), reply: tuple(destination, source) };
  };
  const [client, server] = [`${CLIENT} 1000`, `${NODE} 30053`];
  const reversed = new ReversedFlows();
  const expected = { ...EXPECTED, reversed };
  const entry = untranslated(server, client);
  t.equal(staleReason(entry, expected), undefined, 'a process of this node uses this source port');
  for (const to of [server, GONE, MOVING]) reversed.record(untranslated(client, to), 0);
  const reason = `a reply recreated the flow to ${NODE}:30053, which is older than this frontend of kube/dns:dns`;
  t.equal(staleReason(entry, expected), reason);
  t.equal(staleReason(untranslated(server, `${CLIENT} 1001`), expected), undefined, 'another client');
  t.equal(staleReason(untranslated(GONE, client), expected), undefined, 'no longer a frontend');
  t.equal(staleReason(untranslated(MOVING, client), expected), undefined, 'a running sync changes its frontend');
});

t.test('StaleFlows groups flows by frontend and endpoint', async (t) => {
  const flows = new StaleFlows();
  t.strictSame(flows.groups(), []);
  const [first, other] = [flow(DNS, '10.1.0.9 5353'), flow(DNS, '10.1.0.8 5353')];
  for (const entry of [first, flow(DNS, '10.1.0.1 5353'), other, flow(DNS, '10.1.0.9 5353')]) {
    flows.check(entry, EXPECTED);
  }
  t.match(flows.groups(), [
    { first, count: 2, reason: '10.1.0.9:5353 is not an endpoint of kube/dns:dns' },
    { first: other, count: 1 },
  ]);
});

t.test('StaleFlows keeps not more flows without NAT than are remembered, and counts all', async (t) => {
  const flows = new StaleFlows();
  const entry = flow(`${NODE} 30053`, `${NODE} 30053`);
  for (let n = 0; n < MAX_REVERSED_FLOWS + 10; n++) flows.check(entry, EXPECTED);
  t.equal(flows.untranslated.length, MAX_REVERSED_FLOWS);
  t.match(flows.groups(), [{ first: entry, count: MAX_REVERSED_FLOWS + 10 }]);
});

t.test('StaleFlows checks 50,000 lines in much less than a second', async (t) => {
  const services = Array.from({ length: 1000 }, (_, n) => addressKey(`10.96.${n >> 8}.${n & 255}`, 53));
  const expected = expectedOf(services.map((key) => frontend(key, 'kube/dns', ...ENDPOINTS)));
  const lines = Array.from({ length: 50_000 }, (_, n) => {
    const [address] = services[n % 1000]?.split(' ') ?? [];
    const client = `10.2.${n >> 8}.${n & 255}`;
    const endpoint = n % 100 === 7 ? '10.1.0.9' : '10.1.0.1';
    const reply = `src=${endpoint} dst=${client} sport=5353 dport=1000`;
    return `udp      17 27 src=${client} dst=${address} sport=1000 dport=53 ${reply} [ASSURED] mark=0 use=1`;
  });
  // CPU time: the machine may be busy.
  const before = process.cpuUsage();
  const flows = new StaleFlows();
  for (const line of lines) {
    const entry = parseEntry(line);
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
