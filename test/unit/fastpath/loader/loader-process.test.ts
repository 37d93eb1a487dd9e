// Tests of src/fastpath/loader/loader-process.ts.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LoaderProcess } from '../../../../src/fastpath/loader/loader-process.ts';

/** A loader that answers `hello`, and other requests by the shell code. */
function loaderOf(t: Test, code: string, { protocol = 2, timeoutMs = 5000 } = {}): LoaderProcess {
  const directory = t.testdir({});
  const command = join(directory, 'loader');
  const text = `#!/bin/sh\nwhile read -r line; do\ncase "$line" in\nhello) echo "ok protocol=${protocol} schema=1 pid=$$";;\n${code}\nesac\ndone\n`;
  writeFileSync(command, text, { mode: 0o755 });
  const loader = new LoaderProcess({ command, directory, timeoutMs });
  t.teardown(() => loader.close());
  return loader;
}

t.test('request() returns the lines and fields of the response', async (t) => {
  const loader = loaderOf(
    t,
    'list) echo "attachment pod 7 tcx"; echo "attachment uplink 2 tcx"; echo "ok a=1 b=x=y";;',
  );
  const [one, two] = await Promise.all([loader.request('list'), loader.request('list')]);
  t.strictSame(one, { lines: ['attachment pod 7 tcx', 'attachment uplink 2 tcx'], fields: { a: '1', b: 'x=y' } });
  t.strictSame(two, one);
});

t.test('request() rejects with the code of a refusal', async (t) => {
  const loader = loaderOf(t, 'load) echo "error EPERM not allowed here";;');
  await t.rejects(loader.request('load'), { code: 'EPERM', message: /"load": EPERM not allowed here/ });
});

t.test('request() restarts a loader that exited', async (t) => {
  const loader = loaderOf(t, 'die) echo why >&2; exit 3;;\n*) echo ok;;');
  await t.rejects(loader.request('die'), { code: 'EXITED', message: /status 3 why/ });
  t.notOk(loader.isRunning);
  t.equal(loader.restarts, 0);
  t.strictSame((await loader.request('stats')).lines, []);
  t.equal(loader.restarts, 1);
});

t.test('request() kills a loader that does not respond', async (t) => {
  const loader = loaderOf(t, 'gc) exec sleep 60;;', { timeoutMs: 300 });
  await t.rejects(loader.request('gc'), { code: 'EXITED', message: /SIGKILL/ });
});

t.test('request() rejects a missing loader and one of another version', async (t) => {
  const none = new LoaderProcess({ command: '/there/is/none', directory: '/' });
  await t.rejects(none.request('probe'), { message: /no such program/ });
  const other = loaderOf(t, '', { protocol: 1 });
  await t.rejects(other.request('probe'), { code: 'EPROTO', message: /protocol 1/ });
});
