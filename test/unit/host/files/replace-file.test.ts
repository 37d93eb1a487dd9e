// Tests of src/host/files/replace-file.ts.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { replaceFile } from '../../../../src/host/files/replace-file.ts';

t.test('replaceFile() replaces the file when all is written', async (t) => {
  const directory = t.testdir({ state: 'old' });
  const path = join(directory, 'state');
  await replaceFile(path, async (temporary) => {
    await writeFile(temporary, 'new', { flag: 'wx' });
    t.equal(readFileSync(path, 'utf8'), 'old');
  });
  t.equal(readFileSync(path, 'utf8'), 'new');
  t.strictSame(readdirSync(directory), ['state']);
});

t.test('replaceFile() keeps the old file if writing fails, and leaves nothing behind', async (t) => {
  const directory = t.testdir({ state: 'old' });
  const path = join(directory, 'state');
  const failing = replaceFile(path, async (temporary) => {
    writeFileSync(temporary, 'a part');
    throw new Error('the disk is full');
  });
  await t.rejects(failing, { message: 'the disk is full' });
  t.equal(readFileSync(path, 'utf8'), 'old');
  t.strictSame(readdirSync(directory), ['state']);
});
