// The text of the project's documents and sources.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Files under a folder of the project whose names end so, by their paths from the top. */
export function textsIn(folder: string, ending: string): Map<string, string> {
  const entries = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length));
  return new Map(paths.sort().map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]));
}

/** The documents at the top and in docs/, with continued lines joined. */
export function documentTexts(): Map<string, string> {
  const names = readdirSync(ROOT).filter((name) => name.endsWith('.md') && name !== 'CHANGELOG.md');
  const top = names.map((name) => [name, readFileSync(join(ROOT, name), 'utf8')] as const);
  return new Map([...textsIn('docs', '.md'), ...top].map(([path, text]) => [path, text.replaceAll(/\\\n */g, '')]));
}

export interface Occurrence {
  readonly path: string;
  readonly groups: readonly string[];
}

/** Matches of a pattern in texts, with where they are. */
export function occurrences(texts: ReadonlyMap<string, string>, pattern: RegExp): Occurrence[] {
  return [...texts].flatMap(([path, text]) =>
    [...text.matchAll(pattern)].map(([, ...groups]) => ({ path, groups: groups.map((group) => group ?? '') })),
  );
}
