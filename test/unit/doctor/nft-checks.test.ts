// Tests of src/doctor/nft-checks.ts and run-checks.ts, with programs in place of nft.

import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { DoctorContext } from '../../../src/doctor/check.ts';
import { checkNft } from '../../../src/doctor/nft-checks.ts';
import { runChecks } from '../../../src/doctor/run-checks.ts';
import { NO_DAEMON } from '../../support/builders/daemon-status.ts';
import { FakeSystem } from '../../support/fakes/fake-system.ts';

async function contextOf(t: Test, script: string, system = new FakeSystem()): Promise<DoctorContext> {
  const nft = join(t.testdir({}), 'nft');
  await writeFile(nft, `#!/bin/sh\n${script}\n`);
  await chmod(nft, 0o755);
  return {
    system,
    nft,
    conntrack: 'conntrack',
    runDir: '/nowhere',
    daemon: NO_DAEMON,
    nodePortRange: [30_000, 32_767],
  };
}

const NFT = '[ "$1" = --version ] && echo "nftables v1.1.3 (x)"; exit 0';

t.test('checkNft() reports the version and the features of each family', async (t) => {
  const context = await contextOf(t, NFT);
  const system = context.system as FakeSystem;
  system.files.set('/proc/sys/net/ipv6/conf/all/disable_ipv6', '0\n');
  system.programs.set(context.nft, '');
  t.match(await checkNft(context), [
    { name: 'nft', status: 'ok', message: 'version 1.1.3' },
    { name: 'IPv4 nftables', status: 'ok', message: 'all required features are available' },
    { name: 'IPv6 nftables', status: 'ok' },
  ]);
});

t.test('checkNft() lists missing features with their kernel options', async (t) => {
  const context = await contextOf(t, NFT);
  const stderr = '/dev/stdin:2:1-9: Error: Could not process rule: Not supported\n';
  const run: DoctorContext['system']['run'] = async (_command, _args, { input = '' } = {}) =>
    input.includes('fib daddr') ? { status: 1, stdout: '', stderr } : { status: 0, stdout: '', stderr: '' };
  const [, ipv4] = await checkNft({ ...context, system: { read: context.system.read, run } });
  t.match(ipv4, {
    status: 'problem',
    message:
      /^missing: local addresses \(Could not process rule: Not supported; kernel option NFT_FIB, NFT_FIB_INET\)$/,
  });
});

t.test('checkNft() does not need a family that the kernel lacks and no Service uses', async (t) => {
  const complaint = '/dev/stdin:1:1-9: Error: Could not process rule: Operation not supported';
  const context = await contextOf(
    t,
    `[ "$1" = --version ] && exec echo "nftables v1.1.3 (x)"\n[ "$1" = -c ] || exit 0\necho '${complaint}' >&2; exit 1`,
  );
  const run: DoctorContext['system']['run'] = async (command, _args, { input = '' } = {}) => {
    if (command === 'ip') return { status: 0, stdout: '[{"addr_info":[{"family":"inet6"}]}]', stderr: '' };
    return input.includes('table ip ')
      ? { status: 1, stdout: '', stderr: complaint }
      : { status: 0, stdout: '', stderr: '' };
  };
  const read = async (path: string) => (path.endsWith('disable_ipv6') ? '0\n' : '');
  t.match(await checkNft({ ...context, system: { read, run } }), [
    { name: 'nft' },
    { name: 'IPv4 nftables', status: 'ok', message: 'not needed: no interface has an IPv4 address' },
    { name: 'IPv6 nftables', status: 'ok', message: 'all required features are available' },
  ]);
});

t.test('checkNft() reports an unusable nft', async (t) => {
  const context = await contextOf(t, 'echo "nftables v0.9.0 (x)"');
  t.match(await checkNft(context), [{ name: 'nft', status: 'problem', message: /version 0\.9\.0/ }]);
});

t.test('runChecks() reports a check that fails as a problem', async (t) => {
  const context = await contextOf(t, NFT);
  const checks = await runChecks(context);
  t.match(
    checks.find(({ name }) => name === 'MTU'),
    { status: 'problem', message: /^the check failed: / },
  );
  t.match(
    checks.find(({ name }) => name === 'daemon'),
    { status: 'warning', message: /^no daemon answers at \/nowhere/ },
  );
  for (const { status, advice } of checks) t.equal(advice === '', status === 'ok');
});
