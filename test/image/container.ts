// Runs a program of the image as a pod of our DaemonSet has it: its root file system read-only, its capabilities, no more.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { podOf, render } from '../given/deployment.ts';
import type { Namespace } from '../netns/namespace.ts';
import { type ExecResult, output, type PipedChild } from '../netns/process.ts';

export interface Container {
  /** Path of the program inside; the entrance of the image when absent. */
  readonly program?: string;
  /** The node's directory to show, read-only, at /run/given. */
  readonly given?: string;
  /** What is left of root's capabilities. Default: what the DaemonSet asks for. */
  readonly capabilities?: readonly string[];
  /** Kernel settings can be written, as in the init container. Those of the machine cannot: its /sys stays as it is. */
  readonly canWriteSettings?: boolean;
  /** The file that programs lock for iptables-legacy is there, as in the DaemonSet of the migration. */
  readonly hasXtablesLock?: boolean;
}

/** Numbers of include/uapi/linux/capability.h. */
const CAPABILITIES = new Map([
  ['NET_ADMIN', 12],
  ['NET_RAW', 13],
]);

const TOP = fileURLToPath(new URL('../../', import.meta.url));
const [ROOT, PROGRAM] = [`${TOP}.cache/image/root`, `${TOP}.cache/image/program`];

/** The node inside, as a path outside. */
export const NODE_PROGRAM = `${ROOT}/usr/bin/node`;

/** Makes the files of the image as far as they are not there. Fails when they are more than the limit. */
export function makeImageFiles(): Promise<string> {
  return output('env', ['-C', TOP, '.ci/image/files.sh'], { timeoutMs: 300_000 });
}

/** Runs it to its end in a network namespace. */
export function runContainer(
  place: Namespace,
  args: readonly string[],
  container: Container = {},
): Promise<ExecResult> {
  const [command, ...rest] = containerCommand(args, container);
  return place.exec(command, rest, { timeoutMs: 30_000 });
}

/** Starts it; the process that is returned is the program itself, not a parent of it. */
export function startContainer(place: Namespace, args: readonly string[], container: Container = {}): PipedChild {
  const [command, ...rest] = containerCommand(args, container);
  return place.spawn(command, rest);
}

/** What a container runtime mounts, and nothing of the node beyond it. Writable are /dev/shm and /run/nftlane. */
const MOUNTS = `
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
mount --bind "$PROGRAM" "$ROOT/usr/lib/nftlane"
mount -o remount,bind,ro "$ROOT/usr/lib/nftlane"
mount -o remount,bind,ro "$ROOT"
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
mkdir "$ROOT/run/nftlane" "$ROOT/run/given"
mount -t tmpfs tmpfs "$ROOT/run/nftlane"
[ -z "$GIVEN" ] || mount --bind "$GIVEN" "$ROOT/run/given"
if [ -n "$LOCK" ]; then
  : >"$ROOT/dev/shm/lock"
  : >"$ROOT/run/xtables.lock"
  mount --bind "$ROOT/dev/shm/lock" "$ROOT/run/xtables.lock"
fi
mount -o remount,bind,ro "$ROOT/run"
exec env -i "$@"
`;

/** Every step replaces the process of the one before. */
function containerCommand(args: readonly string[], container: Container): [string, ...string[]] {
  const { entrypoint, environment } = readDockerfile();
  const {
    program = entrypoint,
    given = '',
    capabilities = ofDaemonSet(),
    hasXtablesLock,
    canWriteSettings,
  } = container;
  const kept = new Set(capabilities.map((name) => CAPABILITIES.get(name)));
  const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));
  const dropped = Array.from({ length: last + 1 }, (_, number) => number).filter((number) => !kept.has(number));
  const unprivileged = [`--chroot=${ROOT}`, '--no-new-privs', `--drop=${dropped.join()}`, `--shell=${program}`];
  return [
    'env',
    ...[
      `ROOT=${ROOT}`,
      `PROGRAM=${PROGRAM}`,
      `GIVEN=${given}`,
      `LOCK=${yes(hasXtablesLock)}`,
      `SETTINGS=${yes(canWriteSettings)}`,
    ],
    ...['unshare', '--mount', '--uts', '--ipc', 'sh', '-euc', MOUNTS, 'sh'],
    ...[...environment, '/usr/sbin/capsh', ...unprivileged, '--', ...args],
  ];
}

function yes(isSo = false): string {
  return isSo ? 'yes' : '';
}

function ofDaemonSet(): readonly string[] {
  return podOf(render('base')).containers[0]?.securityContext.capabilities?.add ?? [];
}

export interface ImageConfig {
  readonly entrypoint: string;
  /** `NAME=value` each. */
  readonly environment: readonly string[];
  readonly ports: readonly string[];
}

/** What the Dockerfile says of the image besides its files. */
export function readDockerfile(): ImageConfig {
  const text = readFileSync(`${TOP}Dockerfile`, 'utf8');
  const words = (instruction: string) => new RegExp(`^${instruction} (.*)$`, 'm').exec(text)?.[1] ?? '';
  const [entrypoint = ''] = JSON.parse(words('ENTRYPOINT'));
  return { entrypoint, environment: words('ENV').split(' '), ports: words('EXPOSE').split(' ') };
}
