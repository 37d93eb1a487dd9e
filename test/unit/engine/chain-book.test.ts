// Tests of src/engine/chain-book.ts.
import t from 'tap';
import { DEFAULT_OPTIONS, viewNode } from '../../../src/compile/node-view.ts';
import { ChainBook } from '../../../src/engine/chain-book.ts';
import { parsePrefix } from '../../../src/net/prefix.ts';

function view(...cidrs: string[]) {
  const serviceCidrs = cidrs.flatMap((cidr) => parsePrefix(cidr) ?? []);
  return viewNode({ ...DEFAULT_OPTIONS, nodeName: 'n1' }, { node: undefined, hostAddresses: [], serviceCidrs });
}

t.test('ChainBook writes chains before those that lead to them', async (t) => {
  const written = new Set<string>();
  for (const { target, operations } of new ChainBook().writes(view(), ['ip cluster-3'])) {
    const family = target.split(' ')[0];
    written.add(target);
    for (const { line } of operations) {
      for (const [, chain] of line.matchAll(/\b(?:jump|goto) (\S+)/g)) t.ok(written.has(`${family} ${chain}`), line);
    }
  }
  t.ok(written.has('ip cluster-3'));
});

t.test('ChainBook writes only what differs', async (t) => {
  const book = new ChainBook();
  book.committed(book.writes(view(), ['ip cluster-1']));
  t.strictSame(book.writes(view(), ['ip cluster-1']), []);
  const targets = book.writes(view('10.96.0.0/12'), ['ip cluster-1', 'ip6 local-2']).map(({ target }) => target);
  t.strictSame(targets, ['ip refuse-cluster-ips', 'ip6 local-2']);
});

t.test('ChainBook writes chains anew whose rules it does not know', async (t) => {
  const book = new ChainBook();
  const all = book.writes(view(), ['ip cluster-1']);
  book.committed(all);
  book.rebase(all.map(({ target }) => target));
  t.equal(book.writes(view(), ['ip cluster-1']).length, all.length);
});

t.test('ChainBook retires chains that nothing leads to, and none that is always there', async (t) => {
  const book = new ChainBook();
  book.writes(view(), []);
  book.rebase(['ip services', 'ip cluster-1', 'ip cluster-2', 'ip foreign']);
  t.strictSame(
    book.retired((target) => target === 'ip cluster-2'),
    ['ip cluster-1', 'ip foreign'],
  );
  book.removed(['ip cluster-1', 'ip foreign']);
  t.strictSame(
    book.retired(() => false),
    ['ip cluster-2'],
  );
});
