// Tests of taking over from kube-proxy under traffic, in each of its modes.

import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import {
  loadIptables,
  loadIpvsRules,
  loadNftables,
  type ServicePortSpec,
} from '../../support/netns/kube-proxy-rules.ts';
import { createProxiedWorld, PORTS } from '../../support/netns/proxied-world.ts';
import { type Addresses, NODES } from '../../support/netns/topology.ts';
import type { RunningDial } from '../../support/netns/traffic/dialer-process.ts';

const NODE_PORT = 30080;
/** Unused addresses in the pod CIDRs. */
const UNUSED: Addresses = { ip: '10.1.1.200', ip6: 'fd00:1:1::200' };
const REMOVED = 'took over from kube-proxy and removed its leftovers';

const proxied = await createProxiedWorld(t);
const { world } = proxied;
const { client, node1 } = world;
const WEB = await proxied.addService('shop/web', 10, {
  pods: ['a', 'b', 'c'],
  ports: PORTS.map((port) => ({ ...port, nodePort: NODE_PORT })),
});
await proxied.waitForSync();
const dialer = await client.dialer();

const MODES = {
  nftables: { load: (ports: readonly ServicePortSpec[]) => loadNftables(node1, ports), foreign: async () => '' },
  'iptables-nft': {
    load: (ports: readonly ServicePortSpec[]) => loadIptables(node1, 'nft', ports),
    foreign: () => savedRules('nft'),
  },
  'iptables-legacy': {
    load: (ports: readonly ServicePortSpec[]) => loadIptables(node1, 'legacy', ports),
    foreign: () => savedRules('legacy'),
  },
} as const;

for (const [mode, { load, foreign }] of Object.entries(MODES)) {
  t.test(`${mode}: no connection is lost, and all leftovers of kube-proxy are removed`, async (t) => {
    await removeNftlane();
    await load(kubeProxyPorts(['a', 'b', 'c']));
    const others = withoutKubeProxy(await foreign());
    const flows = await startTraffic();
    await waitForAttempts(flows, 50);
    const daemon = await proxied.restart('node1');
    const { removed } = await daemon.waitForLog(REMOVED);
    await proxied.waitForSync();
    await waitForAttempts(flows, 100);
    await expectNothingLost(t, flows);
    t.match(removed, mode === 'nftables' ? 'nftables table ip6 kube-proxy' : /nat: 15 chains, 3 jumps to them/);
    t.equal(await node1.output('sh', ['-c', 'nft list tables | grep kube-proxy || true']), '');
    const after = await foreign();
    t.strictSame(ownLines(after), [], 'all chains of kube-proxy were removed');
    t.equal(withoutKubeProxy(after), others, 'other rules are unchanged');
    t.strictSame(
      daemon.log.filter(({ level }) => level === 'warn' || level === 'error'),
      [],
    );
  });

  t.test(`${mode}: no connection is lost on the way back`, async (t) => {
    const flows = await startTraffic();
    await proxied.daemon('node1').stop();
    await waitForAttempts(flows, 20);
    await load(kubeProxyPorts(['a', 'b', 'c']));
    await waitForAttempts(flows, 20);
    const { stdout } = await proxied.run('node1', 'cleanup');
    const stateFiles = /(?:removed the (?:status|state) file \S+\n)*$/.source;
    t.match(
      stdout,
      new RegExp(`^removed nftables table ip nftlane\nremoved nftables table ip6 nftlane\n${stateFiles}`),
    );
    await waitForAttempts(flows, 20);
    await expectNothingLost(t, flows);
  });

  t.test(`${mode}: rules of nftlane take precedence over earlier ones of kube-proxy`, async (t) => {
    await removeNftlane();
    await load(kubeProxyPorts([]));
    const request = { protocol: 'tcp', address: WEB.ip, port: 80, count: 4, timeoutMs: 200 } as const;
    t.match(await dialer.dial(request), { answered: 0 }, 'its endpoint does not exist');
    const daemon = await proxied.restart('node1', '--take-over', 'no');
    await daemon.waitForLog('take-over is disabled, keeping the leftovers of kube-proxy');
    for (const { protocol, address, port } of targets()) {
      const report = await dialer.dial({ protocol, address, port, count: 20 });
      t.match(report, { answered: 20 }, `${protocol} ${address} ${port}`);
    }
    await daemon.stop();
    const cleaned = await proxied.run('node1', 'cleanup', '--kube-proxy');
    t.match(cleaned, {
      status: 0,
      stdout: /removed nftables table ip nftlane\n(?:.*\n)*removed (?:nftables table ip6 kube-proxy|.* chains)/,
    });
    t.match(await proxied.run('node1', 'cleanup', '--kube-proxy'), { status: 0, stdout: 'nothing to remove\n' });
  });
}

t.test('ipvs: addresses of Services on an interface do not interfere, and are removed', async (t) => {
  await removeNftlane();
  await loadIpvsRules(node1, kubeProxyPorts(['a', 'b', 'c']));
  await node1.output('ipset', ['create', 'blocklist', 'hash:ip']);
  await (await proxied.restart('node1', '--take-over', 'no')).waitForLog('ruleset complete');
  const flows = await startTraffic();
  await waitForAttempts(flows, 50);
  const daemon = await proxied.restart('node1');
  const { removed } = await daemon.waitForLog(REMOVED);
  await waitForAttempts(flows, 50);
  await expectNothingLost(t, flows);
  t.match(removed, /ipvs: interface kube-ipvs0; ipvs: 2 ipsets/);
  t.equal(await node1.output('ipset', ['list', '-name']), 'blocklist\n');
  t.notMatch(await node1.output('ip', ['link']), 'kube-ipvs0');
  t.strictSame(ownLines(await savedRules('nft')), []);
});

