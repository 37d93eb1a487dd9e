// Writing the configuration that is in effect.
import { writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import type { Settings } from '../../config/settings.ts';
import { errorMessage } from '../../lib/error-message.ts';
import { CommandError, EXIT } from '../../lib/exit-status.ts';

/** Writes both documents, defaults filled in; read again they give the same settings. */
export async function writeConfig({ kubeProxy, nftlane }: Settings['documents'], path: string): Promise<void> {
  try {
    await writeFile(path, [kubeProxy, nftlane].map((document) => stringify(document)).join('---\n'));
  } catch (error) {
    const reason = errorMessage(error);
    throw new CommandError(EXIT.failure, `Cannot write the configuration to ${path}: ${reason}`, { cause: error });
  }
}
