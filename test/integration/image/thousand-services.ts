// Writes a thousand Services with three endpoints each as a manifest.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KINDS } from '../../../src/services/objects/kinds.ts';
import { putBulk } from '../../support/api-server/bulk-objects.ts';

export const SIZE = { services: 1000, endpoints: 3 };

/** Writes the manifest into a directory. */
export async function writeThousandServices(directory: string): Promise<void> {
  const documents: string[] = [];
  putBulk(
    {
      put: (kind, object) => {
        documents.push(JSON.stringify({ kind, apiVersion: KINDS[kind].apiVersion, ...object }));
      },
    },
    SIZE,
  );
  await writeFile(join(directory, 'thousand.yaml'), documents.join('\n---\n'));
}
