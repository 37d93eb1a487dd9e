// Writes docs/BEHAVIOUR.md from the statements.

import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { toPage } from './page.ts';
import { SECTIONS } from './sections.ts';

await writeFile(fileURLToPath(new URL('../BEHAVIOUR.md', import.meta.url)), toPage(SECTIONS));
