// Writes the configuration in effect to a file.

import { writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import type { Settings } from '../../config/settings.ts';
import { errorMessage } from '../../lib/error-message.ts';

/** Writes both documents with their defaults. Reading the file gives the same settings. */
export async function writeConfig({ kubeProxy, nftlane }: Settings['documents'], path: string): Promise<void> {
  try {
    await writeFile(path, [kubeProxy, nftlane].map((document) => stringify(document)).join('---\n'));
  } catch (error) {
    throw new Error(`Cannot write configuration to "${path}": ${errorMessage(error)}`, { cause: error });
  }
}
