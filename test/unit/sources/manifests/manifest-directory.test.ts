// Tests of the patience of src/sources/manifests/manifest-directory.ts, with a clock that stands still.
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../../../src/host/clock.ts';
import { silentLog } from '../../../../src/host/log.ts';
import { ManifestDirectory } from '../../../../src/sources/manifests/manifest-directory.ts';
import { BROKEN, service } from './sample-manifests.ts';

const WRITTEN_AT = 1_000_000_000;

/** A folder with one file, and scans so many milliseconds after it was written. */
function folderOf(t: Test, content: string) {
  const directory = t.testdir({ 'a.yaml': content });
  const written = () => utimesSync(join(directory, 'a.yaml'), WRITTEN_AT, WRITTEN_AT);
  written();
  let now = 0;
  const folder = new ManifestDirectory({ directory, clock: { ...systemClock, now: () => now }, log: silentLog });
  return {
    folder,
    scanAt: (ms: number, options = {}) => {
      now = WRITTEN_AT * 1000 + ms;
      return folder.scan(options);
    },
    rewrite: (text: string) => {
      writeFileSync(join(directory, 'a.yaml'), text);
      written();
    },
  };
}

const NOT_YET: readonly string[] = [];
const NOW = ['a.yaml'];

t.test('ManifestFolder.scan() leaves a file alone that was written to just now', async (t) => {
  const { folder, scanAt } = folderOf(t, service('a'));
  t.same(await scanAt(5), { changed: NOT_YET, rescanMs: 8 });
  t.same(await scanAt(12.5), { changed: NOT_YET, rescanMs: 1 });
  t.equal(folder.fileCount, 0);
  t.same(await scanAt(13), { changed: NOW });
  t.same(await scanAt(14), { changed: NOT_YET }, 'and then it is known');
});

t.test('ManifestFolder.scan() doubts a file that is empty or broken a little longer', async (t) => {
  for (const content of ['', '# nothing yet', BROKEN]) {
    const { folder, scanAt, rewrite } = folderOf(t, service('a'));
    await scanAt(1000);
    rewrite(content);
    t.same(await scanAt(20), { changed: NOT_YET, rescanMs: 40 });
    t.equal(folder.objects().size, 1);
    t.same(await scanAt(60), { changed: content === BROKEN ? NOT_YET : NOW });
    t.equal(folder.objects().size, content === BROKEN ? 1 : 0);
  }
});

t.test('ManifestFolder.scan() believes a file whose time is in the future', async (t) => {
  const { scanAt } = folderOf(t, service('a'));
  t.same(await scanAt(-1), { changed: NOW });
});

t.test('ManifestFolder.scan() does not trust the time of a file that it read in haste', async (t) => {
  const { folder, scanAt, rewrite } = folderOf(t, service('a', 81));
  t.same(await scanAt(1, { hasty: true }), { changed: NOW });
  rewrite(service('a', 82));
  t.same(await scanAt(20), { changed: NOW }, 'same size, same time, same inode');
  t.match([...folder.objects().values()], [{ read: { value: { ports: [{ port: 82 }] } } }]);
});
