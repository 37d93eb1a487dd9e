// Tests of src/sources/api-server/stream/line-splitter.ts.

import t from 'tap';
import { LineSplitter } from '../../../../../src/sources/api-server/stream/line-splitter.ts';

t.test('LineSplitter returns the same lines for chunks of any size', async (t) => {
  const bytes = Buffer.from('{"a":"ü"}\n\n日本語 🙂\nlast\nopen end');
  for (let size = 1; size <= bytes.length; size++) {
    const lines: string[] = [];
    const splitter = new LineSplitter((line) => lines.push(line));
    for (let from = 0; from < bytes.length; from += size) splitter.push(bytes.subarray(from, from + size));
    t.strictSame(lines, ['{"a":"ü"}', '日本語 🙂', 'last'], `${size} bytes`);
    t.equal(splitter.hasPartialLine, true);
    splitter.push(Buffer.from('\n'));
    t.equal(splitter.hasPartialLine, false);
  }
});
