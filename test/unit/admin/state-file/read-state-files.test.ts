// Tests of src/admin/state-file/read-state-files.ts.

import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { engineState } from '../../../../src/admin/state/daemon-state.ts';
import { readStateFiles } from '../../../../src/admin/state-file/read-state-files.ts';
import { stampNow } from '../../../../src/admin/state-file/stamp.ts';
import { daemonStatus } from '../../../support/builders/daemon-status.ts';
import { engineOf } from '../../../support/builders/engine.ts';
import { service } from '../../../support/builders/service.ts';

const PROGRAM = { version: '1', pid: 7, source: 'test', status: daemonStatus() };
const STATE = { stamp: stampNow(), ...PROGRAM, ...engineState(engineOf([service()])) };

t.test('readStateFiles() leaves out missing, damaged and foreign files', async (t) => {
  const directory = t.testdir();
  const paths = { status: join(directory, 'status'), state: join(directory, 'state') };
  t.strictSame(await readStateFiles(paths, '1'), {});
  const good = gzipSync(JSON.stringify(STATE));
  writeFileSync(paths.state, good);
  t.equal((await readStateFiles(paths, '1')).state?.objects.Service.length, 1);
  t.equal((await readStateFiles(paths, '2')).state, undefined, 'another version');
  const foreign = gzipSync(JSON.stringify({ ...STATE, objects: { Service: 7 } }));
  for (const bytes of [Buffer.alloc(0), good.subarray(0, 50), gzipSync('{'), gzipSync('null'), foreign]) {
    writeFileSync(paths.state, bytes);
    t.equal((await readStateFiles(paths, '1')).state, undefined);
  }
  for (const text of ['', '[]', '{"stamp":{}}', 'null', '7', JSON.stringify({ stamp: stampNow(), status: {} })]) {
    writeFileSync(paths.status, text);
    t.equal((await readStateFiles(paths, '1')).status, undefined, text);
  }
  writeFileSync(join(directory, 'elsewhere'), good);
  rmSync(paths.state);
  symlinkSync(join(directory, 'elsewhere'), paths.state);
  t.equal((await readStateFiles(paths, '1')).state, undefined, 'a symbolic link');
});
