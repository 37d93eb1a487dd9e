// Tests of src/nftables/client/table-ownership.ts.

import t from 'tap';
import { declaresTables, type OwnershipMode, TableOwnership } from '../../../../src/nftables/client/table-ownership.ts';

const DECLARATIONS = ['add table ip nftlane', 'add table ip6 nftlane', 'add set ip nftlane x { typeof meta mark; }'];

function ownershipOf({ mode = 'auto', isSupported = true }: { mode?: OwnershipMode; isSupported?: boolean } = {}) {
  const ownership = new TableOwnership(mode);
  ownership.isSupported = isSupported;
  return ownership;
}

const table = (family: string, ...flags: string[]) => ({ family, flags });

t.test('declaresTables() is true of our tables only', async (t) => {
  t.ok(declaresTables(DECLARATIONS));
  t.notOk(declaresTables(['add table ip nftlane-probe', 'add chain ip nftlane c', 'add table inet nftlane']));
});

t.test('new tables are created so that they can be adopted, where that is supported and enabled', async (t) => {
  const created = ownershipOf().declare(DECLARATIONS);
  t.strictSame(created.slice(0, 2), [
    'add table ip nftlane { flags persist; }',
    'add table ip6 nftlane { flags persist; }',
  ]);
  t.equal(created[2], DECLARATIONS[2]);
  t.strictSame(ownershipOf({ isSupported: false }).declare(DECLARATIONS), DECLARATIONS);
  t.strictSame(ownershipOf({ mode: 'no' }).declare(DECLARATIONS), DECLARATIONS);
});

t.test('declarations repeat the flags of existing tables', async (t) => {
  for (const ownership of [ownershipOf(), ownershipOf({ mode: 'no' }), ownershipOf({ isSupported: false })]) {
    ownership.learn([table('ip'), table('ip6', 'persist')]);
    t.strictSame(ownership.declare(DECLARATIONS).slice(0, 2), [
      'add table ip nftlane',
      'add table ip6 nftlane { flags persist; }',
    ]);
  }
});

t.test('tables are adopted if they can be', async (t) => {
  const ownership = ownershipOf();
  t.strictSame(ownership.adoption(), [], 'there are none');
  ownership.learn([table('ip'), table('ip6', 'persist')]);
  t.strictSame(ownership.adoption(), ['add table ip6 nftlane { flags owner,persist; }']);
  t.notOk(ownership.isOwner);
  ownership.adopted(undefined);
  t.ok(ownership.isOwner);
  t.equal(ownership.openReason, undefined);
  t.strictSame(ownership.adoption(), [], 'once');
  t.equal(ownership.declare(DECLARATIONS)[1], 'add table ip6 nftlane { flags owner,persist; }');
  ownership.released();
  t.strictSame(ownership.adoption().length, 1);
  t.equal(ownership.declare(DECLARATIONS)[1], 'add table ip6 nftlane { flags persist; }');
});

t.test('tables that a transaction declared can be adopted', async (t) => {
  const ownership = ownershipOf();
  ownership.declared(DECLARATIONS);
  t.equal(ownership.adoption().length, 2);
  const open = ownershipOf({ mode: 'no' });
  open.declared(DECLARATIONS);
  t.strictSame(open.adoption(), []);
});

t.test('a listing without an owner ends the ownership', async (t) => {
  const ownership = ownershipOf();
  ownership.declared(DECLARATIONS);
  ownership.adopted(undefined);
  ownership.learn([table('ip', 'owner', 'persist'), table('ip6', 'owner', 'persist')]);
  t.ok(ownership.isOwner);
  ownership.learn([table('ip', 'persist'), table('ip6', 'persist')]);
  t.notOk(ownership.isOwner);
});

t.test('openReason reports why other programs can change the tables', async (t) => {
  t.equal(ownershipOf({ mode: 'no' }).openReason, 'tableOwnership is "no"');
  t.equal(ownershipOf({ isSupported: false }).openReason, 'this kernel or this nft does not support it');
  const ownership = ownershipOf();
  ownership.learn([table('ip'), table('ip6')]);
  t.equal(ownership.openReason, 'the tables were created without the flag persist');
  ownership.learn([table('ip', 'persist')]);
  t.equal(ownership.openReason, 'the tables are being changed');
  ownership.adopted('Operation not permitted');
  t.equal(ownership.openReason, 'Operation not permitted');
  t.match(ownership.probe, /flags owner,persist/);
  t.equal(ownershipOf({ mode: 'no' }).probe, undefined);
});

t.test('a listing that began before an adoption does not deny it', async (t) => {
  const ownership = new TableOwnership('auto');
  ownership.isSupported = true;
  const orphan = [{ family: 'ip', flags: ['persist'] }] as const;
  ownership.learn(orphan);
  const { adoptions } = ownership;
  ownership.adopted(undefined);
  ownership.learn(orphan, { adoptions });
  t.ok(ownership.isOwner);
  ownership.learn(orphan);
  t.notOk(ownership.isOwner, 'a later one does');
});
