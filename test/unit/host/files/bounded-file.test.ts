// Tests of src/host/files/bounded-file.ts.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readBoundedFile, UnreadableFile } from '../../../../src/host/files/bounded-file.ts';
import { loadFactor } from '../../../support/load-factor.ts';

const LIMIT = { maxBytes: 200_000 };
const directory = mkdtempSync(join(tmpdir(), 'nftlane-bounded-'));
t.teardown(() => rmSync(directory, { recursive: true }));
const at = (name: string): string => join(directory, name);

t.test('readBoundedFile() reads a regular file, also through a link, and at exactly the limit', async (t) => {
  writeFileSync(at('full'), 'x'.repeat(LIMIT.maxBytes));
  symlinkSync('full', at('link'));
  t.equal((await readBoundedFile(at('full'), LIMIT)).length, LIMIT.maxBytes);
  t.equal((await readBoundedFile(at('link'), LIMIT)).length, LIMIT.maxBytes);
  writeFileSync(at('empty'), '');
  t.equal((await readBoundedFile(at('empty'), LIMIT)).length, 0);
});

t.test('readBoundedFile() reads a file of /proc, whose size is 0', async (t) => {
  t.match((await readBoundedFile('/proc/self/status', LIMIT)).toString(), 'Name:');
});

t.test('readBoundedFile() refuses anything else within a second, with what it is', async (t) => {
  writeFileSync(at('large'), 'x'.repeat(LIMIT.maxBytes + 1));
  mkdirSync(at('directory'));
  execFileSync('mkfifo', [at('pipe')]);
  symlinkSync('pipe', at('link-to-pipe'));
  symlinkSync('/dev/zero', at('link-to-device'));
  const server = createServer().listen(at('socket'));
  t.teardown(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const cases = {
    large: /^is larger than 195\.3\d* KiB$/,
    directory: 'is a directory, not a regular file',
    pipe: 'is a named pipe, not a regular file',
    'link-to-pipe': 'is a named pipe, not a regular file',
    'link-to-device': 'is a device, not a regular file',
    socket: 'is a socket, not a regular file',
  };
  const startedAt = performance.now();
  for (const [name, message] of Object.entries(cases)) {
    const error = await readBoundedFile(at(name), LIMIT).catch((reason: unknown) => reason);
    t.ok(error instanceof UnreadableFile, name);
    t.match((error as Error).message, message, name);
  }
  t.ok(performance.now() - startedAt < 1000 * loadFactor(), 'within a second');
});

t.test('readBoundedFile() of a missing file rejects with the error of the system', async (t) => {
  await t.rejects(readBoundedFile(at('missing'), LIMIT), { code: 'ENOENT' });
});
