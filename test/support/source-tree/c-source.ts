// A simple reading of C in kernel style: includes, function definitions and uses of names. It is not a parser: a definition
// begins in column 0 and ends with a brace in column 0, as clang-format leaves it.

import { posix } from 'node:path';
import type { Source } from './source-files.ts';

export interface CFunction {
  /** One name; two for `FN(x)` of the templates, which is `x4` and `x6`. */
  readonly names: readonly string[];
  readonly isStatic: boolean;
  /** From the first line of the signature to the closing brace. */
  readonly lines: number;
}

/** The paths in quoted includes. */
export function includesOf({ text }: Source): string[] {
  return [...text.matchAll(/^#include "([^"]+)"$/gm)].map(([, path = '']) => path);
}

export function functionsOf({ text }: Source): CFunction[] {
  const definitions = codeOf(text).matchAll(/^(\w[^;{}=#]*?)\b(?:FN\((\w+)\)|(\w+))\(([^;{}]*)\)\n\{\n[\s\S]*?^\}$/gm);
  return [...definitions].map(([whole, before = '', template, name]) => ({
    names: template === undefined ? [name ?? ''] : familyNames(template),
    isStatic: /\bstatic\b/.test(before),
    lines: whole.split('\n').length,
  }));
}

/** The names that the code mentions, other than those of types. */
export function namesIn({ text }: Source): Set<string> {
  const code = codeOf(text).replaceAll(/\b(?:struct|enum) \w+/g, '');
  const templates = [...code.matchAll(/\bFN\((\w+)\)/g)].flatMap(([, name = '']) => familyNames(name));
  return new Set([...code.matchAll(/\b[a-z]\w*\b/g)].map(([name]) => name).concat(templates));
}

function familyNames(name: string): string[] {
  return [`${name}4`, `${name}6`];
}

/** Which files include which, by paths. An include is found beside its file, or from `root` on. */
export function includeGraph(files: readonly Source[], root: string): Map<string, Set<string>> {
  const paths = new Set(files.map(({ path }) => path));
  const resolve = (from: string, include: string) => {
    const beside = posix.join(posix.dirname(from), include);
    return paths.has(beside) ? beside : posix.join(root, include);
  };
  return new Map(
    files.map((file) => [file.path, new Set(includesOf(file).map((include) => resolve(file.path, include)))]),
  );
}

/** The path of a file without its extension: `x.c` and its header `x.h` are one unit. */
export function unitOf(path: string): string {
  return path.replace(/\.[ch]$/, '');
}

/**
 * Which units use functions of which. A static function of a `.c` file is its own; one of a header is for all.
 * A function that is only pointed to counts as called.
 */
export function callGraph(files: readonly Source[]): Map<string, Set<string>> {
  const owners = new Map<string, string>();
  const own = new Map<string, Set<string>>();
  for (const file of files) {
    for (const { names, isStatic } of functionsOf(file)) {
      own.set(file.path, new Set([...(own.get(file.path) ?? []), ...names]));
      if (isStatic && file.path.endsWith('.c')) continue;
      for (const name of names) owners.set(name, unitOf(file.path));
    }
  }
  const graph = new Map(files.map(({ path }) => [unitOf(path), new Set<string>()]));
  for (const file of files) {
    for (const name of namesIn(file)) {
      const target = own.get(file.path)?.has(name) ? undefined : owners.get(name);
      if (target !== undefined && target !== unitOf(file.path)) graph.get(unitOf(file.path))?.add(target);
    }
  }
  return graph;
}

/** Without comments and the contents of strings. */
function codeOf(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"/g, (found) => (found.startsWith('"') ? '""' : ''));
}
