// Tests of src/nftables/client/monitor/commit-reader.ts.

import t from 'tap';
import { CommitReader } from '../../../../../src/nftables/client/monitor/commit-reader.ts';

const OWN = 'add element ip nftlane last-transaction { 0x00000007 }';
const OURS = { kind: 'own', generation: 6, number: 7 } as const;
const OTHER = { kind: 'other', generation: 6 } as const;
const END = '# new generation 6 by process 7621 (nft)';
const deletion = (slot: number) =>
  `delete element ip nftlane endpoints { 10.0.0.1 . tcp . 80 . ${slot} : 10.1.1.1 . 80 }`;

function readAll(lines: readonly string[], maxLines?: number) {
  const options = maxLines === undefined ? {} : { maxLines };
  const reader = new CommitReader({ ownNumber: (lastLine) => (lastLine === OWN ? 7 : undefined), ...options });
  return lines.flatMap((line) => reader.read(line) ?? []);
}

t.test('a transaction with our number is ours', async (t) => {
  t.strictSame(readAll([deletion(1), OWN, END]), [OURS]);
});

t.test('a transaction of another process is parsed', async (t) => {
  t.match(readAll(['delete chain ip nftlane a', deletion(0), END]), [
    {
      kind: 'foreign',
      commit: {
        generation: 6,
        pid: 7621,
        program: 'nft',
        notifications: [{ kind: 'chain' }, { kind: 'element', key: '10.0.0.1 . tcp . 80 . 0' }],
      },
    },
  ]);
});

t.test('a number of ours that is not the last notification does not make a transaction ours', async (t) => {
  t.match(readAll([OWN, deletion(0), END]), [{ kind: 'foreign' }]);
});

t.test('transactions in other tables do not mix with ours', async (t) => {
  t.strictSame(readAll(['add rule ip other x drop', END, END, OWN, END]), [OTHER, OTHER, OURS]);
});

t.test('further elements are counted only', async (t) => {
  const lines = [...Array.from({ length: 10 }, (_, slot) => deletion(slot)), 'delete set ip nftlane endpoints'];
  const [end] = readAll([...lines, END], 3);
  t.match(end, { kind: 'foreign' });
  if (end?.kind !== 'foreign') return;
  t.equal(end.commit.notifications.length, 4, 'other notifications are kept');
  t.match([...end.commit.omitted.values()], [{ object: { name: 'endpoints' }, added: 0, deleted: 7 }]);
  t.match(readAll([...lines, OWN, END], 3), [OURS], 'our number is seen among the counted ones');
});

t.test('a transaction with missing notifications is not reported as what it is not', async (t) => {
  const reader = new CommitReader({ ownNumber: (lastLine) => (lastLine === OWN ? 7 : undefined) });
  reader.read(deletion(1));
  reader.reset();
  t.strictSame(reader.read(END), OTHER);
});
