// The loader in a network namespace, with its own BPF file system.

import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOADER } from '../netns/bpf-mount.ts';
import type { Namespace } from '../netns/namespace.ts';
import { start } from '../netns/process.ts';
import { LineProcess } from './line-process.ts';

const ENTER_SCRIPT = 'mount -t bpf bpf "$1" && exec nsenter --net="/run/netns/$2" "$3" "$1/nftlane/v1"';

export interface NamespaceLoader {
  readonly process: LineProcess;
  close(): Promise<void>;
}

/** The caller closes it, which also removes the pins. */
export async function startNamespaceLoader(namespace: Namespace): Promise<NamespaceLoader> {
  const directory = await mkdtemp(join(tmpdir(), 'nftlane-bpf-'));
  const args = ['-m', 'sh', '-c', ENTER_SCRIPT, 'sh', directory, namespace.name, LOADER];
  const loader = new LineProcess(start('unshare', args));
  const close = async () => {
    loader.kill();
    await rmdir(directory).catch(() => {});
  };
  return { process: loader, close };
}
