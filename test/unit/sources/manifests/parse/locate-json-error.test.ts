// Tests of src/sources/manifests/parse/locate-json-error.ts.

import t from 'tap';
import { locateJsonError } from '../../../../../src/sources/manifests/parse/locate-json-error.ts';

t.test('locateJsonError() finds positions that JSON.parse does not report', async (t) => {
  const cases = ['{"a": "\\"]x", "b": !}', '[!', '[[], {}, true, null, -1.5e+3, !', '!', '[1, !', '{"a": !', '[truex'];
  for (const text of cases) t.equal(locateJsonError(text), text.search(/!|truex/), text);
  for (const text of ['[ , 1]', '[1, ]', '{"a": }', '[1,,2]']) {
    t.equal(locateJsonError(text), text.search(/(?<=[[,:] ?)[\],}]/), text);
  }
});
