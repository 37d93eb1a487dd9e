// The files of this project, for tests about the source tree.

import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export interface Source {
  /** Relative to the root of the project, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** All files under a folder; none when there is no such folder. */
export function filesIn(folder: string): Source[] {
  let entries: ReturnType<typeof readEntries>;
  try {
    entries = readEntries(folder);
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return { path: posix.join(...path.slice(ROOT.length).split('/')), text: readFileSync(path, 'utf8') };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function readEntries(folder: string) {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true });
}
