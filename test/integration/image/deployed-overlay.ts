// Runs the containers of a kustomize overlay's DaemonSet on a test node.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Container, configOf, podOf, renderOverlay } from '../../support/deployment/deployment.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import type { FastPathInstallation, NodeFixture } from '../../support/fastpath/fast-path-world.ts';
import { type Container as Limits, makeImageFiles, runContainer, startContainer, type Volume } from './container.ts';

/** Reads manifests instead of an API server, the only difference from a cluster. */
const SOURCE = ['--manifests', '/run/input'];

export interface DeployedOverlay extends FastPathInstallation {
  /** Runs the init container to its end. */
  initialize(): ReturnType<typeof runContainer>;
}

/** Prepares an overlay's containers with its arguments, capabilities and mounts, `without` some capabilities. */
export async function deploy(
  overlay: string,
  node: NodeFixture,
  { without = [] }: { readonly without?: readonly string[] } = {},
): Promise<DeployedOverlay> {
  const objects = renderOverlay(overlay);
  const [daemon, first] = [podOf(objects).containers[0], podOf(objects).initContainers[0]];
  if (daemon === undefined || first === undefined) throw new Error(`Cannot deploy "${overlay}": it has no containers`);
  await Promise.all([makeImageFiles(), writeConfig(objects, node)]);
  const namespace = node.world.node1;
  const limits = limitsOf(daemon, objects, node, without);
  return {
    runFlags: [...daemon.args.slice(1), ...SOURCE],
    cleanupFlags: [],
    start: (args) => startContainer(namespace, args, limits),
    exec: (args) => runContainer(namespace, args, limits),
    initialize: () => runContainer(namespace, first.args, limitsOf(first, objects, node)),
  };
}

function limitsOf(
  { securityContext, volumeMounts, env }: Container,
  objects: readonly ApiObject[],
  { scratch, mount }: NodeFixture,
  without: readonly string[] = [],
): Limits {
  const { privileged, readOnlyRootFilesystem, allowPrivilegeEscalation, capabilities } = securityContext;
  // startContainer always applies these restrictions.
  if (!readOnlyRootFilesystem || (!privileged && allowPrivilegeEscalation !== false))
    throw new Error('Cannot run the container: it has more rights than the test applies');
  const volumes = new Map(podOf(objects).volumes.map((volume) => [volume.name, volume]));
  return {
    inputDirectory: join(scratch, 'manifests'),
    volumes: volumeMounts.map(({ name, mountPath, readOnly = false }): Volume => {
      const path = volumes.get(name)?.hostPath?.path;
      return { from: directoryOf(path, scratch), at: mountPath, isReadOnly: readOnly };
    }),
    variables: env.flatMap(({ name, value }) => (value === undefined ? [] : [`${name}=${value}`])),
    mountsOf: mount.mountNamespaceArgs,
    capabilities: privileged ? 'all' : (capabilities?.add ?? []).filter((name) => !without.includes(name)),
    canWriteSettings: privileged,
  };
}

/** The test's directory that replaces a directory of the node, or the ConfigMap's without a `path`. */
function directoryOf(path: string | undefined, scratch: string): string {
  const name =
    { '/run/nftlane': 'run', '/sys/fs/bpf': 'bpf' }[path ?? ''] ?? (path === undefined ? 'config' : undefined);
  if (name === undefined) throw new Error(`Cannot mount "${path}": the test has no directory for it`);
  return join(scratch, name);
}

async function writeConfig(objects: readonly ApiObject[], { scratch }: NodeFixture): Promise<void> {
  const directory = join(scratch, 'config');
  await mkdir(directory, { recursive: true });
  for (const [name, text] of Object.entries(configOf(objects))) await writeFile(join(directory, name), text);
}
