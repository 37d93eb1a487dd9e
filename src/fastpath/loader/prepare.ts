// Loads the programs in an init container, for a daemon with fewer privileges.

import { exec } from '../../host/process/exec.ts';
import { LoaderClient } from './loader-client.ts';

interface PrepareOptions {
  /** The loader. */
  readonly program: string;
  readonly directory: string;
  readonly conntrack: string;
  /** Flows per family, if the maps are created. */
  readonly maxFlows: number;
}

const COUNT_MS = 10_000;

/**
 * Loads and pins programs and maps. If conntrack is a kernel module, loading the programs that call it takes CAP_SYS_ADMIN;
 * the daemon uses the pinned ones. Returns whether UDP can be served. Throws a `LoaderError` if loading fails.
 */
export async function prepare({ program, directory, conntrack, maxFlows }: PrepareOptions): Promise<{ udp: boolean }> {
  // Counting the entries makes the kernel load the conntrack module.
  await exec(conntrack, ['--count'], { timeoutMs: COUNT_MS }).catch(() => undefined);
  const loader = new LoaderClient({ command: program, directory });
  try {
    return await loader.prepare(maxFlows);
  } finally {
    loader.close();
  }
}
