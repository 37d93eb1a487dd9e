// Tests of src/nftables/client/transaction-runner.ts.

import t, { type Test } from 'tap';
import { NftProgram } from '../../../../src/nftables/client/nft-program.ts';
import { TableOwnership } from '../../../../src/nftables/client/table-ownership.ts';
import { TransactionRunner, transactionTimeoutMs } from '../../../../src/nftables/client/transaction-runner.ts';
import { fakeNftProgram } from '../../../support/fakes/fake-nft-program.ts';

function begin(t: Test, ownership = new TableOwnership('no')) {
  const nft = fakeNftProgram(t);
  const transactions = new TransactionRunner({ program: new NftProgram({ command: nft.command }), ownership });
  t.teardown(() => transactions.close());
  return { transactions, nft };
}

/** A transaction that is too large for the session. */
function large(line: string): string[] {
  return Array.from({ length: 501 }, () => line);
}

const LISTING = 'list set ip nftlane last-transaction';

t.test('apply() uses the session for small transactions and a process for each large one', async (t) => {
  const { transactions, nft } = begin(t);
  await transactions.apply(['add a']);
  await transactions.apply(['add b']);
  t.strictSame(nft.runs(), ['-i'], 'the session shows its markers');
  t.match(transactions.session, { pid: Number, startCount: 1 });
  await transactions.apply(large('add c'));
  t.strictSame(nft.runs(), ['-i', '-f -', LISTING]);
  t.equal(nft.input().match(/add c/g)?.length, 501);
  await transactions.apply(['x'.repeat(60_001)]);
  t.match(nft.runs().slice(3), ['-f -', /./, /./]);
});

t.test('the transactions of the session run one after another', async (t) => {
  const { transactions, nft } = begin(t);
  const lines = ['add a', 'add b', 'add c'];
  await Promise.all(lines.map((line) => transactions.apply([line])));
  t.equal(nft.input(), `${lines.join('\n')}\n`);
});

t.test('confirm() reads the markers of many transactions in one listing', async (t) => {
  const { transactions, nft } = begin(t);
  await transactions.confirm();
  t.strictSame(nft.runs(), [''], 'nothing to confirm');
  const stage = [large('add a'), ['add b'], large('add c')];
  await Promise.all(stage.map((lines) => transactions.apply(lines, { confirmation: 'later' })));
  await transactions.confirm();
  t.equal(nft.runs().filter((run) => run === LISTING).length, 1);
  await transactions.confirm();
  t.equal(nft.runs().filter((run) => run === LISTING).length, 1, 'once');
});

t.test('a transaction that the kernel does not show does not count as applied', async (t) => {
  const { transactions } = begin(t);
  const unknown = (count: string) => ({
    name: 'NftOutcomeUnknown',
    message: `Cannot confirm ${count} transactions: nft reported success, but the kernel does not show them`,
  });
  await t.rejects(transactions.apply(['pretend']), unknown('1 of 1'));
  await t.rejects(transactions.apply(large('pretend')), unknown('1 of 1'));
  await transactions.apply(large('add'), { confirmation: 'later' });
  await transactions.apply(large('pretend'), { confirmation: 'later' });
  await t.rejects(transactions.confirm(), unknown('1 of 2'));
  await transactions.confirm();
  await transactions.apply(['add a']);
});

t.test('refusals name the operation', async (t) => {
  const { transactions } = begin(t);
  const messages = (line: number) => ({ name: 'NftRefusal', messages: [{ line, message: /File exists/ }] });
  await t.rejects(transactions.apply([...large('add'), 'refuse']), messages(502));
  await t.rejects(transactions.apply(['refuse']), messages(1));
  await transactions.confirm();
});

t.test('a process that dies leaves the outcome unknown', async (t) => {
  const { transactions } = begin(t);
  await t.rejects(transactions.apply(large('die')), { name: 'NftOutcomeUnknown', message: /: ended by SIGKILL$/ });
});

t.test('apply() does without sessions for a while when they keep dying', async (t) => {
  const { transactions, nft } = begin(t);
  for (let i = 0; i < 3; i++) await t.rejects(transactions.apply(['die']), { name: 'NftOutcomeUnknown' });
  await transactions.apply(['add a']);
  t.strictSame(nft.runs(), ['-i', '-i', '-i', '-f -', LISTING]);
  await t.rejects(transactions.apply(['refuse']), { name: 'NftRefusal' });
});

t.test('a missing program is not an unknown outcome', async (t) => {
  const transactions = new TransactionRunner({
    program: new NftProgram({ command: '/nowhere/nft' }),
    ownership: new TableOwnership('no'),
  });
  await t.rejects(transactions.apply(large('add')), { name: 'ExecError', kind: 'not-found' });
  await t.rejects(transactions.apply(['add']), { message: /ENOENT/ });
  await transactions.close();
});

t.test('the time limit is in proportion to the size', async (t) => {
  t.equal(transactionTimeoutMs(1), 3002);
  t.equal(transactionTimeoutMs(5000), 13_000);
});

/** The table exists, can be owned, and has no owner. */
const ORPHAN = [{ family: 'ip', flags: ['persist'] }] as const;

function ownableTable(): TableOwnership {
  const ownership = new TableOwnership('auto');
  ownership.isSupported = true;
  ownership.learn(ORPHAN);
  return ownership;
}

t.test(
  'a large transaction ends the session that adopted the tables, even if an older listing denies it',
  async (t) => {
    const ownership = ownableTable();
    const { transactions } = begin(t, ownership);
    await transactions.protect();
    t.ok(ownership.isOwner);
    ownership.learn(ORPHAN);
    t.notOk(ownership.isOwner);
    await transactions.apply(large('add a'));
    t.equal(transactions.session.pid, undefined);
  },
);

t.test('the tables are not adopted while a large transaction runs in another process', async (t) => {
  const ownership = ownableTable();
  const { transactions } = begin(t, ownership);
  await Promise.all([transactions.apply(large('add a')), transactions.protect()]);
  t.notOk(ownership.isOwner);
  await transactions.protect();
  t.ok(ownership.isOwner);
});
