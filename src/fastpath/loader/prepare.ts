// What an init container does for the fast path: loads the programs for a daemon that may do less.
import { exec } from '../../host/process/exec.ts';
import { LoaderClient } from './loader-client.ts';

export interface PrepareParts {
  /** The loader. */
  readonly program: string;
  readonly directory: string;
  readonly conntrack: string;
  /** How many flows of each family new maps have room for. */
  readonly maxFlows: number;
}

const COUNT_MS = 10_000;

/**
 * Loads and pins programs and maps. Where conntrack is a kernel module, loading programs that ask it takes CAP_SYS_ADMIN; the
 * daemon takes those that are pinned. Tells whether UDP can be served; throws a `LoaderError` when nothing can be loaded.
 */
export async function prepare({ program, directory, conntrack, maxFlows }: PrepareParts): Promise<{ udp: boolean }> {
  // The kernel loads the module when it is asked for the number of entries.
  await exec(conntrack, ['--count'], { timeoutMs: COUNT_MS }).catch(() => undefined);
  const programs = new LoaderClient({ command: program, directory });
  try {
    return await programs.prepare(maxFlows);
  } finally {
    programs.close();
  }
}
