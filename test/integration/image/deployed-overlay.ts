// The containers of our DaemonSet as an overlay describes them, on a node of the test's.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Container, configOf, podOf, renderOverlay } from '../../support/deployment/deployment.ts';
import type { ApiObject } from '../../support/deployment/merge.ts';
import type { Installation, NodeFixture } from '../../support/fastpath/fast-path-world.ts';
import { type Container as Limits, makeImageFiles, runContainer, startContainer, type Volume } from './container.ts';

/** Manifests instead of an API server, which is all that differs from a cluster. */
const SOURCE = ['--manifests', '/run/input'];

export interface DeployedOverlay extends Installation {
  /** Runs the init container to its end. */
  initialise(): ReturnType<typeof runContainer>;
}

/** An overlay's arguments, capabilities and mounts, without some of the capabilities. */
export async function deploy(
  overlay: string,
  node: NodeFixture,
  { without = [] }: { readonly without?: readonly string[] } = {},
): Promise<DeployedOverlay> {
  const objects = renderOverlay(overlay);
  const [daemon, first] = [podOf(objects).containers[0], podOf(objects).initContainers[0]];
  if (daemon === undefined || first === undefined) throw new Error(`There are no containers in "${overlay}"`);
  await Promise.all([makeImageFiles(), writeConfig(objects, node)]);
  const namespace = node.world.node1;
  const limits = limitsOf(daemon, objects, node, without);
  return {
    runDir: '/run/nftlane',
    runArgs: [...daemon.args, ...SOURCE],
    cleanupArgs: [],
    start: (args) => startContainer(namespace, args, limits),
    exec: (args) => runContainer(namespace, args, limits),
    initialise: () => runContainer(namespace, first.args, limitsOf(first, objects, node)),
  };
}

function limitsOf(
  { securityContext, volumeMounts, env }: Container,
  objects: readonly ApiObject[],
  { scratch, mount }: NodeFixture,
  without: readonly string[] = [],
): Limits {
  const { privileged, readOnlyRootFilesystem, allowPrivilegeEscalation, capabilities } = securityContext;
  // Anything else would be another container than startContainer makes.
  if (!readOnlyRootFilesystem || (!privileged && allowPrivilegeEscalation !== false))
    throw new Error('Cannot run a container that may do more');
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

/** The test's directory in the place of one of the node; of the ConfigMap, where there is no such. */
function directoryOf(path: string | undefined, scratch: string): string {
  const name =
    { '/run/nftlane': 'run', '/sys/fs/bpf': 'bpf' }[path ?? ''] ?? (path === undefined ? 'config' : undefined);
  if (name === undefined) throw new Error(`Nothing stands for "${path}" of the node`);
  return join(scratch, name);
}

async function writeConfig(objects: readonly ApiObject[], { scratch }: NodeFixture): Promise<void> {
  const directory = join(scratch, 'config');
  await mkdir(directory, { recursive: true });
  for (const [name, text] of Object.entries(configOf(objects))) await writeFile(join(directory, name), text);
}
