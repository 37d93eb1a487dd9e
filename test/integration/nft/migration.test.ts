// Taking kube-proxy's place under traffic, whichever mode it had.
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
/** Addresses in the range of pods that no pod has. */
const NOBODY: Addresses = { ip: '10.1.1.200', ip6: 'fd00:1:1::200' };
const TAKEN = "taken over: kube-proxy's rules are removed";

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
    foreign: () => saved('nft'),
  },
  'iptables-legacy': {
    load: (ports: readonly ServicePortSpec[]) => loadIptables(node1, 'legacy', ports),
    foreign: () => saved('legacy'),
  },
} as const;

for (const [mode, { load, foreign }] of Object.entries(MODES)) {
  t.test(`${mode}: nothing is lost, and nothing of kube-proxy is left`, async (t) => {
    await withoutUs();
    await load(served(['a', 'b', 'c']));
    const others = withoutKubeProxy(await foreign());
    const held = await traffic();
    await askedFor(held, 50);
    const daemon = await proxied.restart('node1');
    const { removed } = await daemon.waitForLog(TAKEN);
    await proxied.waitForSync();
    await askedFor(held, 100);
    await nothingLost(t, held);
    t.match(
      removed,
      mode === 'nftables' ? 'nftables table ip6 kube-proxy' : /nat: 15 chains, 3 rules that led to them/,
    );
    t.equal(await node1.output('sh', ['-c', 'nft list tables | grep kube-proxy || true']), '');
    const after = await foreign();
    t.strictSame(ownLines(after), [], 'no chain of kube-proxy is left');
    t.equal(withoutKubeProxy(after), others, 'what is not of kube-proxy stays as it was');
    t.strictSame(
      daemon.log.filter(({ level }) => level === 'warn' || level === 'error'),
      [],
    );
  });

  t.test(`${mode}: nothing is lost on the way back`, async (t) => {
    const held = await traffic();
    await proxied.daemon('node1').stop();
    await askedFor(held, 20);
    await load(served(['a', 'b', 'c']));
    await askedFor(held, 20);
    const { stdout } = await proxied.run('node1', 'cleanup');
    t.equal(stdout, 'removed nftables table ip nftlane\nremoved nftables table ip6 nftlane\n');
    await askedFor(held, 20);
    await nothingLost(t, held);
  });

  t.test(`${mode}: rules of kube-proxy that are there first come second`, async (t) => {
    await withoutUs();
    await load(served([]));
    const request = { protocol: 'tcp', address: WEB.ip, port: 80, count: 4, timeoutMs: 200 } as const;
    t.match(await dialer.dial(request), { answered: 0 }, 'its endpoint is nobody');
    const daemon = await proxied.restart('node1', '--take-over', 'no');
    await daemon.waitForLog('what kube-proxy has left stays, for taking over is switched off');
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

t.test('ipvs: addresses of Services on an interface of the node do not stand in the way, and go', async (t) => {
  await withoutUs();
  await loadIpvsRules(node1, served(['a', 'b', 'c']));
  await node1.output('ipset', ['create', 'blocklist', 'hash:ip']);
  await (await proxied.restart('node1', '--take-over', 'no')).waitForLog('ruleset complete');
  const held = await traffic();
  await askedFor(held, 50);
  const daemon = await proxied.restart('node1');
  const { removed } = await daemon.waitForLog(TAKEN);
  await askedFor(held, 50);
  await nothingLost(t, held);
  t.match(removed, /ipvs: the interface kube-ipvs0; ipvs: 2 ipsets/);
  t.equal(await node1.output('ipset', ['list', '-name']), 'blocklist\n');
  t.notMatch(await node1.output('ip', ['link']), 'kube-ipvs0');
  t.strictSame(ownLines(await saved('nft')), []);
});

t.test('chains that others need stay, and those that a policy of drop makes necessary', async (t) => {
  await withoutUs();
  await MODES['iptables-nft'].load(served(['a']));
  const foreign = ['-t', 'nat', '-A', 'CNI-HOSTPORT-DNAT', '-p', 'tcp', '--dport', '9999', '-j', 'KUBE-MARK-MASQ'];
  await node1.output('iptables-nft', foreign);
  await node1.output('iptables-nft', ['-P', 'FORWARD', 'DROP']);
  const daemon = await proxied.restart('node1');
  await daemon.waitForLog(TAKEN);
  const chains = ownLines(await saved('nft')).filter((line) => line.startsWith(':'));
  t.strictSame(
    chains.map((line) => line.split(' ')[0]),
    [':KUBE-FORWARD', ':KUBE-MARK-MASQ', ':KUBE-POSTROUTING'],
  );
  const kept = daemon.log.filter(({ msg }) => msg === "a chain of kube-proxy's stays");
  t.equal(kept.length, 3);
  await node1.output('iptables-nft', ['-P', 'FORWARD', 'ACCEPT']);
  await node1.output('iptables-nft', [...foreign.slice(0, 2), '-D', ...foreign.slice(3)]);
  await daemon.stop();
  t.match(await proxied.run('node1', 'cleanup', '--kube-proxy'), { status: 0 });
  t.strictSame(ownLines(await saved('nft')), []);
});

/**
 * The node as kube-proxy has it: our daemon is ended, and everything of ours is gone. So are flows: one that was led to
 * nobody would be taken up again by a client that uses the same port.
 */
async function withoutUs(): Promise<void> {
  await proxied.daemon('node1').stop();
  const { status, stderr } = await proxied.run('node1', 'cleanup', '--kube-proxy');
  if (status !== 0) throw new Error(`Cannot clean up\n${stderr}`);
  await node1.output('conntrack', ['-F']);
}

/** What kube-proxy serves: these pods, or an address that nobody has. */
function served(pods: readonly string[]): ServicePortSpec[] {
  const endpoints = pods.length === 0 ? [NOBODY] : pods.map((pod) => world.pod(pod));
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
 * New connections all the time, and two that last. A datagram that is lost stays lost, however long one waits: the limit is
 * for machines that do something else for a second.
 */
async function traffic(): Promise<Record<string, RunningDial>> {
  const timeoutMs = 5000;
  const held: Record<string, RunningDial> = {};
  for (const { protocol, address, port } of targets()) {
    held[`new: ${protocol} ${address} ${port}`] = await dialer.dialAtRate({
      protocol,
      address,
      port,
      perSecond: 30,
      timeoutMs,
    });
  }
  for (const protocol of ['tcp', 'udp'] as const) {
    held[`lasting: ${protocol}`] = await dialer.keepConnection({
      protocol,
      address: WEB.ip,
      port: 80,
      everyMs: 5,
      timeoutMs,
    });
  }
  return held;
}

/** Resolves when every dialling has made so many attempts more. */
async function askedFor(held: Readonly<Record<string, RunningDial>>, more: number): Promise<void> {
  await Promise.all(Object.values(held).map((dialling) => askedOne(dialling, more)));
}

async function askedOne(dialling: RunningDial, more: number): Promise<void> {
  const { attempts } = await dialling.snapshot();
  while ((await dialling.snapshot()).attempts < attempts + more) await delay(20);
}

async function nothingLost(t: Test, held: Readonly<Record<string, RunningDial>>): Promise<void> {
  for (const [what, dialling] of Object.entries(held)) {
    const report = await dialling.stop();
    t.match(report, { answered: report.attempts, refused: 0, timedOut: 0, errors: {} }, what);
  }
}

/** What the programs of iptables show of both families, without counters. */
async function saved(variant: 'nft' | 'legacy'): Promise<string> {
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
