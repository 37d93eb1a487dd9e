// Tests of src/conntrack/udp/udp-frontend-tracker.ts.

import t from 'tap';
import { UdpFrontendTracker } from '../../../../src/conntrack/udp/udp-frontend-tracker.ts';
import type { UdpFrontend } from '../../../../src/conntrack/udp/udp-frontends.ts';

function frontend(key: string, ...endpoints: readonly string[]): UdpFrontend {
  return { key, servicePort: 'kube/dns', endpoints: new Set(endpoints) };
}

function trackerOf(...frontends: readonly UdpFrontend[]): UdpFrontendTracker {
  const tracker = new UdpFrontendTracker();
  tracker.compiled('kube/dns', frontends, 0);
  tracker.committed(0);
  tracker.prune(0);
  return tracker;
}

t.test('UdpFrontendTracker reports no change for equal frontends', async (t) => {
  const tracker = trackerOf(frontend('x', 'a'));
  t.notOk(tracker.committed(1));
  tracker.compiled('kube/dns', [frontend('x', 'a')], 2);
  tracker.compiled('shop/web', [], 2);
  t.equal(tracker.uncommitted.size, 0);
  t.notOk(tracker.committed(3));
});

t.test('UdpFrontendTracker applies a change at the commit', async (t) => {
  const tracker = trackerOf(frontend('x', 'a'), frontend('y', 'a'));
  tracker.compiled('kube/dns', [frontend('x', 'b'), frontend('z', 'b')], 1);
  t.strictSame(tracker.frontends.get('x'), frontend('x', 'a'));
  t.strictSame(
    tracker.uncommitted,
    new Map([
      ['x', [frontend('x', 'b')]],
      ['y', [undefined]],
      ['z', [frontend('z', 'b')]],
    ]),
  );
  t.equal(tracker.removed.size, 0);
  t.ok(tracker.committed(2));
  t.equal(tracker.uncommitted.size, 0);
  t.strictSame([...tracker.frontends.values()], [frontend('x', 'b'), frontend('z', 'b')]);
  for (const key of ['x', 'y']) {
    t.equal(tracker.removed.servicePortOf(key, 'a'), 'kube/dns');
    t.equal(tracker.removed.removedAt(key, 'a'), 2, 'the time of the commit');
  }
  t.strictSame(tracker.addedAt, new Map([['z', 2]]));
});

t.test('UdpFrontendTracker prunes additions and removals up to a time', async (t) => {
  const tracker = trackerOf(frontend('x', 'a'), frontend('y', 'a'));
  tracker.compiled('kube/dns', [frontend('y', 'a'), frontend('z', 'a')], 1);
  tracker.committed(2);
  tracker.compiled('kube/dns', [frontend('w', 'a'), frontend('z', 'a')], 3);
  tracker.committed(4);
  t.ok(tracker.prune(3));
  t.equal(tracker.removed.size, 1);
  t.equal(tracker.removed.servicePortOf('y', 'a'), 'kube/dns');
  t.strictSame(tracker.addedAt, new Map([['w', 4]]));
  t.notOk(tracker.prune(4));
  t.equal(tracker.removed.size, 0);
  t.equal(tracker.addedAt.size, 0);
});

t.test('UdpFrontendTracker keeps what only a failed sync added', async (t) => {
  const tracker = trackerOf();
  tracker.compiled('kube/dns', [frontend('x', 'a')], 1);
  tracker.compiled('kube/dns', [], 2);
  t.strictSame(tracker.uncommitted.get('x'), [frontend('x', 'a')], 'the kernel may have it');
  t.ok(tracker.committed(3), 'a failed sync may have applied it');
  t.equal(tracker.removed.servicePortOf('x', 'a'), 'kube/dns');
});

t.test('UdpFrontendTracker keeps endpoints that were removed before their Service', async (t) => {
  const tracker = trackerOf(frontend('x', 'a'));
  for (const frontends of [[frontend('x')], []]) {
    tracker.compiled('kube/dns', frontends, 1);
    t.ok(tracker.committed(1));
  }
  t.equal(tracker.frontends.size, 0);
  t.equal(tracker.removed.servicePortOf('x', 'a'), 'kube/dns');
});

t.test('UdpFrontendTracker moves a frontend to another Service in either order', async (t) => {
  for (const order of [
    ['kube/dns', 'shop/web'],
    ['shop/web', 'kube/dns'],
  ]) {
    const tracker = trackerOf(frontend('x', 'a'));
    for (const service of order) tracker.compiled(service, service === 'shop/web' ? [frontend('x', 'b')] : [], 1);
    t.strictSame(new Set(tracker.uncommitted.get('x')), new Set([undefined, frontend('x', 'b')]));
    t.ok(tracker.committed(2));
    t.strictSame([...tracker.frontends.values()], [frontend('x', 'b')], order.join());
    t.equal(tracker.addedAt.size, 0, 'it existed before');
  }
});
