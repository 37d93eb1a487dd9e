// Tests of src/sources/api-server/stream/byte-buffer.ts.

import t from 'tap';
import { ByteBuffer } from '../../../../../src/sources/api-server/stream/byte-buffer.ts';

t.test('ByteBuffer joins pieces, also inside a character', async (t) => {
  const buffer = new ByteBuffer();
  for (let round = 0; round < 2; round++) {
    const text = `${'a'.repeat(5000)}é€😀`;
    for (const byte of Buffer.from(text)) buffer.append(Buffer.from([byte]));
    t.equal(buffer.length, Buffer.byteLength(text));
    t.equal(buffer.take(), text);
    t.equal(buffer.length, 0);
  }
  t.equal(buffer.take(), '');
});

t.test('ByteBuffer copies: a small piece does not keep its large buffer', async (t) => {
  const buffer = new ByteBuffer();
  const large = Buffer.alloc(65_536, 'x');
  buffer.append(large.subarray(0, 2));
  large.fill('y');
  t.equal(buffer.take(), 'xx');
});

t.test('ByteBuffer refuses more than 16 MiB', async (t) => {
  const buffer = new ByteBuffer();
  const mebibyte = Buffer.alloc(1024 ** 2, 'x');
  for (let count = 0; count < 16; count++) buffer.append(mebibyte);
  const error = { name: 'ConnectionError', message: 'an object is longer than 16 MiB' };
  t.throws(() => buffer.append(Buffer.from('x')), error);
});
