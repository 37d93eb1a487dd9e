// Tests the rules of the source tree: layers of packages, circles, purity, and what may be used where.

import { existsSync, readFileSync } from 'node:fs';
import { basename, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { circleIn, groupGraph } from '../support/source-tree/circle.ts';
import { filesIn, type Source } from '../support/source-tree/source-files.ts';

/** The layers from the bottom up, one package each. An import runs down, or stays inside its package. */
const LAYERS = [
  'lib',
  'net',
  'host',
  'services',
  'nftables',
  'engine',
  'config',
  'sources',
  'controller',
  'fastpath',
  'conntrack',
  'health',
  'events',
  'migration',
  'metrics',
  'explain',
  'inspect',
  'admin',
  'doctor',
  'daemon',
  'cli',
  'main.ts',
];

/** Folders whose files do no I/O, read no clock and draw no random number: the same input gives the same output. */
const PURE_FOLDERS = [
  'src/lib/',
  'src/net/',
  'src/services/',
  'src/nftables/syntax/',
  'src/nftables/plan/',
  'src/nftables/compile/',
  'src/engine/',
  'src/explain/',
  'src/inspect/',
];

/** Text that only these files, or files in these folders, may contain. */
const ONLY_IN: readonly { readonly text: RegExp; readonly places: readonly string[] }[] = [
  { text: /'node:child_process'/, places: ['src/host/process/'] },
  { text: /'-f', '-'|'list', '(?:tables?|chains?|sets?|maps?|ruleset)'/, places: ['src/nftables/client/'] },
  { text: /'@kubernetes\/client-node[/']/, places: ['src/sources/api-server/'] },
  { text: /'prom-client[/']/, places: ['src/metrics/'] },
];

const IMPURE = /'node:|\bprocess\b|\bconsole\.|\bDate\.now\b|\bMath\.random\b|\bset(?:Timeout|Interval|Immediate)\b/;
const VAGUE_NAMES = ['index', 'utils', 'helpers', 'common', 'misc', 'types'];
const MAX_LINES = 300;
/** A function fits on a screen. */
const MAX_FUNCTION_LINES = 50;

/** References to private notes: paths outside the project, and numbers of statements in other documents. */
const PRIVATE = /\.\.\/shared\b|\/work\/|DESIGN\.md|\b(?:IN|SP|EP|TO|PK|NF|CT|HC|SL|CF|OP|TD)-\d+[a-z]?\b/;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ARCHITECTURE = `${ROOT}docs/ARCHITECTURE.md`;
const OWN_PATH = 'test/unit/layers.test.ts';

const sources = filesIn('src').filter(({ path }) => path.endsWith('.ts'));
const texts = new Map(sources.map(({ path, text }) => [path, text]));

/** The files that a file imports from, without packages. */
function importsOf({ path, text }: Source): string[] {
  const found = text.matchAll(/(?:\bfrom|\bimport\(?)\s*'(\.[^']+)'/g);
  return [...found].map(([, target = '']) => posix.join(posix.dirname(path), target));
}

