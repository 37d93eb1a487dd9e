// Tests of src/sources/manifests/parse/manifest-error.ts.

import { readFileSync } from 'node:fs';
import t from 'tap';
import {
  isNotFound,
  ManifestError,
  toManifestError,
} from '../../../../../src/sources/manifests/parse/manifest-error.ts';

function errorOf(action: () => void): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}

t.test('ManifestError is one line with the file, the position and the reason', async (t) => {
  const error = new ManifestError('a.yaml', 'is\n  wrong', { at: { line: 2, column: 3 } });
  t.match(error, { message: 'Cannot read "a.yaml": line 2, column 3: is wrong', kind: 'input', line: 2, column: 3 });
  t.match(new ManifestError('a.yaml', 'is empty'), { message: 'Cannot read "a.yaml": is empty', line: undefined });
});

t.test('toManifestError() describes errors of node:fs, and keeps manifest errors', async (t) => {
  const absent = errorOf(() => readFileSync('/no/such/file'));
  t.match(toManifestError('a.yaml', absent), { reason: 'no such file or directory', cause: absent });
  t.match(toManifestError('a.yaml', new Error('other')), { reason: 'other' });
  const error = new ManifestError('b.yaml', 'is wrong');
  t.equal(toManifestError('a.yaml', error), error);
});

t.test('isNotFound() is true for ENOENT only', async (t) => {
  t.ok(isNotFound(errorOf(() => readFileSync('/no/such/file'))));
  t.notOk(isNotFound(errorOf(() => readFileSync('/'))));
  t.notOk(isNotFound(new Error('ENOENT')));
});
