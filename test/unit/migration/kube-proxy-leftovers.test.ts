// Tests of src/migration/kube-proxy-leftovers.ts, kube-proxy-table-cleaner.ts and iptables-cleaner.ts.

import t from 'tap';
import { KubeProxyLeftovers } from '../../../src/migration/kube-proxy-leftovers.ts';
import { FakeSystem } from '../../support/fakes/fake-system.ts';

const CHAINS = JSON.stringify({
  nftables: [
    { chain: { family: 'ip', table: 'nat', name: 'PREROUTING', hook: 'prerouting', policy: 'accept' } },
    { chain: { family: 'ip', table: 'nat', name: 'KUBE-SERVICES' } },
  ],
});
const JUMPS = JSON.stringify({ nftables: [{ rule: { handle: 7, expr: [{ jump: { target: 'KUBE-SERVICES' } }] } }] });

function machine(): { leftovers: KubeProxyLeftovers; system: FakeSystem; scripts: string[] } {
  const system = new FakeSystem();
  const scripts: string[] = [];
  system.programs
    .set('nft', (_, input) => {
      scripts.push(input);
      return '';
    })
    .set('nft list tables', 'table ip nftlane\ntable ip kube-proxy\ntable ip6 kube-proxy\n')
    .set('nft -j -t list chains', CHAINS)
    .set('nft -j -a list chain ip nat PREROUTING', JUMPS)
    .set('ipset', '')
    .set('ipset list -name', 'KUBE-CLUSTER-IP\n');
  return { leftovers: new KubeProxyLeftovers({ nft: 'nft', system }), system, scripts };
}

t.test('KubeProxyLeftovers finds leftovers of all modes', async (t) => {
  const { leftovers } = machine();
  t.strictSame(await leftovers.find(), {
    leftovers: [
      'nftables table ip kube-proxy',
      'nftables table ip6 kube-proxy',
      'iptables-nft ip nat: 1 chain',
      'ipvs: 1 ipset',
    ],
    failures: [],
  });
  t.equal(await leftovers.countIpvsConnections(), 0);
});

t.test('KubeProxyLeftovers removes tables, then iptables rules, then ipsets', async (t) => {
  const { leftovers, system, scripts } = machine();
  const { removed, kept, failures } = await leftovers.remove({ keepAccepting: true });
  t.strictSame(removed, [
    'nftables table ip kube-proxy',
    'nftables table ip6 kube-proxy',
    'iptables-nft ip nat: 1 chain, 1 jump to them',
    'ipvs: 1 ipset',
  ]);
  t.strictSame({ kept, failures }, { kept: [], failures: [] });
  t.strictSame(scripts, [
    'delete table ip kube-proxy\ndelete table ip6 kube-proxy\n',
    'delete rule ip nat PREROUTING handle 7\n',
    'flush chain ip nat KUBE-SERVICES\n',
    'delete chain ip nat KUBE-SERVICES\n',
  ]);
  t.equal(system.ran.at(-1), 'ipset destroy KUBE-CLUSTER-IP');
});

t.test('KubeProxyLeftovers removes only the tables with removeTables()', async (t) => {
  const { leftovers, scripts } = machine();
  const { removed } = await leftovers.removeTables();
  t.strictSame(removed, ['nftables table ip kube-proxy', 'nftables table ip6 kube-proxy']);
  t.equal(scripts.length, 1);
});

t.test('KubeProxyLeftovers finds and removes nothing on a clean machine', async (t) => {
  const system = new FakeSystem();
  system.programs.set('nft', '');
  const leftovers = new KubeProxyLeftovers({ nft: 'nft', system });
  t.strictSame(await leftovers.find(), { leftovers: [], failures: [] });
  t.strictSame(await leftovers.remove({ keepAccepting: false }), { removed: [], kept: [], failures: [] });
});
