// Tests that the table of behavior statements is complete, names existing tests, and that its page is current.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { toPage } from '../../docs/behaviour/page.ts';
import { SECTIONS } from '../../docs/behaviour/sections.ts';
import type { TestName } from '../../docs/behaviour/statement.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const texts = new Map<string, string>();

function read(file: string): string {
  const text = texts.get(file) ?? readFileSync(`${ROOT}${file}`, 'utf8');
  texts.set(file, text);
  return text;
}

/** Whether the file has a test of exactly this title. */
function exists({ file, title }: TestName): boolean {
  const text = read(file);
  const quoted = [`'${title.replaceAll("'", "\\'")}'`, `"${title}"`, `\`${title}\``];
  return quoted.some((name) => /\.test\(\s*$/.test(text.slice(0, Math.max(0, text.indexOf(name)))));
}

t.test('exists() finds exact titles only', async (t) => {
  const file = 'test/unit/behaviour.test.ts';
  t.ok(exists({ file, title: 'exists() finds exact titles only' }));
  t.notOk(exists({ file, title: 'exists() finds exact' }));
  t.notOk(exists({ file, title: 'use strict' }));
});

t.test('the table has the expected number of statements, numbered without gaps', async (t) => {
  for (const { name, count, statements } of SECTIONS) {
    const expected = Array.from({ length: count }, (_, index) => `${name}.${index + 1}`);
    t.strictSame(
      statements.map(({ id }) => id),
      expected,
    );
  }
});

t.test('every statement is one sentence, and has a test or a reason for having none', async (t) => {
  for (const { id, text, tests = [], untested, improvements = [] } of SECTIONS.flatMap(
    ({ statements }) => statements,
  )) {
    t.match(text, /^[A-Z`].*[^.]\.$/, id);
    t.notMatch(text, /[^.]\. [A-Z]/, `${id} is one sentence`);
    t.ok(tests.length + improvements.length > 0 || (untested ?? '').length > 20, `${id} has a test or a reason`);
    for (const test of [...tests, ...improvements.map((improvement) => improvement.test)])
      t.ok(exists(test), `${id} names an existing test: ${test.file}: ${test.title}`);
  }
});

t.test('every improvement has its own test', async (t) => {
  const users = new Map<string, string[]>();
  for (const { id, improvements = [] } of SECTIONS.flatMap(({ statements }) => statements))
    for (const { test } of improvements)
      users.set(`${test.file}: ${test.title}`, [...(users.get(`${test.file}: ${test.title}`) ?? []), id]);
  t.ok(users.size >= 25, `${users.size} improvements`);
  for (const [test, ids] of users) t.equal(ids.length, 1, `${test} is the test of ${ids.join(', ')} only`);
});

t.test('the page is current', async (t) => {
  t.equal(read('docs/BEHAVIOUR.md'), toPage(SECTIONS), 'run node docs/behaviour/write-page.ts');
});
