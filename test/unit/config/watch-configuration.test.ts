// Tests of src/config/watch-configuration.ts, on a real directory.

import { rm, symlink, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { watchConfiguration } from '../../../src/config/watch-configuration.ts';
import { createConfigMapVolume } from '../../support/deployment/config-map-volume.ts';

/** Watches and counts callbacks. */
function watching(t: Test, path: string, times: { settleMs: number; pollMs: number }) {
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  let calls = 0;
  let wake = (): void => {};
  const onChange = (): void => {
    calls += 1;
    wake();
  };
  watchConfiguration({ path, onChange, signal: stop.signal, ...times });
  const called = async (count: number): Promise<void> => {
    while (calls < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { called, count: () => calls };
}

const NEVER = 10_000_000;

t.test('watchConfiguration() detects a swapped link and a replaced file, and ignores unchanged text', async (t) => {
  const { path, publish } = await createConfigMapVolume(t, 'one');
  const { called, count } = watching(t, path, { settleMs: 20, pollMs: NEVER });
  await publish('two');
  await called(1);
  await publish('two');
  await publish('three');
  await called(2);
  await rm(path);
  await called(3);
  await writeFile(path, 'four');
  await called(4);
  t.equal(count(), 4);
});

t.test('watchConfiguration() leaves no watch behind when it is aborted before the watch begins', async (t) => {
  const { path } = await createConfigMapVolume(t, 'one');
  const watches = () => process.getActiveResourcesInfo().filter((name) => name === 'FSEventWrap').length;
  const before = watches();
  const stop = new AbortController();
  watchConfiguration({ path, onChange: () => t.fail('no change'), signal: stop.signal });
  stop.abort();
  await delay(50);
  t.equal(watches(), before);
});

t.test('watchConfiguration() detects by polling what inotify does not report', async (t) => {
  const { path } = await createConfigMapVolume(t, 'one');
  const elsewhere = await createConfigMapVolume(t, 'one');
  await rm(path);
  await symlink(elsewhere.path, path);
  const { called, count } = watching(t, path, { settleMs: 20, pollMs: 20 });
  await elsewhere.publish('two');
  await called(1);
  t.equal(count(), 1);
});
