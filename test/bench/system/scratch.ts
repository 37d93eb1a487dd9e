// A temporary directory for all programs, which is removed when this process exits.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeAtExit } from '../../support/netns/namespace-cleanup.ts';

/** Creates the directory, and sets TMPDIR of all programs started later. */
export function makeScratch(): string {
  const path = mkdtempSync(join(tmpdir(), 'nftlane-bench-'));
  process.env['TMPDIR'] = path;
  closeAtExit({ closeSync: () => rmSync(path, { recursive: true, force: true }) });
  return path;
}
