// Tests of src/sources/api-server/client/read-body.ts.

import { Readable } from 'node:stream';
import t from 'tap';
import { readBody } from '../../../../../src/sources/api-server/client/read-body.ts';

t.test('readBody() returns what arrives, up to its limit', async (t) => {
  t.equal(await readBody(Readable.from([Buffer.from('a'), Buffer.from('bc')])), 'abc');
  let chunks = 0;
  const endless = new Readable({
    read: () => {
      chunks += 1;
      endless.push(Buffer.alloc(1000, 'x'));
    },
  });
  t.equal((await readBody(endless, { maxBytes: 10_000 })).length, 10_000);
  t.ok(endless.destroyed, 'the rest is not read');
  t.ok(chunks < 100);
});

t.test('readBody() ends with the signal and keeps what has arrived', async (t) => {
  const timeout = new AbortController();
  const body = new Readable({ read: () => undefined });
  body.push(Buffer.from('half'));
  const reading = readBody(body, { signal: timeout.signal });
  setImmediate(() => timeout.abort());
  t.equal(await reading, 'half');
  t.equal(await readBody(new Readable({ read: () => undefined }), { signal: timeout.signal }), '');
});

t.test('readBody() rejects when the connection breaks', async (t) => {
  const body = new Readable({ read: () => body.destroy(new Error('reset')) });
  await t.rejects(readBody(body), { name: 'ConnectionError', message: 'reset' });
});
