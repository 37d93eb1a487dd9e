// Tests with unusual packets: SCTP, ICMP, simultaneous datagrams, and connections that outlive their rules.

import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createProxiedWorld, PORTS } from '../../support/netns/proxied-world.ts';
import { type Addresses, CLIENT, NODES } from '../../support/netns/topology.ts';
import { canSendRaw, captureInits, ping, sendInits } from '../../support/netns/traffic/raw-packets.ts';
import { sendPairs } from '../../support/netns/traffic/simultaneous-pairs.ts';

const FAMILIES = ['ip', 'ip6'] as const;
const VIP: Addresses = { ip: '198.51.100.8', ip6: '2001:db8:7::8' };
const SCTP_PORT = 2905;
const SCTP_NODE_PORT = 30905;
const INITS = 30;

t.setTimeout(120_000);
const proxied = await createProxiedWorld(t);
const { world } = proxied;
const { client, node1 } = world;
const shell = world.pod('shell');
const isRawPossible = await canSendRaw(client);

/** Waits for a condition; fails if it does not become true in time. */
async function eventually(t: Test, message: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > deadline) break;
    await delay(20);
  }
  t.ok(await condition(), message);
}

t.test('SCTP is forwarded with a valid checksum, and without a listening socket', async (t) => {
  if (!isRawPossible) return t.comment('this needs Python');
  const isLoaded = async () => (await node1.exec('test', ['-d', '/sys/module/sctp'])).status === 0;
  const wasLoaded = await isLoaded();
  const at = await proxied.addService('shop/sctp', 40, {
    pods: ['a', 'b'],
    ports: [...PORTS, { name: 'm3ua', protocol: 'sctp', port: SCTP_PORT, targetPort: 3905, nodePort: SCTP_NODE_PORT }],
  });
  await proxied.waitForSync();
  const [a, b] = await Promise.all(['a', 'b'].map((pod) => captureInits(world.pod(pod))));
  if (a === undefined || b === undefined) return t.fail('two pods listen');
  const all = () => [...a.captured, ...b.captured];
  let expected = 0;
  const cases = [
    { from: shell, port: SCTP_PORT, addresses: at, sees: (family: keyof Addresses) => shell[family] },
    { from: client, port: SCTP_PORT, addresses: at, sees: (family: keyof Addresses) => NODES.node1.gateway[family] },
    {
      from: client,
      port: SCTP_NODE_PORT,
      addresses: NODES.node1,
      sees: (family: keyof Addresses) => NODES.node1.gateway[family],
    },
  ];
  for (const { from, port, addresses, sees } of cases) {
    for (const family of FAMILIES) {
      const before = [a.captured.length, b.captured.length];
      await sendInits(from, { address: addresses[family], port, count: INITS });
      expected += INITS;
      await eventually(t, `${from.name} ${family}: all ${INITS} arrive`, () => all().length >= expected);
      t.ok(a.captured.length > (before[0] ?? 0) && b.captured.length > (before[1] ?? 0), 'both pods received some');
      const seen = new Set(
        [...a.captured.slice(before[0]), ...b.captured.slice(before[1])].map((init) => JSON.stringify(init)),
      );
      t.strictSame(
        [...seen].map((line) => JSON.parse(line)),
        [{ client: sees(family), port: 3905, chunk: 1, intact: true }],
      );
    }
  }
  a.stop();
  b.stop();
  t.equal(all().length, expected, 'no further packets arrived');
  const sockets = await node1.output('cat', ['/proc/net/tcp', '/proc/net/tcp6', '/proc/net/udp', '/proc/net/udp6']);
  for (const port of [SCTP_PORT, SCTP_NODE_PORT, 80]) {
    const hex = port.toString(16).toUpperCase().padStart(4, '0');
    t.notMatch(sockets, new RegExp(`^ *\\d+: [0-9A-F]+:${hex} `, 'm'), `no process listens on ${port}`);
  }
  t.equal(await isLoaded(), wasLoaded, 'the kernel module is not loaded');
});

t.test('a ping to a cluster IP is rejected, unless it is an address of the node', async (t) => {
  if (!isRawPossible) return t.comment('this needs Python');
  const at = await proxied.addService('shop/ping', 41, { pods: ['a'] });
  await proxied.waitForSync();
  const unreachable = { ip: { type: 3, code: 3 }, ip6: { type: 1, code: 4 } };
  for (const family of FAMILIES) {
    for (const from of [client, shell]) {
      const answer = await ping(from, at[family]);
      const { gateway } = NODES.node1;
      const facing = from === client ? NODES.node1[family] : gateway[family];
      t.strictSame(answer, { ...unreachable[family], from: facing }, `${from.name} ${family}`);
    }
    const bits = family === 'ip' ? 32 : 128;
    await node1.configure([`address add ${at[family]}/${bits} dev lo ${family === 'ip6' ? 'nodad' : ''}`]);
    t.match(
      await ping(client, at[family]),
      { from: at[family], code: 0 },
      `${family}: the host answers at its own address`,
    );
    await node1.configure([`address delete ${at[family]}/${bits} dev lo`]);
  }
});

