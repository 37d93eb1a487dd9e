// A BPF file system for one test. The fast path's loader and programs on a node can use it.

import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Namespace } from './namespace.ts';
import { killGroup, output, type PipedChild, start } from './process.ts';
import { outputLines } from './program-output.ts';

/** As `make bpf` builds it. */
export const LOADER = fileURLToPath(new URL('../../../dist/bpf/nftlane-bpf', import.meta.url));

const MOUNT = 'mount -t bpf bpf "$1" && echo ready && exec cat';

export class BpfMount {
  readonly #directory: string;
  readonly #holder: PipedChild;

  private constructor(directory: string, holder: PipedChild) {
    this.#directory = directory;
    this.#holder = holder;
  }

  /** Mounts the file system at a new directory, in a new mount namespace. The caller closes it. */
  static async make(directory: string): Promise<BpfMount> {
    await mkdir(directory);
    const holder = start('unshare', ['-m', 'sh', '-c', MOUNT, 'sh', directory]);
    await outputLines(holder, 'holder of the BPF file system').next();
    return new BpfMount(directory, holder);
  }

  /** The pin directory. */
  get pins(): string {
    return join(this.#directory, 'nftlane/v1');
  }

  /** The nsenter arguments for a command that needs the file system. */
  get mountNamespaceArgs(): string[] {
    return ['-t', String(this.#holder.pid), '-m', '--'];
  }

  /** The same for a command on a node. `ip netns exec` would hide the file system. */
  enterOn(node: Namespace): string[] {
    return [`--net=/run/netns/${node.name}`, '--', 'nsenter', ...this.mountNamespaceArgs];
  }

  /** Sends requests to the loader on a node, and returns the data lines of each response. */
  async request(node: Namespace, ...requests: readonly string[]): Promise<string[][]> {
    const text = await output('nsenter', [...this.enterOn(node), LOADER, this.pins], {
      input: `${requests.join('\n')}\n`,
    });
    const answers = text.split(/^ok(?: .*)?$/m).slice(0, -1);
    if (answers.length !== requests.length) throw new Error(`The loader did not answer every request: ${text}`);
    return answers.map((answer) => answer.split('\n').filter(Boolean));
  }

  async close(): Promise<void> {
    killGroup(this.#holder);
    await rmdir(this.#directory).catch(() => {});
  }
}
