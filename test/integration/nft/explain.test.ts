// Tests of `explain` on a node with real rules.

import { chmod, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { ComparedExplanation } from '../../../src/explain/explanation.ts';
import { printAddressPort } from '../../../src/net/address-port.ts';
import { FAMILIES } from '../../../src/net/family.ts';
import { serviceAddresses } from '../../support/netns/manifests.ts';
import { createProxiedWorld, PORTS } from '../../support/netns/proxied-world.ts';
import { type Addresses, NODES } from '../../support/netns/topology.ts';
import { poll } from '../../support/wait-until.ts';

const NODE_PORT = 30080;

const proxied = await createProxiedWorld(t);
const { world } = proxied;
const shell = world.pod('shell');

const WEB = await proxied.addService('shop/web', 10, {
  pods: ['a', 'c'],
  ports: PORTS.map((port) => ({ ...port, nodePort: NODE_PORT })),
  overrides: { spec: { type: 'NodePort', externalTrafficPolicy: 'Local' } },
});
const EMPTY = await proxied.addService('shop/empty', 12, { pods: [] });
await proxied.waitForSync();

async function explained(...words: readonly string[]): Promise<ComparedExplanation> {
  const { status, stdout, stderr } = await proxied.run('node1', 'explain', ...words, '-o', 'json');
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

t.test('explain reports the outcome of a connection, and the kernel agrees', async (t) => {
  const cases = FAMILIES.flatMap((family) => {
    const at = (addresses: Addresses, port: number) => printAddressPort({ address: addresses[family], port });
    const [pod, node] = [shell[family], NODES.node1[family]];
    return [
      { words: [pod, `${at(WEB, 80)}/tcp`], outcome: 'forward', endpoints: 2, masquerade: false },
      { words: [pod, `${at(WEB, 80)}/udp`], outcome: 'forward', endpoints: 2, masquerade: false },
      { words: [node, at(WEB, 80), '--from-host'], outcome: 'forward', endpoints: 2, masquerade: true },
      {
        words: [world.client[family], at(NODES.node1, NODE_PORT)],
        outcome: 'forward',
        endpoints: 1,
        masquerade: false,
      },
      { words: [pod, at(WEB, 81)], outcome: 'refuse', endpoints: 0 },
      { words: [pod, at(EMPTY, 80)], outcome: 'refuse', endpoints: 0 },
      { words: [pod, at(serviceAddresses(99), 80)], outcome: 'drop', endpoints: 0 },
      { words: [pod, at(NODES.node1, 81)], outcome: 'untouched', endpoints: 0 },
    ] as const;
  });
  for (const { words, outcome, endpoints, ...rest } of cases) {
    const explanation = await explained(...words);
    t.match(explanation, { outcome, kernel: { outcome }, differences: [] }, words.join(' '));
    const used = explanation.endpoints.filter(({ share }) => share > 0);
    t.equal(used.length, endpoints, `${words.join(' ')}: endpoints`);
    if ('masquerade' in rest) t.ok(used.every(({ masquerade }) => masquerade === rest.masquerade));
  }
});

t.test('explain shows unused endpoints and the path of the packet', async (t) => {
  const { stdout, status } = await proxied.run('node1', 'explain', world.client.ip, `${NODES.node1.ip}:${NODE_PORT}`);
  t.equal(status, 0);
  t.match(
    stdout,
    /^# node node1; manifests in \S+, last contact \d+s ago; last sync \d+[sm] ago\n192\.168\.77\.100 -> 192\.168\.77\.1:30080\/tcp, received on lan\nFORWARDED: to the only endpoint/,
  );
  t.match(
    stdout,
    /10\.1\.2\.10:8080 +node2 +- +unused: on node node2, but this client may only use endpoints on this node/,
  );
  t.match(
    stdout,
    /nodeports: meta l4proto \. th dport vmap @service-nodeports\n +element \{ tcp \. 30080 : goto nodeport-local \}/,
  );
  t.match(stdout, /^ {2}not masqueraded: endpoints see the client address, because externalTrafficPolicy is Local$/m);
});

t.test('explain knows that the kernel forwards no packets of link-local IPv6 clients', async (t) => {
  const listing = await world.client.output('ip', ['-6', '-oneline', 'address', 'show', 'dev', 'lan', 'scope', 'link']);
  const [, source = ''] = /inet6 (fe80:\S+)\//.exec(listing) ?? [];
  const dialer = await world.client.dialer();
  const target = { protocol: 'tcp', address: NODES.node1.ip6, port: NODE_PORT, count: 1 } as const;
  t.match(await dialer.dial({ ...target, sourceAddress: `${source}%lan` }), { answered: 0 });
  t.match(await dialer.dial(target), { answered: 1 });
  const explanation = await explained(source, printAddressPort({ address: NODES.node1.ip6, port: NODE_PORT }));
  t.match(explanation, { outcome: 'refuse', kernel: { outcome: 'refuse' }, differences: [] });
  t.match(explanation.reason, /the kernel does not forward packets of link-local clients/);
});

t.test('explain knows what others take before nftlane translates', async (t) => {
  const { node1 } = world;
  const dialer = await shell.dialer();
  const answered = async (address: string) =>
    (await dialer.dial({ protocol: 'tcp', address, port: 80, count: 1, timeoutMs: 500 })).answered;
  for (const family of FAMILIES) {
    const words = [shell[family], printAddressPort({ address: WEB[family], port: 80 })];
    const raw = `chain raw { type filter hook prerouting priority raw; ${family} daddr ${WEB[family]} notrack; }`;
    await node1.output('nft', ['-f', '-'], { input: `table inet other { ${raw}; }` });
    const untracked = await explained(...words);
    t.match(untracked.kernel, { outcome: 'untouched', steps: [{ chain: 'inet other raw', rule: /notrack$/ }] }, family);
    t.match(untracked.differences, [/expected: forward, kernel: untouched/]);
    t.equal(await answered(WEB[family]), 0);
    t.match((await proxied.run('node1', 'doctor')).stdout, /^warning +tracking .*inet other raw \(.* notrack\)$/m);
    // Added last, it is the first one with this priority.
    const target = family === 'ip' ? world.pod('b').ip : `[${world.pod('b').ip6}]`;
    const nat = `chain nat { type nat hook prerouting priority dstnat; ${family} daddr ${WEB[family]} tcp dport 80 dnat to ${target}:8080; }`;
    await node1.output('nft', ['-f', '-'], { input: `delete table inet other; table inet other { ${nat}; }` });
    const taken = await dialer.dial({ protocol: 'tcp', address: WEB[family], port: 80, count: 4 });
    t.match(taken, { answered: 4, pods: { b: 4 } });
    t.match((await explained(...words)).differences.join('; '), /inet other nat: it has the priority of another chain/);
    t.match((await proxied.run('node1', 'doctor')).stdout, /^warning +order .* inet other nat \(.* dnat .*\)$/m);
    await node1.output('nft', ['delete table inet other']);
    t.equal(await answered(WEB[family]), 1);
  }
});

t.test('explain lists no elements but those that the packet needs', async (t) => {
  const calls = t.testdir({ nft: '#!/bin/sh\necho "$*" >>$(dirname $0)/calls\nexec nft "$@"\n' });
  await chmod(join(calls, 'nft'), 0o755);
  const words = [shell.ip6, `[${WEB.ip6}]:80`, '--nft', join(calls, 'nft')];
  t.match(await explained(...words), { kernel: { outcome: 'forward' }, differences: [] });
  const made = (await readFile(join(calls, 'calls'), 'utf8')).trim().split('\n');
  t.ok(made.length > 3);
  t.strictSame([...new Set(made)].sort(), ['--version', '-t --debug=netlink -i', '-t list ruleset', '-t list tables']);
});

t.test('explain warns if the kernel differs from the expected outcome', async (t) => {
  const { node1 } = world;
  // The daemon would repair the kernel before it is read; its state file has the objects.
  await poll(() => readdir(proxied.runDir), {
    until: (names) => names.filter((name) => name.endsWith('.state.gz')).length === 2,
    failure: (names) => `no state files: ${names.join(' ')}`,
    timeoutMs: 60_000,
  });
  await proxied.daemon('node1').kill();
  await node1.output('nft', ['flush map ip nftlane service-ips']);
  const { stdout, status } = await proxied.run('node1', 'explain', shell.ip, `${WEB.ip}:80`);
  t.equal(status, 0);
  t.match(
    stdout,
    /^# .*\nwarning: the kernel differs from the expected outcome:\n {2}expected: forward, kernel: refuse/,
  );
  await node1.output('nft', ['insert rule ip6 nftlane filter-forward drop']);
  const { differences } = await explained(shell.ip6, `[${WEB.ip6}]:80`);
  t.ok(
    differences.some((line) => line.startsWith('- ip6 chain filter-forward rule 1: drop')),
    differences.join('; '),
  );
});

t.test('explain requires a connection', async (t) => {
  t.match(await proxied.run('node1', 'explain', 'web', '10.0.0.1:80'), { status: 2, stderr: /must be an IP address/ });
  t.match(await proxied.run('node1', 'explain', '--help'), { status: 0, stdout: /the exit status is 0 in each case/ });
});
