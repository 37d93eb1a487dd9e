// Runs a program of the image like a pod of the DaemonSet: read-only root file system and the DaemonSet's capabilities.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { podOf, renderOverlay } from '../../support/deployment/deployment.ts';
import type { Namespace } from '../../support/netns/namespace.ts';
import { type ExecResult, output, type PipedChild } from '../../support/netns/process.ts';

export interface Container {
  /** Path of the program in the image. Default: the image's entry point. */
  readonly program?: string;
  /** A directory of the node to mount read-only at /run/input. */
  readonly inputDirectory?: string;
  /** Further directories of the node to mount. */
  readonly volumes?: readonly Volume[];
  /** Environment variables besides the image's, as `NAME=value`. */
  readonly variables?: readonly string[];
  /** nsenter arguments for the node's mount namespace. Default: the test's mount namespace. */
  readonly mountsOf?: readonly string[];
  /** The capabilities, or `all`. Default: those of the DaemonSet. */
  readonly capabilities?: readonly string[] | 'all';
  /** The user and group. Other than 0, the default, it gets the capabilities as ambient ones, which no runtime sets so far. */
  readonly user?: number;
  /** Mounts /proc/sys writable, as in the init container. /sys stays read-only, to protect the machine. */
  readonly canWriteSettings?: boolean;
  /** Provides the lock file of iptables-legacy, as the migration's DaemonSet does. */
  readonly hasXtablesLock?: boolean;
  /** Applies a seccomp filter as strict as the default profiles of container runtimes, for NET_ADMIN alone. */
  readonly hasSeccompFilter?: boolean;
}

export interface Volume {
  /** A directory of the node. */
  readonly from: string;
  /** The path in the container. */
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

/** The image's node executable, as a path on the host. */
export const NODE_PROGRAM = `${ROOT}/usr/bin/node`;

/** The program that executes another one under the seccomp filter, and one that tries calls which the filter denies. */
export const [WITH_SECCOMP, DENIED_CALLS] = [
  `${REPOSITORY}dist/bpf/with-seccomp`,
  `${REPOSITORY}dist/bpf/denied-calls`,
];

/** Builds the missing files of the image. Fails when they exceed the size limit. */
export function makeImageFiles(): Promise<string> {
  return output('env', ['-C', REPOSITORY, 'hack/image/files.sh'], { timeoutMs: 300_000 });
}

/** Runs a program to its end in a network namespace. */
export function runContainer(
  namespace: Namespace,
  args: readonly string[],
  container: Container = {},
): Promise<ExecResult> {
  const [command, ...rest] = containerCommand(args, container);
  return namespace.exec(command, rest, { timeoutMs: 30_000 });
}

/** Starts a program. The returned process is the program itself, not a parent. */
export function startContainer(namespace: Namespace, args: readonly string[], container: Container = {}): PipedChild {
  const [command, ...rest] = containerCommand(args, container);
  return namespace.spawn(command, rest);
}

/**
 * The mounts of a container runtime, and nothing else of the node. /dev/shm, /run/nftlane and volumes are writable. An
 * overlay above the image provides the mount points.
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
if [ -n "$FILTER" ]; then
  : >"$ROOT/run/with-seccomp"
  mount --bind "$FILTER" "$ROOT/run/with-seccomp"
fi
if [ -n "$LOCK" ]; then
  : >"$ROOT/dev/shm/lock"
  : >"$ROOT/run/xtables.lock"
  mount --bind "$ROOT/dev/shm/lock" "$ROOT/run/xtables.lock"
fi
mount -o remount,bind,ro "$ROOT/run"
mount -o remount,bind,ro "$ROOT"
exec env -i "$@"
`;

/** The command that starts a container. Each step replaces the process of the previous one. */
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
    hasSeccompFilter = false,
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
      `FILTER=${hasSeccompFilter ? WITH_SECCOMP : ''}`,
      `SETTINGS=${flagValue(canWriteSettings)}`,
    ],
    ...[...enter, 'unshare', '--mount', '--uts', '--ipc', 'sh', '-euc', MOUNTS, 'sh'],
    ...[
      ...environment,
      ...variables,
      '/usr/sbin/capsh',
      `--chroot=${ROOT}`,
      ...limits(container),
      // The last step, as in a runtime: the filter denies what the steps before need.
      `--shell=${hasSeccompFilter ? '/run/with-seccomp' : program}`,
    ],
    ...['--', ...(hasSeccompFilter ? [program] : []), ...args],
  ];
}

/** The arguments of capsh that limit the capabilities. */
function limits({ capabilities = daemonSetCapabilities(), user = 0 }: Container): string[] {
  if (capabilities === 'all') return [];
  const kept = new Set(capabilities.map((name) => CAPABILITIES.get(name)));
  const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));
  const dropped = Array.from({ length: last + 1 }, (_, number) => number).filter((number) => !kept.has(number));
  return ['--no-new-privs', `--drop=${dropped.join()}`, ...(user === 0 ? [] : asUser(user, capabilities))];
}

/** A process loses its capabilities with uid 0, except with the flag `keep`, and `exec` keeps only ambient ones. */
function asUser(user: number, capabilities: readonly string[]): string[] {
  const names = capabilities.map((name) => `cap_${name.toLowerCase()}`).join();
  const ambient = names === '' ? [] : [`--inh=${names}`, `--addamb=${names}`];
  return ['--keep=1', `--groups=${user}`, `--gid=${user}`, `--uid=${user}`, ...ambient];
}

function flagValue(isSet = false): string {
  return isSet ? 'yes' : '';
}

function daemonSetCapabilities(): readonly string[] {
  return podOf(renderOverlay('base')).containers[0]?.securityContext.capabilities?.add ?? [];
}

export interface ImageConfig {
  readonly entrypoint: string;
  /** As `NAME=value`. */
  readonly environment: readonly string[];
  readonly ports: readonly string[];
}

/** Reads the image's configuration from the Dockerfile. */
export function readDockerfile(): ImageConfig {
  const text = readFileSync(`${REPOSITORY}Dockerfile`, 'utf8');
  const words = (instruction: string) => new RegExp(`^${instruction} (.*)$`, 'm').exec(text)?.[1] ?? '';
  const [entrypoint = ''] = JSON.parse(words('ENTRYPOINT'));
  return { entrypoint, environment: words('ENV').split(' '), ports: words('EXPOSE').split(' ') };
}
