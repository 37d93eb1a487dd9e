// A node with a daemon that reads manifests, and a client host: a world without pods, for tests of the daemon itself.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { ApiObject } from '../deployment/merge.ts';
import type { Daemon } from './daemon.ts';
import { buildProgram, type Installation, installBundle, startDaemon } from './installation.ts';
import { writeManifest } from './manifests.ts';
import type { Namespace } from './namespace.ts';
import { createWorld } from './world.ts';

export interface SingleNode {
  readonly node: Namespace;
  readonly client: Namespace;
  /** The bundle. */
  readonly program: string;
  readonly installation: Installation;
  /** A directory that is removed after the test. */
  readonly scratch: string;
  /** `nftlane run` without the command: the source and the name of the node. */
  readonly flags: readonly string[];
  /** Starts the daemon with further flags. */
  start(...flags: readonly string[]): Daemon;
  /** Writes objects into a file of the daemon's source. */
  write(file: string, ...objects: readonly ApiObject[]): Promise<void>;
}

export async function createSingleNode(t: Pick<Test, 'teardown'>): Promise<SingleNode> {
  const scratch = await mkdtemp(join(tmpdir(), 'nftlane-node-'));
  t.teardown(() => rm(scratch, { recursive: true, force: true }));
  const manifests = join(scratch, 'manifests');
  await mkdir(manifests);
  const [program, world] = await Promise.all([buildProgram(join(scratch, 'nftlane.mjs')), createWorld()]);
  t.teardown(() => world.destroy());
  const { node1: node, client } = world;
  const installation = installBundle(node, { program, runDir: join(scratch, 'run') });
  const flags = ['--node-name', 'node1', '--manifests', manifests, '--log-format', 'json'];
  return {
    ...{ node, client, program, installation, scratch, flags },
    start: (...more) => startDaemon(installation, [...flags, ...more]),
    write: (file, ...objects) => writeManifest(manifests, file, objects),
  };
}
