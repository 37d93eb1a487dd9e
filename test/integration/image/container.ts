// Runs a program of the image as a pod of our DaemonSet has it: its root file system read-only, its capabilities, no more.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { podOf, renderOverlay } from '../../support/deployment/deployment.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { type ExecResult, output, type PipedChild } from '../../support/netns/process.ts';

export interface Container {
  /** Path of the program inside; the entrance of the image when absent. */
  readonly program?: string;
  /** The node's directory to show, read-only, at /run/input. */
  readonly inputDirectory?: string;
  /** Directories of the node that are shown, too. */
  readonly volumes?: readonly Volume[];
  /** `NAME=value` each, besides what the image says. */
  readonly variables?: readonly string[];
  /** Arguments of nsenter that lead to the node's mounts. Default: those of the test. */
  readonly mountsOf?: readonly string[];
  /** What is left of root's capabilities, or `all` of them. Default: what the DaemonSet asks for. */
  readonly capabilities?: readonly string[] | 'all';
  /** Kernel settings can be written, as in the init container. Those of the machine cannot: its /sys stays as it is. */
  readonly canWriteSettings?: boolean;
  /** The file that programs lock for iptables-legacy is there, as in the DaemonSet of the migration. */
  readonly hasXtablesLock?: boolean;
}

export interface Volume {
  /** A directory of the node. */
  readonly from: string;
  /** The path inside. */
  readonly at: string;
  readonly isReadOnly: boolean;
}

/** Numbers of include/uapi/linux/capability.h. */
const CAPABILITIES = new Map([
  ['NET_ADMIN', 12],
  ['NET_RAW', 13],
  ['PERFMON', 38],
  ['BPF', 39],
]);

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
const [ROOT, PROGRAM] = [`${REPOSITORY}.cache/image/root`, `${REPOSITORY}.cache/image/program`];

/** The node inside, as a path outside. */
export const NODE_PROGRAM = `${ROOT}/usr/bin/node`;

/** Makes the files of the image as far as they are not there. Fails when they are more than the limit. */
export function makeImageFiles(): Promise<string> {
  return output('env', ['-C', REPOSITORY, 'hack/image/files.sh'], { timeoutMs: 300_000 });
}

/** Runs it to its end in a network namespace. */
export function runContainer(
  namespace: Namespace,
  args: readonly string[],
  container: Container = {},
): Promise<ExecResult> {
  const [command, ...rest] = containerCommand(args, container);
  return namespace.exec(command, rest, { timeoutMs: 30_000 });
}

/** Starts it; the process that is returned is the program itself, not a parent of it. */
export function startContainer(namespace: Namespace, args: readonly string[], container: Container = {}): PipedChild {
  const [command, ...rest] = containerCommand(args, container);
  return namespace.spawn(command, rest);
}

/**
 * What a container runtime mounts, and nothing of the node beyond it. Writable are /dev/shm, /run/nftlane and volumes. The
 * image lies under a layer in which there are places to mount them.
 */
