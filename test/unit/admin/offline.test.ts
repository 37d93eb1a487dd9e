// Tests of src/admin/offline.ts.

import t from 'tap';
import { adminSocketPath } from '../../../src/admin/admin-socket.ts';
import { statusOfManifests } from '../../../src/admin/command-status.ts';
import { desiredListing, isOffline, offlineStatus } from '../../../src/admin/offline.ts';
import { stateFilePaths } from '../../../src/admin/state-file/state-files.ts';
import { viewServices } from '../../../src/inspect/service-view.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { clusterIps, service } from '../../support/builders/service.ts';
import { endpoint, slice } from '../../support/builders/slice.ts';

const OTHERS = [
  { family: 'inet', name: 'nftlane' },
  { family: 'ip', name: 'kube-proxy' },
];

t.test('isOffline() only with manifests, without a table of ours, and without the files of a daemon', async (t) => {
  const runDir = t.testdir();
  t.equal(await isOffline({ file: '/m', runDir }, OTHERS), true);
  t.equal(await isOffline({ runDir }, OTHERS), false, 'a daemon is asked');
  for (const family of ['ip', 'ip6'])
    t.equal(await isOffline({ file: '/m', runDir }, [...OTHERS, { family, name: 'nftlane' }]), false, family);
  const socket = adminSocketPath(runDir);
  for (const path of [socket, ...Object.values(stateFilePaths(socket))]) {
    const name = path.slice(runDir.length + 1);
    t.equal(await isOffline({ file: '/m', runDir: t.testdir({ [name]: '' }) }, OTHERS), false, name);
  }
});

t.test('offlineStatus() says that no ruleset is missing', async (t) => {
  t.match(offlineStatus(statusOfManifests('/m', 'n1')), { ruleset: 'absent', problems: [] });
});

t.test('desiredListing() is what a kernel with the whole ruleset would list, in both families', async (t) => {
  const engine = engineOf([
    service('shop/web', { spec: clusterIps('10.96.0.1', 'fd00::1') }),
    slice('shop/web', { endpoints: [endpoint('10.1.0.1')] }),
    slice('shop/web', {
      metadata: { name: 'web-6' },
      addressType: 'IPv6',
      endpoints: [endpoint('fd01::1'), endpoint('fd01::2')],
    }),
  ]);
  const [view] = viewServices(engine, desiredListing(engine));
  t.strictSame(
    view?.ports.flatMap(({ endpoints }) => endpoints.map(({ used, missing, share }) => ({ used, missing, share }))),
    [
      { used: true, missing: false, share: 1 },
      { used: true, missing: false, share: 0.5 },
      { used: true, missing: false, share: 0.5 },
    ],
  );
});
