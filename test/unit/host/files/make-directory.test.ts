// Tests of src/host/files/make-directory.ts.

import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeDirectory } from '../../../../src/host/files/make-directory.ts';

t.test('makeDirectory() creates parents and accepts an existing directory', async (t) => {
  const path = join(t.testdir(), 'a/b/c');
  await makeDirectory(path);
  await makeDirectory(path);
  await Promise.all([makeDirectory(`${path}/d/e`), makeDirectory(`${path}/d/f`)]);
  t.ok(statSync(path).isDirectory());
  t.equal(statSync(path).mode & 0o777, 0o755);
});

t.test('makeDirectory() rejects at a file, below a file, and below /proc', async (t) => {
  const file = join(t.testdir(), 'file');
  writeFileSync(file, '');
  await t.rejects(makeDirectory(file), { code: 'EEXIST' });
  await t.rejects(makeDirectory(join(file, 'a')), { code: 'ENOTDIR' });
  await t.rejects(makeDirectory('/proc/nonexistent/a/b'), { code: 'ENOENT' });
});
