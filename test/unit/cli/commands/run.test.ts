// Tests of src/cli/commands/run.ts: configuration and exit statuses.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runCli } from '../../../../src/cli/program.ts';
import { configurationOf, configurationText, settingsOf } from '../../../support/builders/configuration.ts';
import { KUBEADM_CONFIG } from '../../../support/deployment/kubeadm-config.ts';
import { loadFactor } from '../../../support/load-factor.ts';

/** Runs `nftlane run` and returns its exit status and standard error. */
async function runMain(t: Test, ...args: readonly string[]): Promise<{ status: number; stderr: string }> {
  const capture = t.capture(process.stderr, 'write', () => true);
  const status = await runCli(['run', ...args], AbortSignal.timeout(60_000));
  const lines = capture().map(({ args: [text] }) => String(text));
  capture.restore();
  return { status, stderr: lines.join('') };
}

t.test('--write-config-to writes the effective configuration, which can be read back', async (t) => {
  const directory = t.testdir({ 'config.conf': KUBEADM_CONFIG });
  const [config, written, again] = ['config.conf', 'written.yaml', 'again.yaml'].map((name) => join(directory, name));
  if (config === undefined || written === undefined || again === undefined) return;
  const flags = ['--hostname-override', 'Node-7', '--masquerade_all=true', '--take-over', 'no'];
  t.strictSame(await runMain(t, '--config', config, ...flags, '--write-config-to', written), { status: 0, stderr: '' });
  const text = readFileSync(written, 'utf8');
  t.match(settingsOf(text), { proxy: { nodeName: 'node-7', masqueradeAll: true }, nftlane: { takeOver: 'no' } });
  t.strictSame(configurationOf(text).warnings, []);
  await runMain(t, '--config', written, '--write-config-to', again);
  t.equal(readFileSync(again, 'utf8'), text);
  const nowhere = await runMain(t, '--config', config, '--write-config-to', join(directory, 'no/such/place'));
  t.match(nowhere, { status: 5, stderr: /Cannot write configuration to .*ENOENT/ });
});

t.test('an invalid command line and an invalid file have different exit statuses and list all problems', async (t) => {
  const file = join(t.testdir({}), 'config.conf');
  writeFileSync(file, configurationText('oomScoreAdj: 5000\nbindAddress: here'));
  const byFlags = await runMain(t, '--cluster-cidr=x', '--masquerade-bit=40');
  t.equal(byFlags.status, 2);
  t.match(byFlags.stderr, /command line:\n {2}--masquerade-bit: 40 is greater than 31\n {2}--cluster-cidr: "x"/);
  const byFile = await runMain(t, '--config', file);
  t.equal(byFile.status, 4);
  t.match(byFile.stderr, /oomScoreAdj: 5000 is greater than 1000\n.*bindAddress: "here" is not an IP address/);
  t.match(await runMain(t, '--config', `${file}.gone`), {
    status: 4,
    stderr: /config\.conf\.gone": no such file/,
  });
  t.match(await runMain(t, '--manifests=/m', '--kubeconfig=/k'), {
    status: 2,
    stderr: /--manifests together with --kubeconfig/,
  });
});

t.test('a required fast path without a loader is an error', async (t) => {
  const file = join(
    t.testdir({ f: configurationText('', 'fastPath: {mode: required, program: /there/is/none}') }),
    'f',
  );
  t.match(await runMain(t, '--config', file, '--manifests=/m'), {
    status: 3,
    stderr: /Cannot start the required fast path: .*no such program/,
  });
});

t.test('run rejects an invalid server address before it starts', async (t) => {
  for (const address of ['localhost:10256', '0.0.0.0:70000', '::1:x']) {
    const reason = `"${address}" is neither an IP address nor IP:port with a port from 1 to 65535`;
    const { status, stderr } = await runMain(t, '--manifests', '/nowhere', '--healthz-bind-address', address);
    t.equal(status, 2, address);
    t.equal(stderr, `nftlane: Cannot use the command line: --healthz-bind-address: ${reason}\n`);
  }
});

t.test('a configuration that is a pipe, a device, a directory or too large, is refused within a second', async (t) => {
  const directory = t.testdir({ large: '#'.repeat(1024 ** 2 + 1), folder: {} });
  execFileSync('mkfifo', [join(directory, 'pipe')]);
  const reasons = {
    [join(directory, 'pipe')]: 'is a named pipe, not a regular file',
    [join(directory, 'folder')]: 'is a directory, not a regular file',
    [join(directory, 'large')]: 'is larger than 1 MiB',
    [join(directory, 'missing')]: 'no such file',
    '/dev/zero': 'is a device, not a regular file',
    '/proc/self/mem': 'i/o error',
  };
  for (const [path, reason] of Object.entries(reasons)) {
    const startedAt = performance.now();
    t.match(await runMain(t, '--config', path), { status: 4, stderr: `configuration "${path}": ${reason}\n` }, path);
    t.ok(performance.now() - startedAt < 1000 * loadFactor(), `${path}: time`);
  }
});
