// Tests of src/config/schema/field.ts.

import t from 'tap';
import * as z from 'zod/mini';
import {
  DURATION,
  field,
  fillDefaults,
  STRING,
  STRING_LIST,
  unwrapSchema,
} from '../../../../src/config/schema/field.ts';

const SCHEMA = z.strictObject({
  name: field(STRING, { description: 'x', default: 'n' }),
  list: field(STRING_LIST, { description: 'x', default: ['a'] }),
  period: field(DURATION, { description: 'x', default: '30s' }),
  size: field(z.int(), { description: 'x', default: 7 }),
  bit: field(z.int(), { description: 'x', default: 14, keepsZero: true }),
  section: field(z.strictObject({ inner: field(STRING, { description: 'x', default: 'i' }) }), { description: 'x' }),
  optional: field(STRING, { description: 'x' }),
});
const DEFAULTS = { name: 'n', list: ['a'], period: '30s', size: 7, bit: 14, section: { inner: 'i' } };

t.test('fillDefaults() applies defaults to absent and null fields', async (t) => {
  for (const zeroIsAbsent of [true, false]) {
    t.strictSame(fillDefaults(SCHEMA, {}, { zeroIsAbsent }), DEFAULTS);
    t.strictSame(fillDefaults(SCHEMA, { name: null, section: null }, { zeroIsAbsent }), DEFAULTS);
  }
});

t.test('fillDefaults() treats zeros as absent on request, except in fields that keep them', async (t) => {
  const zeros = { name: '', list: [], period: '0s', size: 0, bit: 0, section: { inner: '' } };
  t.strictSame(fillDefaults(SCHEMA, zeros, { zeroIsAbsent: true }), { ...DEFAULTS, bit: 0 });
  t.strictSame(fillDefaults(SCHEMA, zeros, { zeroIsAbsent: false }), zeros);
});

t.test('DURATION accepts Go durations and the empty string', async (t) => {
  for (const text of ['', '30s', '-1h']) t.ok(DURATION.safeParse(text).success, text);
  t.notOk(DURATION.safeParse('30').success);
});

t.test('unwrapSchema() returns the schema inside optional and nullable', async (t) => {
  t.equal(unwrapSchema(field(DURATION, { description: 'x' })), DURATION);
});
