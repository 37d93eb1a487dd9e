// Tests the rules of the C code in bpf/: no circle of includes or calls, short functions, small folders, licenses.

import { posix } from 'node:path';
import t from 'tap';
import { callGraph, functionsOf, includeGraph, namesIn, unitOf } from '../support/source-tree/c-source.ts';
import { circleIn, groupGraph } from '../support/source-tree/circle.ts';
import { filesIn, type Source } from '../support/source-tree/source-files.ts';

const ROOT = 'bpf';
const LOADER = 'bpf/loader/';
const MAX_FILES = 12;
const MAX_FUNCTION_LINES = 50;
const MAX_FILE_LINES = 300;

const files = filesIn(ROOT).filter(({ path }) => /\.[ch]$/.test(path));
const loader = files.filter(({ path }) => path.startsWith(LOADER));
const programs = files.filter(({ path }) => !path.startsWith(LOADER));
/** The C programs of the tests and benches. */
const tools = ['test/integration/bpf/harness', 'test/bench/fastpath/load-generator', 'test/support/fastpath'].map(
  (folder) => filesIn(folder).filter(({ path }) => /\.[ch]$/.test(path)),
);

/** A file at the top of the programs or of the loader is a group of its own. */
const groupOf = (path: string) => {
  const folder = posix.dirname(path);
  return folder === ROOT || `${folder}/` === LOADER ? unitOf(path) : folder;
};

const file = (path: string, text: string): Source => ({ path, text });

t.test('includeGraph() finds a circle of includes', async (t) => {
  const circle = [file('bpf/a.h', '#include "x/b.h"\n'), file('bpf/x/b.h', '#include <stdio.h>\n#include "c.h"\n')];
  const end = file('bpf/x/c.h', '#include "a.h"\n');
  t.equal(circleIn(includeGraph(circle, 'bpf')), undefined);
  t.strictSame(circleIn(includeGraph([...circle, end], 'bpf')), ['bpf/a.h', 'bpf/x/b.h', 'bpf/x/c.h', 'bpf/a.h']);
});

t.test('callGraph() finds a circle of calls, and of pointers to functions', async (t) => {
  const a = file('a.c', 'void a(void)\n{\n\tb(1);\n}\n');
  const b = file('b.c', 'static int own(int x)\n{\n\treturn x;\n}\n\nint b(int x)\n{\n\treturn own(x);\n}\n');
  t.equal(circleIn(callGraph([a, b])), undefined);
  const back = file('b.c', `${b.text}\nvoid *c(void)\n{\n\treturn a;\n}\n`);
  t.strictSame(circleIn(callGraph([a, back])), ['a', 'b', 'a']);
  const comment = file('b.c', `${b.text}\n/* a() calls this. */\nconst char *c(void)\n{\n\treturn "a()";\n}\n`);
  t.equal(circleIn(callGraph([a, comment])), undefined);
});

t.test('functionsOf() reads definitions and templates, and no declarations', async (t) => {
  const text = `int declared(int x);

static const char *one(int x,
		       int y)
{
	if (x) {
		return "}";
	}
	return NULL;
}

static __noinline bool FN(two)(const KEY *key)
{
	return FN(three)(key);
}
`;
  t.strictSame(functionsOf(file('a.h', text)), [
    { names: ['one'], isStatic: true, lines: 8 },
    { names: ['two4', 'two6'], isStatic: true, lines: 4 },
  ]);
  t.ok(['three4', 'three6'].every((name) => namesIn(file('a.h', text)).has(name)));
});

t.test('the sources of both are found, with their functions', async (t) => {
  t.ok(functionsOf(files.find(({ path }) => path === 'bpf/loader/main.c') ?? file('', '')).length > 1);
  t.ok(loader.length > 20 && programs.length > 10 && tools.flat().length > 10);
  t.ok(files.flatMap(functionsOf).length > 150);
});

t.test('every include exists, and there is no circle of includes', async (t) => {
  for (const part of [files, ...tools]) {
    const graph = includeGraph(part, ROOT);
    for (const [path, targets] of graph)
      for (const target of targets) t.ok(graph.has(target), `${path} includes ${target}, which exists`);
    t.equal(circleIn(graph), undefined);
    t.equal(circleIn(groupGraph(graph, groupOf)), undefined, 'between folders');
  }
});

t.test('there is no circle of calls between files', async (t) => {
  for (const part of [loader, programs, ...tools]) {
    const graph = callGraph(part);
    t.equal(circleIn(graph), undefined);
    t.equal(circleIn(groupGraph(graph, groupOf)), undefined, 'between folders');
  }
});

t.test('a file includes the header of every file that it calls', async (t) => {
  for (const part of [loader, ...tools]) {
    const includes = groupGraph(includeGraph(part, ROOT), unitOf);
    for (const [unit, targets] of callGraph(part))
      for (const target of targets) t.ok(includes.get(unit)?.has(target), `${unit} includes ${target}.h`);
  }
});

t.test('the loader and the programs share only the structs', async (t) => {
  const shared = new Set(['bpf/shared.h']);
  for (const [path, targets] of includeGraph(files, ROOT)) {
    for (const target of targets) {
      if (path.startsWith(LOADER) === target.startsWith(LOADER)) continue;
      t.ok(shared.has(target), `${path} includes ${target}`);
    }
  }
});

t.test('folders are small, files and functions are short', async (t) => {
  const sizes = new Map<string, number>();
  const all = [...files, ...tools.flat()];
  for (const { path, text } of all) {
    sizes.set(posix.dirname(path), (sizes.get(posix.dirname(path)) ?? 0) + 1);
    t.ok(text.split('\n').length <= MAX_FILE_LINES + 1, `${path} has at most ${MAX_FILE_LINES} lines`);
  }
  for (const [folder, size] of sizes) t.ok(size <= MAX_FILES, `${folder} has ${size} files`);
  for (const source of all) {
    for (const { names, lines } of functionsOf(source))
      t.ok(lines <= MAX_FUNCTION_LINES, `${names[0]} in ${source.path} has ${lines} lines`);
  }
});

t.test('every C file has its license, and says what it is', async (t) => {
  for (const { path, text } of [...files, ...filesIn('test').filter(({ path }) => /\.[ch]$/.test(path))]) {
    const license = programs.some((program) => program.path === path) ? 'GPL-2.0-only OR BSD-2-Clause' : 'Apache-2.0';
    const [first, second] = text.split('\n');
    t.equal(first, `/* SPDX-License-Identifier: ${license} */`, path);
    t.match(second, /^\/\*/, `${path} has a comment about itself`);
  }
  const texts = filesIn('LICENSES').map(({ path }) => posix.basename(path, '.txt'));
  t.strictSame(texts, ['Apache-2.0', 'BSD-2-Clause', 'GPL-2.0-only']);
});
