// Tests of src/nftables/client/nft-client.ts.

import t, { type Test } from 'tap';
import { NftClient } from '../../../../src/nftables/client/nft-client.ts';
import { SETS_AND_MAPS } from '../../../../src/nftables/compile/sets-and-maps.ts';
import { parseTables } from '../../../../src/nftables/syntax/listed/table-listing.ts';
import { type FakeNftProgram, fakeNftProgram, type NftReply } from '../../../support/fakes/fake-nft-program.ts';

const ABSENT: NftReply = { status: 1, stderr: 'Error: No such file or directory\n' };
const DENIED: NftReply = { status: 1, stderr: 'Error: Operation not permitted\n' };
const VERSION: NftReply = { stdout: 'nftables v1.1.3 (Commodore Bullmoose #4)\n' };

const TABLE = `table ip nftlane {
	map service-ips {
		typeof ip daddr . meta l4proto . th dport : verdict
	}

	chain services {
		type nat hook prerouting priority -100; policy accept;
		jump a
		jump b
	}

	chain cluster-1 {
	}
}
`;
const ELEMENTS = `table ip nftlane {
	map service-ips {
		elements = { 10.0.0.1 . tcp . 80 counter packets 7 bytes 420 comment "shop/web" : goto cluster-1 }
	}
}
`;

function begin(t: Test, replies: Readonly<Record<string, NftReply>>): { client: NftClient; nft: FakeNftProgram } {
  const nft = fakeNftProgram(t, replies);
  const client = new NftClient(nft);
  t.teardown(() => client.close());
  return { client, nft };
}

t.test('check() returns the version of an nft that can be used', async (t) => {
  const { client } = begin(t, { '--version': VERSION, '-t list tables': {} });
  t.equal(await client.check(), '1.1.3');
});

t.test('check() says why nft cannot be used', async (t) => {
  const cases: readonly [replies: Readonly<Record<string, NftReply>>, message: RegExp][] = [
    [{ '--version': { stdout: 'nftables v1.0.6 (Lester Gooch #5)\n' } }, /: version 1\.0\.6, but 1\.1 is required$/],
    [{ '--version': {} }, /: version unknown, but 1\.1 is required$/],
    [
      { '--version': VERSION, '-t list tables': DENIED },
      /^Cannot use nftables: Operation not permitted \(CAP_NET_ADMIN/,
    ],
    [{ '--version': VERSION, '-t list tables': { status: 1 } }, /^Cannot use nftables: exit status 1$/],
  ];
  for (const [replies, message] of cases) {
    await t.rejects(begin(t, replies).client.check(), { name: 'NftUnavailable', message });
  }
  await t.rejects(new NftClient({ command: '/nowhere/nft' }).check(), {
    name: 'NftUnavailable',
    message: /install nftables 1\.1 or newer/,
  });
});

t.test('unsupportedFamilies() names the families that the kernel refuses', async (t) => {
  const stderr = '/dev/stdin:2:1-21: Error: Could not process rule: Address family not supported by protocol\n';
  const { client, nft } = begin(t, { '-c -f -': { stderr, status: 1 } });
  t.strictSame(await client.unsupportedFamilies(), [
    ['ip6', 'Could not process rule: Address family not supported by protocol'],
  ]);
  t.equal(nft.input(), 'add table ip nftlane-probe\nadd table ip6 nftlane-probe\n');
  t.strictSame(await begin(t, { '-c -f -': DENIED }).client.unsupportedFamilies(), [], 'other errors do not count');
  t.strictSame(await new NftClient({ command: '/nowhere/nft' }).unsupportedFamilies(), []);
});

t.test('list() and its siblings read our tables', async (t) => {
  const { client } = begin(t, {
    '-t list table ip nftlane': { stdout: TABLE },
    '-t list table ip6 nftlane': ABSENT,
    '-p list map ip nftlane service-ips': { stdout: ELEMENTS },
    '-p list set ip nftlane cluster-ips': ABSENT,
  });
  const { elements, chains, tables } = await client.list();
  t.strictSame(
    elements,
    new Map([['ip service-ips', new Map([['10.0.0.1 . tcp . 80', { data: 'goto cluster-1', comment: 'shop/web' }]])]]),
  );
  t.strictSame(chains, [
    { family: 'ip', name: 'services' },
    { family: 'ip', name: 'cluster-1' },
  ]);
  t.strictSame(tables, parseTables(TABLE));
  t.strictSame(await client.listTables(), tables);
  const objects = [SETS_AND_MAPS.ip['service-ips'], SETS_AND_MAPS.ip['cluster-ips']];
  t.strictSame(
    await client.listElements(objects),
    new Map([
      ['ip service-ips', [{ key: '10.0.0.1 . tcp . 80', data: 'goto cluster-1', comment: 'shop/web', packets: 7 }]],
      ['ip cluster-ips', []],
    ]),
  );
});

t.test('a listing that nft refuses is an error', async (t) => {
  const { client } = begin(t, { '-t list table ip nftlane': DENIED, '-p list set ip nftlane cluster-ips': DENIED });
  await t.rejects(client.list(), { name: 'NftRefusal', message: /Operation not permitted/ });
  await t.rejects(client.listElements([SETS_AND_MAPS.ip['cluster-ips']]), { name: 'NftRefusal' });
});

t.test('an nft that does not start does not count as a missing table', async (t) => {
  const stderr = 'nft: error while loading shared libraries: libmnl.so.0: No such file or directory\n';
  const broken = { status: 127, stderr };
  const { client } = begin(t, { '-t list table ip nftlane': broken, '-p list set ip nftlane cluster-ips': broken });
  const refusal = { name: 'NftRefusal', message: /loading shared libraries/ };
  await t.rejects(client.list(), refusal);
  await t.rejects(client.listTables(), refusal);
  await t.rejects(client.listElements([SETS_AND_MAPS.ip['cluster-ips']]), refusal);
});

t.test('removeTables() deletes only tables of ours that exist, and looks whether they are gone', async (t) => {
  const { client, nft } = begin(t, {
    'list tables': { stdout: 'table ip nftlane\ntable ip6 kube-proxy\n' },
    '-t list table ip nftlane': { stdout: TABLE },
    '-f -': {},
  });
  t.strictSame(await client.removeTables(['ip6']), []);
  await t.rejects(client.removeTables(['ip', 'ip6']), {
    message: 'Cannot remove table ip nftlane: it still exists, or a daemon has restored it',
  });
  t.equal(nft.input(), 'add table ip nftlane\ndelete table ip nftlane\n');
});

t.test('removeTables() repeats the flags of a table, and reports an owner', async (t) => {
  const withFlags = (flags: string) => ({
    'list tables': { stdout: 'table ip nftlane\n' },
    '-t list table ip nftlane': { stdout: `table ip nftlane {\n\tflags ${flags}\n}\n` },
    '-f -': {},
  });
  const orphan = begin(t, withFlags('persist'));
  await t.rejects(orphan.client.removeTables(['ip']), { name: 'EnvironmentError' });
  t.equal(orphan.nft.input(), 'add table ip nftlane { flags persist; }\ndelete table ip nftlane\n');
  const owned = begin(t, withFlags('owner,persist'));
  await t.rejects(owned.client.removeTables(['ip']), {
    name: 'EnvironmentError',
    message: 'Cannot remove table ip nftlane: a running process owns it; stop the nftlane daemon first',
  });
  t.equal(owned.nft.input(), '');
});
