// A file beside the daemon's socket which says that the fast path is at work, for whoever comes later and cannot see its pins.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { adminSocketPath } from '../admin/admin-socket.ts';

/** Notes where it is pinned. A directory that cannot be written is no reason to do without the fast path. */
export async function writePinRecord(runDir: string, directory: string): Promise<void> {
  await mkdir(runDir, { recursive: true, mode: 0o755 })
    .then(() => writeFile(pinRecordPath(runDir), `${directory}\n`, { mode: 0o600 }))
    .catch(() => undefined);
}

export async function removePinRecord(runDir: string): Promise<void> {
  await rm(pinRecordPath(runDir), { force: true }).catch(() => undefined);
}

/**
 * What to tell where the fast path is to be removed and nothing is pinned in `directory`: `undefined` unless a note says that
 * it was at work, for then it still is.
 */
export async function unreachablePins(runDir: string, directory: string): Promise<string | undefined> {
  const path = pinRecordPath(runDir);
  const recorded = await readFile(path, 'utf8').catch(() => undefined);
  if (recorded === undefined) return undefined;
  return `a daemon has pinned it at "${recorded.trim()}" as that daemon saw it, and nothing is at "${directory}" here: its programs may still lead traffic; remove them with "nftlane cleanup --fast-path-dir DIRECTORY" where the node's BPF file system is mounted, as root (if the machine was started anew since, delete "${path}")`;
}

function pinRecordPath(runDir: string): string {
  return adminSocketPath(runDir).replace(/sock$/, 'fastpath');
}