t.test('chains that others use are kept, and those that a drop policy requires', async (t) => {
  await removeNftlane();
  await MODES['iptables-nft'].load(kubeProxyPorts(['a']));
  const foreign = ['-t', 'nat', '-A', 'CNI-HOSTPORT-DNAT', '-p', 'tcp', '--dport', '9999', '-j', 'KUBE-MARK-MASQ'];
  await node1.output('iptables-nft', foreign);
  await node1.output('iptables-nft', ['-P', 'FORWARD', 'DROP']);
  const daemon = await proxied.restart('node1');
  await daemon.waitForLog(REMOVED);
  const chains = ownLines(await savedRules('nft')).filter((line) => line.startsWith(':'));
  t.strictSame(
    chains.map((line) => line.split(' ')[0]),
    [':KUBE-FORWARD', ':KUBE-MARK-MASQ', ':KUBE-POSTROUTING'],
  );
  const kept = daemon.log.filter(({ msg }) => msg === 'keeping a chain of kube-proxy');
  t.equal(kept.length, 3);
  await node1.output('iptables-nft', ['-P', 'FORWARD', 'ACCEPT']);
  await node1.output('iptables-nft', [...foreign.slice(0, 2), '-D', ...foreign.slice(3)]);
  await daemon.stop();
  t.match(await proxied.run('node1', 'cleanup', '--kube-proxy'), { status: 0 });
  t.strictSame(ownLines(await savedRules('nft')), []);
});

/**
 * Prepares the node for kube-proxy: stops the daemon and removes all its objects. Also flushes conntrack, because a client that
 * reuses a port would continue a flow to the unused address.
 */
async function removeNftlane(): Promise<void> {
  await proxied.daemon('node1').stop();
  const { status, stderr } = await proxied.run('node1', 'cleanup', '--kube-proxy');
  if (status !== 0) throw new Error(`Cannot clean up\n${stderr}`);
  await node1.output('conntrack', ['-F']);
}

/** The Service as kube-proxy serves it: with these pods, or with an unused address. */
function kubeProxyPorts(pods: readonly string[]): ServicePortSpec[] {
  const endpoints = pods.length === 0 ? [UNUSED] : pods.map((pod) => world.pod(pod));
  return PORTS.map(({ protocol, port, targetPort }) => {
    return { name: 'web', protocol, at: WEB, port, nodePort: NODE_PORT, endpoints, targetPort };
  });
}

function targets() {
  return (['tcp', 'udp'] as const).flatMap((protocol) =>
    (['ip', 'ip6'] as const).flatMap((family) => [
      { protocol, address: WEB[family], port: 80 },
      { protocol, address: NODES.node1[family], port: NODE_PORT },
    ]),
  );
}

/**
 * Starts new connections at a constant rate, and two long-lived flows. The timeout is long because a slow machine may delay
 * replies; a lost datagram is never sent again.
 */
async function startTraffic(): Promise<Record<string, RunningDial>> {
  const timeoutMs = 5000;
  const flows: Record<string, RunningDial> = {};
  for (const { protocol, address, port } of targets()) {
    flows[`new: ${protocol} ${address} ${port}`] = await dialer.dialAtRate({
      protocol,
      address,
      port,
      perSecond: 30,
      timeoutMs,
    });
  }
  for (const protocol of ['tcp', 'udp'] as const) {
    flows[`lasting: ${protocol}`] = await dialer.keepConnection({
      protocol,
      address: WEB.ip,
      port: 80,
      everyMs: 5,
      timeoutMs,
    });
  }
  return flows;
}

/** Resolves when every flow has made this many more attempts. */
async function waitForAttempts(flows: Readonly<Record<string, RunningDial>>, more: number): Promise<void> {
  await Promise.all(Object.values(flows).map((flow) => waitForOne(flow, more)));
}

async function waitForOne(flow: RunningDial, more: number): Promise<void> {
  const { attempts } = await flow.snapshot();
  while ((await flow.snapshot()).attempts < attempts + more) await delay(20);
}

async function expectNothingLost(t: Test, flows: Readonly<Record<string, RunningDial>>): Promise<void> {
  for (const [name, flow] of Object.entries(flows)) {
    const report = await flow.stop();
    t.match(report, { answered: report.attempts, refused: 0, timedOut: 0, errors: {} }, name);
  }
}

/** The rules of both families as iptables-save prints them. */
async function savedRules(variant: 'nft' | 'legacy'): Promise<string> {
  const texts = await Promise.all(
    ['iptables', 'ip6tables'].map((program) => node1.output(`${program}-${variant}-save`)),
  );
  return texts.join('');
}

const OWN = /KUBE-(?:SERVICES|EXTERNAL|NODEPORTS|POSTROUTING|MARK-MASQ|FORWARD|PROXY|SVC|SEP|EXT)/;

function ownLines(text: string): string[] {
  return text.split('\n').filter((line) => OWN.test(line));
}

function withoutKubeProxy(text: string): string {
  const lines = text.split('\n').filter((line) => !line.startsWith('#') && !OWN.test(line));
  return lines.map((line) => line.replace(/\[\d+:\d+\]/, '')).join('\n');
}
