// Tests of src/host/files/path-exists.ts.

import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { pathExists } from '../../../../src/host/files/path-exists.ts';

t.test('pathExists() finds files and directories, and the targets of links', async (t) => {
  const directory = t.testdir({ file: '' });
  symlinkSync('file', join(directory, 'link'));
  symlinkSync('missing', join(directory, 'broken'));
  for (const name of ['', 'file', 'link']) t.equal(await pathExists(join(directory, name)), true, name);
  for (const name of ['missing', 'broken', 'file/below']) t.equal(await pathExists(join(directory, name)), false, name);
});
