// Tests of the delays of src/sources/manifests/manifest-directory.ts, with a stopped clock.

import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../../../src/host/clock.ts';
import { ManifestDirectory } from '../../../../src/sources/manifests/manifest-directory.ts';
import { silentLog } from '../../../support/fakes/silent-log.ts';
import { BROKEN, service } from './sample-manifests.ts';

const WRITTEN_AT = 1_000_000_000;

/** A directory with one file. `scanAt` scans it this time after the file was written. */
function directoryOf(t: Test, content: string) {
  const directory = t.testdir({ 'a.yaml': content });
  const written = () => utimesSync(join(directory, 'a.yaml'), WRITTEN_AT, WRITTEN_AT);
  written();
  let now = 0;
  const manifests = new ManifestDirectory({ directory, clock: { ...systemClock, now: () => now }, log: silentLog });
  return {
    manifests,
    scanAt: (ms: number, options = {}) => {
      now = WRITTEN_AT * 1000 + ms;
      return manifests.scan(options);
    },
    rewrite: (text: string) => {
      writeFileSync(join(directory, 'a.yaml'), text);
      written();
    },
  };
}

const NOT_YET: readonly string[] = [];
const NOW = ['a.yaml'];

t.test('ManifestDirectory.scan() waits for a file that was just modified', async (t) => {
  const { manifests, scanAt } = directoryOf(t, service('a'));
  t.same(await scanAt(5), { changed: NOT_YET, rescanMs: 8 });
  t.same(await scanAt(12.5), { changed: NOT_YET, rescanMs: 1 });
  t.equal(manifests.fileCount, 0);
  t.same(await scanAt(13), { changed: NOW });
  t.same(await scanAt(14), { changed: NOT_YET }, 'it is not read again');
});

t.test('ManifestDirectory.scan() waits longer for an empty or invalid file', async (t) => {
  for (const content of ['', '# nothing yet', BROKEN]) {
    const { manifests, scanAt, rewrite } = directoryOf(t, service('a'));
    await scanAt(1000);
    rewrite(content);
    t.same(await scanAt(20), { changed: NOT_YET, rescanMs: 40 });
    t.equal(manifests.objects().size, 1);
    t.same(await scanAt(60), { changed: content === BROKEN ? NOT_YET : NOW });
    t.equal(manifests.objects().size, content === BROKEN ? 1 : 0);
  }
});

t.test('ManifestDirectory.scan() reads a file with a modification time in the future', async (t) => {
  const { scanAt } = directoryOf(t, service('a'));
  t.same(await scanAt(-1), { changed: NOW });
});

t.test('ManifestDirectory.scan() with includeIncomplete reads the file again', async (t) => {
  const { manifests, scanAt, rewrite } = directoryOf(t, service('a', 81));
  t.same(await scanAt(1, { includeIncomplete: true }), { changed: NOW });
  rewrite(service('a', 82));
  t.same(await scanAt(20), { changed: NOW }, 'same size, same time, same inode');
  t.match([...manifests.objects().values()], [{ result: { value: { ports: [{ port: 82 }] } } }]);
});