const MOUNTS = `
mount --make-rprivate /
mount -t tmpfs tmpfs "$ROOT/tmp"
mkdir "$ROOT/tmp/upper" "$ROOT/tmp/work"
mount -t overlay -o "lowerdir=$ROOT,upperdir=$ROOT/tmp/upper,workdir=$ROOT/tmp/work" overlay "$ROOT"
mount --bind "$PROGRAM" "$ROOT/usr/lib/nftlane"
mount -o remount,bind,ro "$ROOT/usr/lib/nftlane"
mount -t proc proc "$ROOT/proc"
mount --bind "$ROOT/proc/sys" "$ROOT/proc/sys"
[ -n "$SETTINGS" ] || mount -o remount,bind,ro "$ROOT/proc/sys"
mount -t sysfs -o ro sysfs "$ROOT/sys"
mount -t tmpfs tmpfs "$ROOT/dev"
for device in null zero random urandom; do
  : >"$ROOT/dev/$device"
  mount --bind "/dev/$device" "$ROOT/dev/$device"
done
mkdir "$ROOT/dev/shm"
mount -t tmpfs tmpfs "$ROOT/dev/shm"
mount -t tmpfs tmpfs "$ROOT/run"
mkdir "$ROOT/run/nftlane"
mount -t tmpfs tmpfs "$ROOT/run/nftlane"
for volume in $VOLUMES; do
  at=\${volume#*:}
  at=$ROOT\${at%:*}
  mkdir -p "$at"
  mount --bind "\${volume%%:*}" "$at"
  [ "\${volume##*:}" = rw ] || mount -o remount,bind,ro "$at"
done
if [ -n "$LOCK" ]; then
  : >"$ROOT/dev/shm/lock"
  : >"$ROOT/run/xtables.lock"
  mount --bind "$ROOT/dev/shm/lock" "$ROOT/run/xtables.lock"
fi
mount -o remount,bind,ro "$ROOT/run"
mount -o remount,bind,ro "$ROOT"
exec env -i "$@"
`;

/** Every step replaces the process of the one before. */
function containerCommand(args: readonly string[], container: Container): [string, ...string[]] {
  const { entrypoint, environment } = readDockerfile();
  const {
    program = entrypoint,
    inputDirectory,
    volumes = [],
    variables = [],
    mountsOf,
    hasXtablesLock,
    canWriteSettings,
  } = container;
  const shown =
    inputDirectory === undefined ? volumes : [...volumes, { from: inputDirectory, at: '/run/input', isReadOnly: true }];
  const enter = mountsOf === undefined ? [] : ['nsenter', ...mountsOf];
  return [
    'env',
    ...[
      `ROOT=${ROOT}`,
      `PROGRAM=${PROGRAM}`,
      `VOLUMES=${shown.map(({ from, at, isReadOnly }) => `${from}:${at}:${isReadOnly ? 'ro' : 'rw'}`).join(' ')}`,
      `LOCK=${flagValue(hasXtablesLock)}`,
      `SETTINGS=${flagValue(canWriteSettings)}`,
    ],
    ...[...enter, 'unshare', '--mount', '--uts', '--ipc', 'sh', '-euc', MOUNTS, 'sh'],
    ...[
      ...environment,
      ...variables,
      '/usr/sbin/capsh',
      `--chroot=${ROOT}`,
      ...limits(container),
      `--shell=${program}`,
    ],
    ...['--', ...args],
  ];
}

/** As capsh takes them. */
function limits({ capabilities = daemonSetCapabilities() }: Container): string[] {
  if (capabilities === 'all') return [];
  const kept = new Set(capabilities.map((name) => CAPABILITIES.get(name)));
  const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));
  const dropped = Array.from({ length: last + 1 }, (_, number) => number).filter((number) => !kept.has(number));
  return ['--no-new-privs', `--drop=${dropped.join()}`];
}

function flagValue(isSo = false): string {
  return isSo ? 'yes' : '';
}

function daemonSetCapabilities(): readonly string[] {
  return podOf(renderOverlay('base')).containers[0]?.securityContext.capabilities?.add ?? [];
}

export interface ImageConfig {
  readonly entrypoint: string;
  /** `NAME=value` each. */
  readonly environment: readonly string[];
  readonly ports: readonly string[];
}

/** What the Dockerfile says of the image besides its files. */
export function readDockerfile(): ImageConfig {
  const text = readFileSync(`${REPOSITORY}Dockerfile`, 'utf8');
  const words = (instruction: string) => new RegExp(`^${instruction} (.*)$`, 'm').exec(text)?.[1] ?? '';
  const [entrypoint = ''] = JSON.parse(words('ENTRYPOINT'));
  return { entrypoint, environment: words('ENV').split(' '), ports: words('EXPOSE').split(' ') };
}
