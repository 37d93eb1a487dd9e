// Reports words and phrases of hack/words.txt in comments, messages, tests and documents.
//   node hack/check-words.mjs [FILE|FOLDER]...     default: all files that are checked
// Exit status: 0 none found, 1 some found, 2 the list is invalid.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const LIST = new URL('words.txt', import.meta.url);
const DEFAULT_PATHS = ['.ci', '.dockerignore', '.editorconfig', '.gitignore', 'bpf', 'docs', 'hack', 'manifests', 'src', 'test', '*.md', 'Dockerfile', 'Makefile'];
const NOT_PROSE = /\.(json|nft|tar|bin|pem)$|^hack\/words\.txt$|^docs\/schema\//;

/** Between two words of a phrase: blanks, or a line break with what begins a line of a comment, a list or a table. */
const GAP = String.raw`(?:[ \t]+|[ \t]*\n[ \t]*(?:(?:\/\/|\/?\*+|#+|[|>-])[ \t]*)?)`;

function fail(message) {
  console.error(`words: ${message}`);
  process.exit(2);
}

function compile(pattern) {
  const spaced = pattern.replaceAll(/\((\?<?[=!])?[^()]*\)| /g, (part) => part.replaceAll(' ', GAP));
  return new RegExp(spaced, 'gi');
}

function readList() {
  const patterns = [];
  const exceptions = [];
  for (const [index, line] of readFileSync(LIST, 'utf8').split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [left = '', right] = line.split(' -> ');
    if (right === undefined) fail(`Cannot read "hack/words.txt:${index + 1}": " -> " is missing`);
    const exception = /^(except|allow (\S+))(?: (.*))?$/.exec(left);
    if (exception) exceptions.push({ path: exception[2] ?? '', text: exception[3] });
    else patterns.push({ regexp: compile(left), better: right });
  }
  return { patterns, exceptions };
}

function appliesTo({ path }, file) {
  return path === '' || path === file || (path.endsWith('/') && file.startsWith(path));
}

function isExcepted(exceptions, text, { start, end }) {
  return exceptions.some(({ text: literal }) => {
    if (literal === undefined) return true;
    for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + 1)) {
      if (at <= start && end <= at + literal.length) return true;
    }
    return false;
  });
}

function check(file, { patterns, exceptions }) {
  const text = readFileSync(file, 'utf8');
  const ours = exceptions.filter((exception) => appliesTo(exception, file));
  const found = [];
  for (const { regexp, better } of patterns) {
    for (const match of text.matchAll(regexp)) {
      const place = { start: match.index, end: match.index + match[0].length };
      if (isExcepted(ours, text, place)) continue;
      const line = text.slice(0, match.index).split('\n').length;
      found.push({ line, word: match[0].replaceAll(/\s*\n[\s/*#|>-]*/g, ' '), better });
    }
  }
  return found.sort((a, b) => a.line - b.line);
}

const paths = process.argv.slice(2);
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...(paths.length > 0 ? paths : DEFAULT_PATHS)], { encoding: 'utf8', maxBuffer: 2 ** 26 });
const files = tracked.split('\n').filter((file) => file !== '' && !NOT_PROSE.test(file));
const list = readList();
let count = 0;
for (const file of files) {
  let found;
  try {
    found = check(file, list);
  } catch (error) {
    if (error.code === 'ENOENT') continue;
    throw error;
  }
  for (const { line, word, better } of found) console.log(`${file}:${line}: "${word}": better: ${better}`);
  count += found.length;
}
if (count > 0) console.error(`words: ${count} to replace; hack/words.txt has the better words and the exceptions`);
process.exit(count > 0 ? 1 : 0);