t.test('simultaneous first datagrams reach the same endpoint, which random choice would not ensure', async (t) => {
  const at = await proxied.addService('shop/pairs', 42, { pods: ['a', 'b', 'c'] });
  await proxied.waitForSync();
  const [a, b, c] = ['a', 'b', 'c'].map((pod) => `${world.pod(pod).ip} . 8080`);
  const randomAddress = '198.51.100.99';
  const ruleset = `table ip at-random {
    chain prerouting {
      type nat hook prerouting priority -99
      ip daddr ${randomAddress} udp dport 80 dnat ip to numgen random mod 3 map { 0 : ${a}, 1 : ${b}, 2 : ${c} }
    }
    chain postrouting {
      type nat hook postrouting priority 100
      ct status dnat masquerade fully-random
    }
  }`;
  await node1.output('nft', ['-f', '-'], { input: `${ruleset}\n` });
  const count = 300;
  let [races, split] = [0, 0];
  for (let round = 0; round < 5 && split === 0; round++) {
    const report = await sendPairs(client, { address: randomAddress, port: 80, count });
    if (report === undefined) return t.comment('this needs Python and two CPUs');
    races += count;
    split += report.differentBackends + report.lost;
  }
  await node1.output('nft', ['delete', 'table', 'ip', 'at-random']);
  t.comment(`with random choice, ${split} of ${races} pairs were split`);
  t.ok(split > 0, 'with random choice, pairs are split: the datagrams are simultaneous');
  for (const family of FAMILIES) {
    const report = await sendPairs(client, { address: at[family], port: 80, count });
    t.match(report, { differentBackends: 0, lost: 0 }, family);
    t.ok((report?.sameBackend ?? 0) > 0, `${family}: ${report?.sameBackend} pairs`);
  }
});

t.test('thirty simultaneous connections are all refused despite the ICMP rate limit', async (t) => {
  const at = await proxied.addService('shop/empty', 43, { pods: [] });
  await proxied.waitForSync();
  await node1.sysctl({ 'net.ipv4.icmp_ratemask': 6168, 'net.ipv6.icmp.ratemask': '0-1,3-127' });
  const dialer = await client.dialer();
  const times = { count: 30, concurrency: 30, timeoutMs: 900 };
  for (const family of FAMILIES) {
    const target = { address: at[family], port: 80, ...times };
    t.match(await dialer.dial({ ...target, protocol: 'tcp' }), { attempts: 30, refused: 30 }, `${family}: resets`);
    const { refused } = await dialer.dial({ ...target, protocol: 'udp' });
    t.ok(refused < 30, `${family}: the rate limit applies: ${refused} of 30 UDP flows were refused in time`);
  }
  await node1.sysctl({ 'net.ipv4.icmp_ratemask': 0, 'net.ipv6.icmp.ratemask': '' });
});

t.test('an ICMP error of an endpoint reaches the client', async (t) => {
  const ports = PORTS.map((port) => ({ ...port, targetPort: 9999 }));
  const at = await proxied.addService('shop/closed-port', 44, { pods: ['a'], ports });
  await proxied.waitForSync();
  for (const family of FAMILIES) {
    for (const from of [client, shell]) {
      const request = { protocol: 'udp', address: at[family], port: 80, count: 3, timeoutMs: 1000 } as const;
      t.match(await (await from.dialer()).dial(request), { refused: 3 }, `${from.name} ${family}`);
    }
  }
});

t.test('a connection survives changes of endpoints, source ranges and policy', async (t) => {
  const given = (spec: object) => ({
    pods: ['a'],
    overrides: {
      spec: { type: 'LoadBalancer', ...spec },
      status: { loadBalancer: { ingress: Object.values(VIP).map((ip) => ({ ip })) } },
    },
  });
  await proxied.addService('shop/kept', 45, given({}));
  await proxied.waitForSync();
  const dialer = await client.dialer();
  for (const family of FAMILIES) {
    const kept = await dialer.keepConnection({ protocol: 'tcp', address: VIP[family], port: 80, everyMs: 10 });
    await proxied.addService(
      'shop/kept',
      45,
      given({ loadBalancerSourceRanges: ['203.0.113.0/24', '2001:db8:9::/64'] }),
    );
    await proxied.waitForSync();
    const closed = { protocol: 'tcp', address: VIP[family], port: 80, count: 1, timeoutMs: 150 } as const;
    t.match(
      await dialer.dial({ ...closed, sourceAddress: CLIENT[family] }),
      { timedOut: 1 },
      'new connections are dropped',
    );
    await proxied.addService('shop/kept', 45, given({ externalTrafficPolicy: 'Local' }));
    await proxied.setEndpoints('shop/kept', ['c']);
    await proxied.waitForSync();
    t.match(await dialer.dial(closed), { timedOut: 1 }, 'new connections have no endpoint');
    await kept.snapshot();
    const report = await kept.stop();
    t.match(
      report,
      { answered: report.attempts, pods: { a: report.attempts } },
      `${family}: the old connection continues`,
    );
    await proxied.addService('shop/kept', 45, given({}));
    await proxied.waitForSync();
  }
});
