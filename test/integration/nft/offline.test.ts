// Tests of `explain -f` and `inspect -f` where nftlane does not run, and where it should.

import t from 'tap';
import { dualStackService, dualStackSlices, nodeObjects, serviceAddresses } from '../../support/netns/manifests.ts';
import { createSingleNode } from '../../support/netns/single-node.ts';
import { NODES, POD_CIDRS } from '../../support/netns/topology.ts';

const PORTS = [{ name: 'web', protocol: 'tcp', port: 80, targetPort: 8080, nodePort: 30_777 }] as const;
const WEB = serviceAddresses(31);

t.setTimeout(120_000);
const single = await createSingleNode(t);
const { installation, node, scratch } = single;
await single.write(
  'web.yaml',
  ...nodeObjects(),
  dualStackService('shop/web', WEB, { ports: PORTS }),
  ...dualStackSlices('shop/web', PORTS, [{ ip: '10.1.1.40', ip6: 'fd00:1:1::40', nodeName: 'node1' }]),
);
const FLAGS = ['-f', `${scratch}/manifests`, '--node-name', 'node1'];
const CIDRS = ['--cluster-cidr', `${POD_CIDRS.ip},${POD_CIDRS.ip6}`];
const PACKETS = [
  { family: 'IPv4', client: '10.1.1.41', frontends: [`${WEB.ip}:80`, `${NODES.node1.ip}:30777`] },
  { family: 'IPv6', client: 'fd00:1:1::41', frontends: [`[${WEB.ip6}]:80`, `[${NODES.node1.ip6}]:30777`] },
] as const;
const FIRST_LINE =
  /^# node node1; manifests in \S+, read now; no ruleset of nftlane in this network namespace, so only the Services were asked\n/;
const ALARM = /differ|missing|warning|Kernel ruleset|PROBLEM/;

async function run(...args: readonly string[]): Promise<string> {
  const { stdout, stderr, status } = await installation.exec([...args, ...FLAGS, ...CIDRS]);
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

for (const { family, client, frontends } of PACKETS) {
  t.test(`explain -f answers from the Services where nftlane does not run: ${family}`, async (t) => {
    for (const frontend of frontends) {
      const text = await run('explain', client, frontend);
      t.match(text, FIRST_LINE);
      t.match(text, /\nFORWARDED: to the only endpoint\n/);
      t.match(text, /, received on lan \(assumed, by the routes of this machine\)\n/);
      t.notMatch(text, ALARM);
      t.notMatch(await run('explain', client, frontend, '-i', 'pod-x'), /assumed/, 'the interface is given');
    }
    const json = JSON.parse(await run('explain', client, frontends[0], '-o', 'json'));
    t.match(json, { status: { ruleset: 'absent' }, outcome: 'forward', differences: [], isInterfaceAssumed: true });
    t.notOk('kernel' in json);
  });
}

t.test('inspect -f shows what the kernel would have where nftlane does not run', async (t) => {
  const text = await run('inspect', 'services');
  t.match(text, FIRST_LINE);
  t.notMatch(text, ALARM);
  t.equal(text.match(/ 100\.0% +0 +used: ready$/gm)?.length, 2, 'both families');
  t.match(JSON.parse(await run('inspect', 'services', '-o', 'json')), { status: { ruleset: 'absent' }, drift: 0 });
  const ruleset = await run('inspect', 'ruleset');
  t.match(ruleset, FIRST_LINE);
  t.notMatch(ruleset, ALARM);
});

t.test('explain -f and inspect -f report a ruleset that should be there, but is not', async (t) => {
  for (const family of ['ip', 'ip6']) {
    await node.output('nft', ['add', 'table', family, 'nftlane']);
    t.match(await run('inspect', 'services'), /missing in kernel: ready[\s\S]*# warning: the kernel differs/, family);
    const { client, frontends } = family === 'ip' ? PACKETS[0] : PACKETS[1];
    t.match(await run('explain', client, frontends[0]), /expected: forward, kernel: untouched/);
    await node.output('nft', ['delete', 'table', family, 'nftlane']);
  }
  const daemon = single.start(...CIDRS);
  await daemon.waitUntilReady();
  t.notMatch(await run('inspect', 'services'), /missing|no ruleset/);
  await daemon.kill();
  for (const family of ['ip', 'ip6']) await node.output('nft', ['delete', 'table', family, 'nftlane']);
  t.match(await run('inspect', 'services'), /missing in kernel: ready/, 'a daemon has left its files');
  t.match(await run('explain', PACKETS[1].client, PACKETS[1].frontends[0]), /expected: forward, kernel: untouched/);
});
