// Tests of src/daemon/fast-path-runner.ts and src/daemon/fast-path-pin-record.ts.

import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { removePinRecord, unreachablePins, writePinRecord } from '../../../src/daemon/fast-path-pin-record.ts';
import { createFastPath, loaderPath } from '../../../src/daemon/fast-path-runner.ts';
import { configurationText, settingsOf } from '../../support/builders/configuration.ts';
import { engineOf } from '../../support/builders/engine.ts';
import { commitOf } from '../../support/builders/sync-report.ts';
import { silentLog } from '../../support/fakes/silent-log.ts';
import { waitUntil } from '../../support/wait-until.ts';

t.test('loaderPath() keeps a path and a name that is not beside the program', async (t) => {
  t.equal(loaderPath('/opt/loader'), '/opt/loader');
  t.equal(loaderPath('./loader'), './loader');
  t.equal(loaderPath('no-such-loader'), 'no-such-loader');
});

t.test('createFastPath() in mode off is unusable and reports its status', async (t) => {
  const { nftlane } = settingsOf(configurationText('', 'fastPath: {mode: off}'));
  const fastPath = createFastPath(nftlane, {
    engine: engineOf(),
    hostAddresses: () => [],
    applyToTables: async () => {},
    log: silentLog,
  });
  await fastPath.open();
  t.equal(fastPath.isUsable, false);
  fastPath.committed(commitOf());
  t.match(fastPath.status(), { mode: 'off' });
});

t.test('createFastPath() rejects a required fast path without a loader', async (t) => {
  const { nftlane } = settingsOf(configurationText('', 'fastPath: {mode: required, program: /nowhere/loader}'));
  const fastPath = createFastPath(nftlane, {
    engine: engineOf(),
    hostAddresses: () => [],
    applyToTables: async () => {},
    log: silentLog,
  });
  await t.rejects(fastPath.open(), { name: 'FastPathUnusable', kind: 'environment' });
});

/** A loader that finds every feature, and writes its process ID to `pid` beside it. */
const LOADER = `#!/bin/sh
echo $$ > "$(dirname "$0")/pid"
while read -r line; do
case "$line" in
hello) echo "ok protocol=2 schema=1 pid=$$" ;;
*) echo "ok usable=yes udp=yes attach=tcx" ;;
esac
done
`;

t.test('close() ends the loader of a fast path that was opened, but does not run', async (t) => {
  const directory = t.testdir({ loader: LOADER });
  const program = join(directory, 'loader');
  chmodSync(program, 0o755);
  const settings = `fastPath: {mode: auto, program: ${program}, directory: ${directory}}`;
  const { nftlane } = settingsOf(configurationText('', settings));
  const fastPath = createFastPath(nftlane, {
    engine: engineOf(),
    hostAddresses: () => [],
    applyToTables: async () => {},
    log: silentLog,
  });
  await fastPath.open();
  const pid = readFileSync(join(directory, 'pid'), 'utf8').trim();
  t.ok(existsSync(`/proc/${pid}`), 'the loader runs');
  fastPath.close();
  await waitUntil('the end of the loader', () => !existsSync(`/proc/${pid}`));
});

t.test('unreachablePins() reports the recorded directory until the record is removed', async (t) => {
  const runDir = join(t.testdir(), 'run');
  t.equal(await unreachablePins(runDir, '/sys/fs/bpf/a'), undefined, 'without a record');
  await writePinRecord(runDir, '/run/bpf/b');
  t.match(await unreachablePins(runDir, '/sys/fs/bpf/a'), /pinned it at "\/run\/bpf\/b".*"\/sys\/fs\/bpf\/a" is empty/);
  t.match(readdirSync(runDir), [/^netns-\d+\.fastpath$/]);
  await removePinRecord(runDir);
  await removePinRecord(runDir);
  t.equal(await unreachablePins(runDir, '/sys/fs/bpf/a'), undefined, 'after the removal');
});

t.test('writePinRecord() ignores a directory that cannot be written', async (t) => {
  const runDir = join(t.testdir({ file: '' }), 'file/run');
  await writePinRecord(runDir, '/run/bpf/b');
  t.notOk(existsSync(runDir));
});
