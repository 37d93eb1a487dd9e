// A file beside the admin socket that records the pin directory of the fast path, for later processes that cannot see it.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { adminSocketPath } from '../admin/admin-socket.ts';
import { makeDirectory } from '../host/files/make-directory.ts';

/** Records the pin directory. Failures are ignored: the fast path works without the record. */
export async function writePinRecord(runDir: string, directory: string): Promise<void> {
  await makeDirectory(runDir)
    .then(() => writeFile(pinRecordPath(runDir), `${directory}\n`, { mode: 0o600 }))
    .catch(() => undefined);
}

export async function removePinRecord(runDir: string): Promise<void> {
  await rm(pinRecordPath(runDir), { force: true }).catch(() => undefined);
}

/**
 * Why the fast path may still be active although nothing is pinned in `directory`; `undefined` without a record. A
 * record means that its programs are still attached.
 */
export async function unreachablePins(runDir: string, directory: string): Promise<string | undefined> {
  const path = pinRecordPath(runDir);
  const recorded = await readFile(path, 'utf8').catch(() => undefined);
  if (recorded === undefined) return undefined;
  return `another daemon pinned it at "${recorded.trim()}" in its own mount namespace, and "${directory}" is empty here: its programs may still forward traffic; remove them with "nftlane cleanup --fast-path-dir DIRECTORY", as root, where the BPF file system of the node is mounted (if the machine has been rebooted since, delete "${path}")`;
}

function pinRecordPath(runDir: string): string {
  return adminSocketPath(runDir).replace(/sock$/, 'fastpath');
}
