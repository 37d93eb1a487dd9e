// Reads the statements from the YAML files in this folder.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import * as z from 'zod/mini';
import type { Section, TestName } from './statement.ts';

/** One entry: the file below `test/` without `.test.ts`, and the title. */
const TEST = z.pipe(z.record(z.string(), z.string()), z.transform(toTestName));
const STATEMENT = z.strictObject({
  id: z.string(),
  text: z.string(),
  tests: z.optional(z.array(TEST)),
  untested: z.optional(z.string()),
  improvements: z.optional(z.array(z.strictObject({ kubeProxy: z.string(), test: TEST }))),
});
const SECTION = z.strictObject({ title: z.string(), count: z.number(), statements: z.array(STATEMENT) });

export const SECTIONS: readonly Section[] = ['services', 'endpoints', 'topology', 'packets', 'conntrack'].map(
  (name) => {
    const path = fileURLToPath(new URL(`${name}.yaml`, import.meta.url));
    return { name, ...SECTION.parse(parse(readFileSync(path, 'utf8'))) };
  },
);

function toTestName(entry: Readonly<Record<string, string>>): TestName {
  const [[path, title] = ['', '']] = Object.entries(entry);
  return { file: `test/${path}.test.ts`, title };
}
