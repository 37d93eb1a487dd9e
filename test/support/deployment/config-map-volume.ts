// A directory like a ConfigMap volume, for tests of changed files.

import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

export interface ConfigMapVolume {
  /** The file: a link through the link `..data`. */
  readonly path: string;
  /** Replaces the text like the kubelet: it writes a new directory and swaps the link `..data`. */
  publish(text: string): Promise<void>;
}

/** A volume whose file has this text. The test removes it. */
export async function createConfigMapVolume(t: Test, text: string): Promise<ConfigMapVolume> {
  const directory = await mkdtemp(join(tmpdir(), 'nftlane-config-'));
  t.teardown(() => rm(directory, { recursive: true }));
  let version = 0;
  const publish = async (content: string): Promise<void> => {
    version += 1;
    await mkdir(join(directory, `..${version}`));
    await writeFile(join(directory, `..${version}`, 'config.conf'), content);
    await symlink(`..${version}`, join(directory, '..data_tmp'));
    await rename(join(directory, '..data_tmp'), join(directory, '..data'));
  };
  await publish(text);
  const path = join(directory, 'config.conf');
  await symlink('..data/config.conf', path);
  return { path, publish };
}
