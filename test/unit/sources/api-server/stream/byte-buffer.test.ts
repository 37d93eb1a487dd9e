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

t.test('ByteBuffer refuses more than 4 MiB', async (t) => {
  const buffer = new ByteBuffer();
  const mebibyte = Buffer.alloc(1024 ** 2, 'x');
  for (let count = 0; count < 4; count++) buffer.append(mebibyte);
  const error = { name: 'ConnectionError', message: 'an object is longer than 4 MiB' };
  t.throws(() => buffer.append(Buffer.from('x')), error);
});

t.test('ByteBuffer refuses objects with so many values that their parsed form is large', async (t) => {
  const fill = (text: string, times: number) => {
    const buffer = new ByteBuffer();
    buffer.append(Buffer.from(text.repeat(times)));
    return buffer;
  };
  const error = { name: 'ConnectionError', message: 'an object has more than 500000 values' };
  for (const text of ['[],', '{},', ',0,']) t.throws(() => fill(text, 400_000).take(), error, text);
  t.equal(fill('[],', 349_000).take().length, 1_047_000, 'up to 1 MiB');
  t.equal(fill('"a long value of a field",', 150_000).take().length, 3_900_000);
});
