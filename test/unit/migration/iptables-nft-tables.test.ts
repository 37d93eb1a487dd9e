// Tests of src/migration/iptables-nft-tables.ts and kube-proxy-table-cleaner.ts when nft fails.

import t from 'tap';
import { IptablesCleaner } from '../../../src/migration/iptables-cleaner.ts';
import { IptablesNftTables } from '../../../src/migration/iptables-nft-tables.ts';
import { KubeProxyTableCleaner } from '../../../src/migration/kube-proxy-table-cleaner.ts';
import { NftProgram } from '../../../src/nftables/client/nft-program.ts';
import { FakeSystem } from '../../support/fakes/fake-system.ts';

const LISTING = JSON.stringify({
  nftables: [
    { metainfo: { version: '1.1.3' } },
    { chain: { family: 'ip', table: 'nat', name: 'PREROUTING', hook: 'prerouting', policy: 'accept' } },
    { chain: { family: 'ip', table: 'nat', name: 'KUBE-SERVICES' } },
  ],
});

t.test('a failed listing is an error, not an empty list', async (t) => {
  const system = new FakeSystem();
  const failing = { ...system, run: async () => ({ status: 139, stdout: '', stderr: '' }) };
  const nft = new NftProgram({ command: 'nft', run: failing.run });
  await t.rejects(new KubeProxyTableCleaner(nft).find(), /"nft list tables": exit status 139/);
  await t.rejects(new IptablesCleaner(new IptablesNftTables(nft)).find(), /list chains": exit status 139/);
});

t.test('IptablesNftTables reports what the kernel refuses', async (t) => {
  const system = new FakeSystem();
  system.programs.set('nft', '{"nftables":[]}').set('nft -j -t list chains', LISTING);
  const nft = new NftProgram({
    command: 'nft',
    run: async (command: string, args: readonly string[]) => {
      const result = await system.run(command, args);
      return args[0] === '-f' ? { status: 1, stdout: '', stderr: 'Error: Device or resource busy\n' } : result;
    },
  });
  const { removed, failures } = await new IptablesCleaner(new IptablesNftTables(nft)).remove({ keepAccepting: true });
  t.strictSame(removed, []);
  t.match(failures, [/chains from iptables-nft ip nat: Device or resource busy/]);
});
