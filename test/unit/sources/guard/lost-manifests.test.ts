// Tests of src/sources/guard with a directory of manifests: it becomes empty, as after an unmount, or disappears.

import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Store } from '../../../../src/engine/store.ts';
import { systemClock } from '../../../../src/host/clock.ts';
import { SourceGuard } from '../../../../src/sources/guard/source-guard.ts';
import { DirectorySource } from '../../../../src/sources/manifests/directory-source.ts';
import { holdRecord } from '../../../support/fakes/hold-record.ts';
import { recordLog } from '../../../support/fakes/recording-log.ts';
import { waitUntil } from '../../../support/wait-until.ts';
import { LIMITS, webService, webSlice } from './guarded-world.ts';

const SERVICES = 30;

t.test(
  'a directory of manifests that becomes empty, or is replaced by an empty one, takes no Service away',
  async (t) => {
    const scratch = await mkdtemp(join(tmpdir(), 'nftlane-lost-'));
    t.teardown(() => rm(scratch, { recursive: true }));
    const directory = join(scratch, 'manifests');
    await mkdir(directory);
    const fill = async () => {
      for (let index = 0; index < SERVICES; index++) {
        await writeFile(join(directory, `s${index}.json`), JSON.stringify(webService(index)));
        await writeFile(join(directory, `e${index}.json`), JSON.stringify(webSlice(index)));
      }
    };
    await fill();
    const store = new Store();
    const { log, lines } = recordLog();
    const common = { clock: systemClock, log, record: holdRecord() };
    const guard = new SourceGuard({ ...common, sink: store, store, nodeName: 'n1', limits: () => LIMITS });
    const stop = new AbortController();
    const run = new DirectorySource({ directory, sink: guard, log }).run(stop.signal);
    t.teardown(async () => {
      stop.abort();
      await run;
      guard.close();
    });
    const count = (message: string) => lines.filter((line) => line.message === message).length;
    await waitUntil('objects', () => count('manifests loaded') === 1);
    t.equal(store.services.size, SERVICES);

    for (const file of await readdir(directory)) await rm(join(directory, file));
    await waitUntil('hold', () => guard.counts.heldServices === SERVICES);
    t.equal(store.services.size, SERVICES);
    t.equal([...store.slices()].length, SERVICES);
    await fill();
    await waitUntil('recovery', () => count('source has its Services again') === 1);

    await rename(directory, join(scratch, 'elsewhere'));
    await waitUntil('missing', () => count('cannot read manifest directory; keeping its objects') === 1);
    t.equal(guard.counts.heldServices, 0, 'the source itself keeps them');
    await mkdir(directory);
    await waitUntil('hold', () => guard.counts.heldServices === SERVICES);
    t.equal(store.services.size, SERVICES);
    t.equal(guard.acceptLoss(), SERVICES);
    t.equal(store.services.size, 0);
  },
);
