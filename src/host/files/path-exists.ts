// Whether there is something at a path.

import { stat } from 'node:fs/promises';

/** Follows symbolic links. What cannot be examined counts as missing. */
export function pathExists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
