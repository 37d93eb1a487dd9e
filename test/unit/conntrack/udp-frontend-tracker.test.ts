// Tests of src/conntrack/udp-frontend-tracker.ts.
import t from 'tap';
import { UdpFrontendTracker } from '../../../src/conntrack/udp-frontend-tracker.ts';
import type { UdpFrontend } from '../../../src/conntrack/udp-frontends.ts';

function target(key: string, ...endpoints: readonly string[]): UdpFrontend {
  return { key, servicePort: 'kube/dns', endpoints: new Set(endpoints) };
}

function bookOf(...targets: readonly UdpFrontend[]): UdpFrontendTracker {
  const book = new UdpFrontendTracker();
  book.compiled('kube/dns', targets, 0);
  book.committed(0);
  book.prune(0);
  return book;
}

t.test('FlowBook has nothing to say of what did not change', async (t) => {
  const book = bookOf(target('x', 'a'));
  t.notOk(book.committed(1));
  book.compiled('kube/dns', [target('x', 'a')], 2);
  book.compiled('shop/web', [], 2);
  t.equal(book.uncommitted.size, 0);
  t.notOk(book.committed(3));
});

t.test('FlowBook keeps a change back until the kernel has it', async (t) => {
  const book = bookOf(target('x', 'a'), target('y', 'a'));
  book.compiled('kube/dns', [target('x', 'b'), target('z', 'b')], 1);
  t.strictSame(book.frontends.get('x'), target('x', 'a'));
  t.strictSame(
    book.uncommitted,
    new Map([
      ['x', [target('x', 'b')]],
      ['y', [undefined]],
      ['z', [target('z', 'b')]],
    ]),
  );
  t.equal(book.removed.size, 0);
  t.ok(book.committed(2));
  t.equal(book.uncommitted.size, 0);
  t.strictSame([...book.frontends.values()], [target('x', 'b'), target('z', 'b')]);
  for (const key of ['x', 'y']) {
    t.equal(book.removed.servicePortOf(key, 'a'), 'kube/dns');
    t.equal(book.removed.removedAt(key, 'a'), 2, 'since the kernel has it');
  }
  t.strictSame(book.addedAt, new Map([['z', 2]]));
});

t.test('FlowBook forgets what went and what came, but not what did so later', async (t) => {
  const book = bookOf(target('x', 'a'), target('y', 'a'));
  book.compiled('kube/dns', [target('y', 'a'), target('z', 'a')], 1);
  book.committed(2);
  book.compiled('kube/dns', [target('w', 'a'), target('z', 'a')], 3);
  book.committed(4);
  t.ok(book.prune(3));
  t.equal(book.removed.size, 1);
  t.equal(book.removed.servicePortOf('y', 'a'), 'kube/dns');
  t.strictSame(book.addedAt, new Map([['w', 4]]));
  t.notOk(book.prune(4));
  t.equal(book.removed.size, 0);
  t.equal(book.addedAt.size, 0);
});

t.test('FlowBook remembers what only a failed sync wanted', async (t) => {
  const book = bookOf();
  book.compiled('kube/dns', [target('x', 'a')], 1);
  book.compiled('kube/dns', [], 2);
  t.strictSame(book.uncommitted.get('x'), [target('x', 'a')], 'the kernel may have it');
  t.ok(book.committed(3), 'it may have come into the kernel');
  t.equal(book.removed.servicePortOf('x', 'a'), 'kube/dns');
});

t.test('FlowBook remembers endpoints that went before their Service did', async (t) => {
  const book = bookOf(target('x', 'a'));
  for (const targets of [[target('x')], []]) {
    book.compiled('kube/dns', targets, 1);
    t.ok(book.committed(1));
  }
  t.equal(book.frontends.size, 0);
  t.equal(book.removed.servicePortOf('x', 'a'), 'kube/dns');
});

t.test('FlowBook sees a frontend go over to another Service, in either order', async (t) => {
  for (const order of [
    ['kube/dns', 'shop/web'],
    ['shop/web', 'kube/dns'],
  ]) {
    const book = bookOf(target('x', 'a'));
    for (const service of order) book.compiled(service, service === 'shop/web' ? [target('x', 'b')] : [], 1);
    t.strictSame(new Set(book.uncommitted.get('x')), new Set([undefined, target('x', 'b')]));
    t.ok(book.committed(2));
    t.strictSame([...book.frontends.values()], [target('x', 'b')], order.join());
    t.equal(book.addedAt.size, 0, 'it was one before');
  }
});
