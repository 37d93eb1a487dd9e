// Tests of src/migration/nft-chains.ts and src/migration/kube-tables.ts where nft fails.
import t from 'tap';
import { KubeTables } from '../../../src/migration/kube-tables.ts';
import { NftChains } from '../../../src/migration/nft-chains.ts';
import { FakeSystem } from '../../support/fakes/fake-system.ts';

const LISTING = JSON.stringify({
  nftables: [
    { metainfo: { version: '1.1.3' } },
    { chain: { family: 'ip', table: 'nat', name: 'PREROUTING', hook: 'prerouting', policy: 'accept' } },
    { chain: { family: 'ip', table: 'nat', name: 'KUBE-SERVICES' } },
  ],
});

t.test('a listing that fails is no empty one', async (t) => {
  const system = new FakeSystem();
  const failing = { ...system, run: async () => ({ status: 139, stdout: '', stderr: '' }) };
  await t.rejects(new KubeTables(failing, { nft: 'nft' }).find(), /"nft list tables": exit status 139/);
  await t.rejects(new NftChains(failing, { nft: 'nft' }).find(), /list chains": exit status 139/);
});

t.test('what the kernel refuses is told', async (t) => {
  const system = new FakeSystem();
  system.programs.set('nft', '{"nftables":[]}').set('nft -j -t list chains', LISTING);
  const refusing = {
    read: system.read,
    run: async (command: string, args: readonly string[]) => {
      const result = await system.run(command, args);
      return args[0] === '-f' ? { status: 1, stdout: '', stderr: 'Error: Device or resource busy\n' } : result;
    },
  };
  const { removed, obstacles } = await new NftChains(refusing, { nft: 'nft' }).remove({ keepAccepting: true });
  t.strictSame(removed, []);
  t.match(obstacles, [/chains from iptables-nft ip nat: Error: Device or resource busy/]);
});
