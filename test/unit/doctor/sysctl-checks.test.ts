// Tests of src/doctor/sysctl-checks.ts: conntrack and its settings.

import { cpus } from 'node:os';
import t from 'tap';
import type { DoctorContext } from '../../../src/doctor/check.ts';
import { checkConntrack, checkConntrackSysctls } from '../../../src/doctor/sysctl-checks.ts';
import { DEFAULT_CONNTRACK, desiredConntrackSysctls } from '../../../src/host/sysctl/conntrack-sysctls.ts';
import { NO_DAEMON } from '../../support/builders/daemon-status.ts';
import { FakeSystem } from '../../support/fakes/fake-system.ts';

function contextOf(system: FakeSystem): DoctorContext {
  return {
    system,
    nft: 'nft',
    conntrack: 'conntrack',
    runDir: '/nowhere',
    daemon: NO_DAEMON,
    nodePortRange: [30_000, 32_767],
  };
}

t.test('checkConntrack() checks the program and the usage of the table', async (t) => {
  const system = new FakeSystem();
  const path = '/proc/sys/net/netfilter/nf_conntrack';
  system.files.set(`${path}_count`, '30\n').set(`${path}_max`, '100\n');
  t.match(await checkConntrack(contextOf(system)), [
    { name: 'conntrack program', status: 'problem', message: /^"conntrack" cannot be run: / },
    { name: 'conntrack table', status: 'ok', message: '30 of 100 entries, 30 %' },
  ]);
  system.programs.set('conntrack', 'conntrack v1.4.7\n');
  t.match(await checkConntrack(contextOf(system)), [{ status: 'ok', message: 'conntrack v1.4.7' }, { status: 'ok' }]);
});

t.test('checkConntrackSysctls() compares the settings with the defaults', async (t) => {
  const system = new FakeSystem();
  const desired = desiredConntrackSysctls(DEFAULT_CONNTRACK, cpus().length);
  for (const { path, value, atLeast } of desired) system.files.set(path, String(atLeast ? value + 1 : value));
  t.match(await checkConntrackSysctls(contextOf(system)), [
    { status: 'ok', message: 'as in the default configuration' },
  ]);
  const exact = desired.find(({ atLeast = false }) => !atLeast);
  if (exact === undefined) throw new Error('There is no exact setting');
  system.files.set(exact.path, '1\n');
  const [check] = await checkConntrackSysctls(contextOf(system));
  t.match(check, { status: 'warning', message: new RegExp(`is 1, not ${exact.value}$`) });
});
