// Tests of src/admin/command-status.ts.

import t from 'tap';
import { printStatus, statusOfDaemon, statusOfManifests } from '../../../src/admin/command-status.ts';
import { offlineStatus } from '../../../src/admin/offline.ts';
import { daemonStatus } from '../../support/builders/daemon-status.ts';

t.test('printStatus() is one line with node, source, last contact, last sync and problems', async (t) => {
  t.equal(printStatus(statusOfDaemon(daemonStatus())), '# node n1; test, last contact 3s ago; last sync 12s ago');
  const problems = [{ cause: 'waiting', subject: 'list of Services', forMs: 60_000 }] as const;
  const starting = daemonStatus({ source: { name: 'test', resources: [], problems }, sync: { commits: 0 } });
  t.equal(
    printStatus(statusOfDaemon(starting)),
    '# node n1; test, no contact yet; no sync yet; PROBLEM: list of Services awaited for 1m',
  );
});

t.test('printStatus() says that manifests take the place of the daemon', async (t) => {
  t.equal(
    printStatus(statusOfManifests('-', 'n1')),
    '# node n1; manifests in standard input, read now; daemon not asked',
  );
  t.match(printStatus(statusOfManifests('/m', '')), /^# unknown node; manifests in \/m, read now/);
});

t.test('printStatus() says that only the Services were asked where nftlane does not run', async (t) => {
  t.equal(
    printStatus(offlineStatus(statusOfManifests('/m', 'n1'))),
    '# node n1; manifests in /m, read now; no ruleset of nftlane in this network namespace, so only the Services were asked',
  );
});

t.test('statusOfDaemon() has ages in seconds', async (t) => {
  t.match(statusOfDaemon(daemonStatus()), {
    sourceContactSeconds: 3,
    lastSyncSeconds: 12,
    daemon: 'running',
    problems: [],
  });
});
