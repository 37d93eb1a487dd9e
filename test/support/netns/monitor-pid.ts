// Finds the process by which the daemon receives notifications of the kernel.

import { commandLineOf } from '../../bench/system/proc.ts';
import type { Namespace } from './namespace.ts';

/** The process ID of the daemon's `nft monitor` on this node. */
export async function monitorPid(node: Namespace): Promise<number> {
  const pids = (await node.output('ip', ['netns', 'pids', node.name])).split('\n').filter(Boolean).map(Number);
  const found = pids.find((pid) => commandLineOf(pid).includes('list tables; monitor'));
  if (found === undefined) throw new Error('Cannot find the monitor: the daemon has none');
  return found;
}
