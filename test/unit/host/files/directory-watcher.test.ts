// Tests of src/host/files/directory-watcher.ts, on real directories.

import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  DirectoryWatcher,
  type DirectoryWatcherOptions,
  type OpenWatch,
} from '../../../../src/host/files/directory-watcher.ts';
import { waitUntil } from '../../../support/wait-until.ts';

function watcherOf(t: Test, options: Partial<DirectoryWatcherOptions> = {}) {
  const directory = join(t.testdir({ watched: {} }), 'watched');
  const calls: string[] = [];
  const watcher = new DirectoryWatcher({
    directory,
    onChange: () => calls.push('change'),
    onFailure: (error) => calls.push(String(error)),
    onRecovery: () => calls.push('recovery'),
    ...options,
  });
  t.teardown(() => watcher.close());
  return { directory, watcher, calls };
}

t.test('DirectoryWatcher reports a new file', async (t) => {
  const { directory, watcher, calls } = watcherOf(t);
  await watcher.ensureWatching();
  writeFileSync(join(directory, 'a'), '');
  await waitUntil('a change', () => calls.includes('change'));
});

t.test('DirectoryWatcher follows its path to another directory', async (t) => {
  const { directory, watcher, calls } = watcherOf(t);
  await watcher.ensureWatching();
  renameSync(directory, `${directory}.old`);
  await t.rejects(watcher.ensureWatching(), { code: 'ENOENT' });
  mkdirSync(directory);
  await watcher.ensureWatching();
  calls.length = 0;
  writeFileSync(join(directory, 'a'), '');
  await waitUntil('a change', () => calls.includes('change'));
});

t.test('DirectoryWatcher keeps its watch while the directory is the same', async (t) => {
  let opened = 0;
  const open: OpenWatch = () => {
    opened += 1;
    return { close: () => {} };
  };
  const { watcher } = watcherOf(t, { open });
  await watcher.ensureWatching();
  await watcher.ensureWatching();
  t.equal(opened, 1);
});

t.test('DirectoryWatcher reports a failure once, and the recovery', async (t) => {
  let isPossible = false;
  let fail = (_error: Error): void => {};
  const open: OpenWatch = (_directory, { onError }) => {
    if (!isPossible) throw new Error('ENOSPC');
    fail = onError;
    return { close: () => {} };
  };
  const { watcher, calls } = watcherOf(t, { open });
  await watcher.ensureWatching();
  await watcher.ensureWatching();
  t.strictSame(calls, ['Error: ENOSPC']);
  isPossible = true;
  await watcher.ensureWatching();
  fail(new Error('EIO'));
  t.strictSame(calls, ['Error: ENOSPC', 'recovery', 'Error: EIO']);
});
