// Tests of src/config/schema/decode.ts.

import t from 'tap';
import * as z from 'zod/mini';
import { decode, formatPath, formatValue } from '../../../../src/config/schema/decode.ts';

const SCHEMA = z.strictObject({
  name: z.optional(z.string()),
  mode: z.optional(z.enum(['no', 'auto'])),
  count: z.optional(z.int().check(z.minimum(1), z.maximum(9))),
  rules: z.optional(z.array(z.strictObject({ match: z.string() }))),
});

t.test('decode() returns a valid document unchanged', async (t) => {
  const document = { name: 'a', mode: 'auto', count: 3, rules: [{ match: 'x' }] };
  t.strictSame(decode(SCHEMA, document, 'Kind'), { value: document, unknown: [], invalid: [] });
  t.strictSame(decode(SCHEMA, {}, 'Kind'), { value: {}, unknown: [], invalid: [] });
});

t.test('decode() removes unknown and invalid fields and reports all of them', async (t) => {
  const document = { name: {}, count: 10, other: 1, rules: [{ match: 'x' }, { match: 'y', extra: 1 }, {}] };
  const { value, unknown, invalid } = decode(SCHEMA, document, 'Kind');
  t.strictSame(unknown.map(({ path, reason }) => `${path}: ${reason}`).sort(), [
    'Kind.other: unknown field',
    'Kind.rules[1].extra: unknown field',
  ]);
  t.strictSame(invalid.map(({ path, reason }) => `${path}: ${reason}`).sort(), [
    'Kind.count: 10 is greater than 9',
    'Kind.name: {} is not a string',
    'Kind.rules[2].match: required field is missing',
  ]);
  t.strictSame(value, {}, 'a list with an invalid entry is removed');
  t.equal(document.count, 10, 'the given document is unchanged');
});

t.test('decode() accepts scalars that YAML parsed as another type', async (t) => {
  t.strictSame(decode(SCHEMA, { name: 12, mode: false }, 'Kind').value, { name: '12', mode: 'no' });
  t.match(decode(SCHEMA, { mode: 'never' }, 'Kind').invalid, [{ reason: '"never" is not one of "no", "auto"' }]);
});

t.test('formatPath() and formatValue() print for messages', async (t) => {
  t.equal(formatPath('Kind', ['a', 0, 'b']), 'Kind.a[0].b');
  t.equal(formatValue('x'.repeat(100)).length, 60);
  t.equal(formatValue(undefined), 'undefined');
});