/** The code without comments. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$|\s\/\/ .*$/gm, '');
}

function packageOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function layerOf(path: string): number {
  return LAYERS.indexOf(packageOf(path));
}

t.test('every package has its layer', async (t) => {
  t.ok(sources.length > 30, 'there are sources');
  const packages = new Set(sources.map(({ path }) => packageOf(path)));
  t.strictSame([...packages].sort(), [...LAYERS].sort(), `the packages of src/ are LAYERS at the top of ${OWN_PATH}`);
});

t.test('imports never run up', async (t) => {
  for (const source of sources) {
    for (const target of importsOf(source)) {
      t.ok(texts.has(target), `${source.path} imports ${target}, which exists`);
      if (packageOf(source.path) === packageOf(target)) continue;
      t.ok(layerOf(target) < layerOf(source.path), `${source.path} may import ${target}`);
    }
  }
});

const importGraph = new Map(sources.map((source) => [source.path, new Set(importsOf(source))]));

t.test('circleIn() finds a circle, however long', async (t) => {
  const graph = (edges: Record<string, string[]>) =>
    new Map(Object.entries(edges).map(([from, to]) => [from, new Set(to)]));
  t.equal(circleIn(graph({ a: ['b'], b: ['c'], c: [] })), undefined);
  t.strictSame(circleIn(graph({ a: ['a'] })), ['a', 'a']);
  t.strictSame(circleIn(graph({ a: ['b'], b: ['c'], c: ['d'], d: ['b'] })), ['b', 'c', 'd', 'b']);
});

t.test('there is no circle between files', async (t) => {
  t.equal(circleIn(importGraph), undefined);
});

t.test('there is no circle between folders', async (t) => {
  t.equal(circleIn(groupGraph(importGraph, posix.dirname)), undefined);
});

t.test('no folder of src/ has more than a dozen files', async (t) => {
  const sizes = new Map<string, number>();
  for (const { path } of sources) sizes.set(posix.dirname(path), (sizes.get(posix.dirname(path)) ?? 0) + 1);
  for (const [folder, size] of sizes) t.ok(size <= 12, `${folder} has ${size} files`);
});

t.test('pure packages do no I/O', async (t) => {
  for (const { path, text } of sources.filter(({ path }) => PURE_FOLDERS.some((folder) => path.startsWith(folder)))) {
    const [found] = IMPURE.exec(withoutComments(text)) ?? [];
    t.equal(found, undefined, path);
  }
});

t.test('some modules are used in one place only', async (t) => {
  for (const { text: forbidden, places } of ONLY_IN) {
    const users = sources.filter(({ text }) => forbidden.test(text)).map(({ path }) => path);
    const others = users.filter((user) => !places.some((place) => user === place || user.startsWith(place)));
    t.strictSame(others, [], String(forbidden));
  }
});

t.test('files are short, say what they are, and have one name', async (t) => {
  for (const { path, text } of sources) {
    const lines = text.split('\n');
    t.ok(lines.length <= MAX_LINES + 1, `${path} has ${lines.length - 1} lines`);
    t.match(lines[0], /^(?:#!|\/\/ [A-Z\d`])/, `${path} begins with a comment about its content`);
    t.match(text, /^(?:#!.*\n)?(?:\/\/.*\n)+\n/, `${path} has a blank line after it`);
    t.notOk(VAGUE_NAMES.includes(basename(path, '.ts')), `${path} has a specific name`);
    t.match(basename(path), /^[a-z0-9-]+\.ts$/, `${path} is in kebab case`);
    t.notMatch(text, /^export default\b/m, `${path} has no default export`);
  }
});

/** Functions and methods with their lengths in lines, as the formatter indents them. */
function functionLengths(text: string): [name: string, lines: number][] {
  const functions = text.matchAll(/^(?:export )?(?:async )?function\*? (\w+)[\s\S]*?^\}$/gm);
  const methods = text.matchAll(/^ {2}(?:static |async |get |\*)*(#?\w+)(?:<.*>)?\([^;]*?\{\n[\s\S]*?^ {2}\}$/gm);
  return [...functions, ...methods].map(([block, name = '']) => [name, block.split('\n').length]);
}

t.test('functions fit on a screen', async (t) => {
  const found = sources.flatMap(({ path, text }) => functionLengths(text).map((entry) => [path, ...entry] as const));
  t.ok(found.length > 1000, `${found.length} functions`);
  for (const [path, name, lines] of found) t.ok(lines <= MAX_FUNCTION_LINES, `${path}: ${name} has ${lines} lines`);
});

t.test('every export is used by another file', async (t) => {
  const all = ['src', 'test', 'docs'].flatMap(filesIn).filter(({ path }) => path.endsWith('.ts'));
  const importers = new Map<string, string[]>();
  for (const file of all) {
    const text = withoutComments(file.text);
    for (const target of importsOf(file)) importers.set(target, [...(importers.get(target) ?? []), text]);
  }
  for (const { path, text } of sources) {
    const users = importers.get(path) ?? [];
    for (const [, name = ''] of text.matchAll(
      /^export (?:async )?(?:function\*?|class|const|interface|type) (\w+)/gm,
    )) {
      const word = new RegExp(`\\b${name}\\b`);
      t.ok(
        users.some((user) => word.test(user)),
        `${path}: ${name}`,
      );
    }
  }
});

/** Whether a file has code, not types alone. */
function hasCode({ text }: Source): boolean {
  return /^(?:export )?(?:async )?(?:function|class|const|let)\b/m.test(text);
}

/** The table of wider tests in ARCHITECTURE.md: files of `src/`, and the tests that cover them. */
function widerTests(): { readonly files: readonly string[]; readonly tests: readonly string[] }[] {
  const [, table = ''] = /<!-- covered -->([\s\S]*)<!-- \/covered -->/.exec(readFileSync(ARCHITECTURE, 'utf8')) ?? [];
  const rows = table.matchAll(/^\| `src\/([^`]*)` \| (.*) \| (.*) \|$/gm);
  return [...rows].map(([, folder = '', files = '', tests = '']) => ({
    files: inlineCode(files).map((name) => posix.join('src', folder, name)),
    tests: inlineCode(tests).map((name) => posix.join('test', name)),
  }));
}

function inlineCode(cell: string): string[] {
  return [...cell.matchAll(/`([^`]*)`/g)].map(([, text = '']) => text);
}

t.test('every file of src/ with code has a unit test, or a wider test in ARCHITECTURE.md', async (t) => {
  const rows = widerTests();
  const covered = rows.flatMap(({ files }) => files);
  const testOf = (path: string) => path.replace(/^src\/(.*)\.ts$/, 'test/unit/$1.test.ts');
  for (const source of sources.filter(hasCode)) {
    const { path } = source;
    const hasTest = existsSync(`${ROOT}${testOf(path)}`);
    t.ok(hasTest || covered.includes(path), `${path} has ${testOf(path)}, or is in the table of docs/ARCHITECTURE.md`);
    t.notOk(hasTest && covered.includes(path), `${path} has its own test and is not in the table`);
  }
  for (const path of covered) t.ok(texts.has(path), `${path} in the table exists`);
  for (const test of rows.flatMap(({ tests }) => tests))
    t.ok(existsSync(`${ROOT}${test}`), `${test} in the table exists`);
});

t.test('nothing refers to documents outside the project', async (t) => {
  const all = ['src', 'test', 'manifests'].flatMap(filesIn).filter(({ path }) => path !== OWN_PATH);
  for (const { path, text } of all) {
    const [found] = PRIVATE.exec(text) ?? [];
    t.equal(found, undefined, path);
  }
});
