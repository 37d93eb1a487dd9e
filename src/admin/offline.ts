// Commands on a machine where nftlane does not run: the kernel has no ruleset that an answer could be compared with.

import { access } from 'node:fs/promises';
import type { Engine } from '../engine/engine.ts';
import { FAMILIES } from '../net/family.ts';
import { allSetsAndMaps } from '../nftables/compile/sets-and-maps.ts';
import type { CounterListing } from '../nftables/syntax/kernel-listing.ts';
import type { ListedTable } from '../nftables/syntax/listed-table.ts';
import { refKey } from '../nftables/syntax/object-ref.ts';
import { TABLE } from '../nftables/syntax/operation.ts';
import { adminSocketPath } from './admin-socket.ts';
import type { CommandStatus } from './command-status.ts';
import { stateFilePaths } from './state-file/state-files.ts';

/**
 * Whether the answer can come from manifests only: no table of ours is in this network namespace, and no daemon has left a
 * file here, so none is missing either.
 */
export async function isOffline(
  { file, runDir }: { readonly file?: string; readonly runDir: string },
  tables: readonly Pick<ListedTable, 'family' | 'name'>[],
): Promise<boolean> {
  if (file === undefined) return false;
  if (tables.some(({ family, name }) => name === TABLE && FAMILIES.some((ours) => ours === family))) return false;
  const socket = adminSocketPath(runDir);
  const { status, state } = stateFilePaths(socket);
  const found = await Promise.all([socket, status, state].map(exists));
  return !found.includes(true);
}

/** A file that cannot be looked at, as without root, does not count. */
function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Says in the first line of a command that the kernel was not asked. */
export function offlineStatus(status: CommandStatus): CommandStatus {
  return { ...status, ruleset: 'absent' };
}

/** The desired elements, as a kernel that has them would list them. */
export function desiredListing(engine: Engine): CounterListing {
  return new Map(
    allSetsAndMaps().map((object) => [
      refKey(object),
      engine.elements(object).map(({ key, data, comment }) => ({ key, data, comment, packets: 0 })),
    ]),
  );
}
