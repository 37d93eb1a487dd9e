// Reports words and phrases of hack/words.txt in comments, messages, tests and documents.
//   node hack/check-words.mjs [FILE|FOLDER]...     default: all files of the project, and unused exceptions
// Exit status: 0 none found, 1 some found, 2 the list is invalid.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const LIST = new URL('words.txt', import.meta.url);
/** Generated files, data, and the list itself. */
const NOT_PROSE = /\.(json|nft|patch)$|^LICENSES?\b|^hack\/words\.txt$/;

/** Between two words of a phrase: blanks, or a line break with the beginning of a comment, list or table line. */
const GAP = String.raw`(?:[ \t]+|[ \t]*\n[ \t]*(?:(?:\/\/|\/?\*+|#+|[|>-])[ \t]*)?)`;

function fail(message) {
  console.error(`words: ${message}`);
  process.exit(2);
}

function readList() {
  const patterns = [];
  const exceptions = [];
  for (const [index, line] of readFileSync(LIST, 'utf8').split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [left = '', right] = line.split(' -> ');
    if (right === undefined) fail(`Cannot read "hack/words.txt:${index + 1}": " -> " is missing`);
    const [, path, text] = /^allow (\S+) (.+)$/.exec(left) ?? [];
    if (path === undefined) patterns.push({ regexp: new RegExp(left.replaceAll(' ', GAP), 'gi'), better: right });
    else exceptions.push({ line, path, text, isUsed: false });
  }
  return { patterns, exceptions };
}

function appliesTo({ path }, file) {
  return path === '*' || path === file || (path.endsWith('/') && file.startsWith(path));
}

/** Whether a match is inside the literal text of an exception. */
function isExcepted(exceptions, { text, start, end }) {
  return exceptions.some((exception) => {
    for (let at = text.indexOf(exception.text); at >= 0; at = text.indexOf(exception.text, at + 1)) {
      if (at > start || end > at + exception.text.length) continue;
      exception.isUsed = true;
      return true;
    }
    return false;
  });
}

function check(file, { patterns, exceptions }) {
  const text = readFileSync(file, 'utf8');
  const own = exceptions.filter((exception) => appliesTo(exception, file));
  const found = [];
  for (const { regexp, better } of patterns) {
    for (const { index: start, 0: match } of text.matchAll(regexp)) {
      if (isExcepted(own, { text, start, end: start + match.length })) continue;
      const line = text.slice(0, start).split('\n').length;
      found.push({ line, word: match.replaceAll(/\s*\n[\s/*#|>-]*/g, ' '), better });
    }
  }
  return found.sort((a, b) => a.line - b.line);
}

function filesIn(paths) {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...paths];
  const listed = execFileSync('git', args, { encoding: 'utf8', maxBuffer: 2 ** 26 }).split('\n');
  const isText = (file) => file !== '' && !NOT_PROSE.test(file) && existsSync(file);
  return [...new Set([...listed.filter(isText), ...paths.filter((path) => /\.\w+$/.test(path) && existsSync(path))])];
}

const paths = process.argv.slice(2);
const list = readList();
let count = 0;
for (const file of filesIn(paths)) {
  for (const { line, word, better } of check(file, list)) {
    console.log(`${file}:${line}: "${word}": better: ${better}`);
    count++;
  }
}
for (const { line, isUsed } of paths.length > 0 ? [] : list.exceptions) {
  if (isUsed) continue;
  console.log(`hack/words.txt: exception is not used: ${line}`);
  count++;
}
if (count > 0) console.error(`words: ${count} found; see hack/words.txt`);
process.exit(count > 0 ? 1 : 0);
