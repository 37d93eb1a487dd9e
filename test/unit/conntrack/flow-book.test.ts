// Tests of src/conntrack/flow-book.ts.
import t from 'tap';
import { FlowBook } from '../../../src/conntrack/flow-book.ts';
import type { UdpTarget } from '../../../src/conntrack/udp-targets.ts';

function target(key: string, ...endpoints: readonly string[]): UdpTarget {
  return { key, name: 'kube/dns', endpoints: new Set(endpoints) };
}

function bookOf(...targets: readonly UdpTarget[]): FlowBook {
  const book = new FlowBook();
  book.compiled('kube/dns', targets);
  book.synced();
  book.takeFormer();
  return book;
}

t.test('FlowBook has nothing to say of what did not change', async (t) => {
  const book = bookOf(target('x', 'a'));
  t.notOk(book.synced());
  book.compiled('kube/dns', [target('x', 'a')]);
  book.compiled('shop/web', []);
  t.equal(book.changing.size, 0);
  t.notOk(book.synced());
});

t.test('FlowBook keeps a change back until the kernel has it', async (t) => {
  const book = bookOf(target('x', 'a'), target('y', 'a'));
  book.compiled('kube/dns', [target('x', 'b'), target('z', 'b')]);
  t.strictSame(book.targets.get('x'), target('x', 'a'));
  t.strictSame([...book.changing].sort(), ['x', 'y', 'z']);
  t.equal(book.takeFormer().size, 0);
  t.ok(book.synced());
  t.equal(book.changing.size, 0);
  t.strictSame([...book.targets.values()], [target('x', 'b'), target('z', 'b')]);
  const former = book.takeFormer();
  t.equal(former.size, 2);
  t.equal(former.nameOf('x', 'a'), 'kube/dns');
  t.equal(former.nameOf('y', 'a'), 'kube/dns');
  book.giveBack(former);
  t.equal(book.takeFormer().size, 2);
});

t.test('FlowBook remembers what only a failed sync wanted', async (t) => {
  const book = bookOf();
  book.compiled('kube/dns', [target('x', 'a')]);
  book.compiled('kube/dns', []);
  t.ok(book.changing.has('x'));
  t.ok(book.synced(), 'it may have come into the kernel');
  t.equal(book.takeFormer().nameOf('x', 'a'), 'kube/dns');
});

t.test('FlowBook remembers endpoints that went before their Service did', async (t) => {
  const book = bookOf(target('x', 'a'));
  for (const targets of [[target('x')], []]) {
    book.compiled('kube/dns', targets);
    t.ok(book.synced());
  }
  t.equal(book.targets.size, 0);
  t.equal(book.takeFormer().nameOf('x', 'a'), 'kube/dns');
});

t.test('FlowBook sees a frontend go over to another Service, in either order', async (t) => {
  for (const order of [
    ['kube/dns', 'shop/web'],
    ['shop/web', 'kube/dns'],
  ]) {
    const book = bookOf(target('x', 'a'));
    for (const service of order) book.compiled(service, service === 'shop/web' ? [target('x', 'b')] : []);
    t.ok(book.synced());
    t.strictSame([...book.targets.values()], [target('x', 'b')], order.join());
  }
});
