// A directory for everything that programs write, which goes when this process does.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeAtExit } from '../../support/netns/namespace-cleanup.ts';

/** Makes it, and makes it the temporary directory of every program started from now on. */
export function makeScratch(): string {
  const path = mkdtempSync(join(tmpdir(), 'nftlane-bench-'));
  process.env['TMPDIR'] = path;
  closeAtExit({ closeSync: () => rmSync(path, { recursive: true, force: true }) });
  return path;
}
