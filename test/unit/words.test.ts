// Tests the word list: the script finds words and phrases, also across lines of a comment, and every pattern is useful.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

// A literal would be found in this file, too.
const AWAY = ['put', 'away'].join(' ');

function checkWords(t: Test, text: string): { status: number | null; lines: string[] } {
  const file = `${t.testdir({ 'text.md': text })}/text.md`;
  const { status, stdout } = spawnSync(process.execPath, ['hack/check-words.mjs', file], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return { status, lines: stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.slice(file.length)])) };
}

t.test('check-words accepts plain text', async (t) => {
  t.strictSame(checkWords(t, 'The daemon removes the rules.\n'), { status: 0, lines: [] });
});

t.test('check-words reports the line, the word, and a better one', async (t) => {
  const { status, lines } = checkWords(t, `Fine.\nThe rules are ${AWAY}.\n`);
  t.equal(status, 1);
  t.match(lines, [new RegExp(`^:2: "${AWAY}": better: removed`)]);
});

t.test('check-words finds a phrase across lines of a comment', async (t) => {
  t.equal(checkWords(t, `// The rules are ${AWAY.replace(' ', '\n// ')}.\n`).lines.length, 1);
});

t.test('every pattern has a better word, and every exception a reason', async (t) => {
  const lines = readFileSync(`${ROOT}hack/words.txt`, 'utf8').split('\n');
  const entries = lines.filter((line) => line !== '' && !line.startsWith('#'));
  t.ok(entries.length > 50, `${entries.length} entries`);
  for (const entry of entries) t.match(entry, /^\S.* -> \S/, entry);
});
