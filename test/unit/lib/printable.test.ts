// Tests of src/lib/printable.ts.

import t from 'tap';
import { joinLines, printable, printableLine } from '../../../src/lib/printable.ts';

t.test('printable() keeps what can be printed', async (t) => {
  for (const text of ['', 'shop/web:http', 'é 한국어 😀', 'two\nlines\tand a tab']) t.equal(printable(text), text);
});

t.test('printable() escapes controls, separators and changes of direction', async (t) => {
  const cases = {
    '\0': '\\u0000',
    'a\rb': 'a\\u000db',
    '\u001b[31mred': '\\u001b[31mred',
    '\u007f\u009b': '\\u007f\\u009b',
    '\u2028\u2029': '\\u2028\\u2029',
    'web\u202egpj': 'web\\u202egpj',
    '\u200e\u200f\u061c\u2066\u2069': '\\u200e\\u200f\\u061c\\u2066\\u2069',
    'lone \ud800 surrogate': 'lone \\ud800 surrogate',
  };
  for (const [text, expected] of Object.entries(cases)) t.equal(printable(text), expected);
});

t.test('printableLine() and joinLines() keep one line one line', async (t) => {
  t.equal(printableLine('web\n# all is well\t\u001b[2J'), 'web\\n# all is well\\t\\u001b[2J');
  t.equal(joinLines(['a\nb', 'c']), 'a\\nb\nc');
});
