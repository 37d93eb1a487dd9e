// Sets sysctls to their desired values.

import { readFile, stat, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { type ConntrackSettings, type DesiredSysctl, desiredConntrackSysctls, HASH_SIZE } from './conntrack-sysctls.ts';

/** The result for one sysctl. */
export interface SysctlOutcome {
  readonly path: string;
  readonly value: number;
  /** `host-wide`: only the initial network namespace can set it, and this is another one. */
  readonly state: 'unchanged' | 'changed' | 'host-wide' | 'failed';
  /** The previous value; `undefined` if it could not be read. */
  readonly before: number | undefined;
  /** Why it failed and what to do; empty otherwise. */
  readonly reason: string;
}

/** Access to the files of sysctls, which tests replace. */
export interface SysctlFiles {
  read(path: string): Promise<string>;
  write(path: string, text: string): Promise<void>;
  /** Whether the mode has a write bit: the file is read-only in network namespaces that do not own the sysctl. */
  isWritable(path: string): Promise<boolean>;
}

const systemSysctlFiles: SysctlFiles = {
  read: (path) => readFile(path, 'utf8'),
  write: (path, text) => writeFile(path, text),
  isWritable: async (path) => ((await stat(path)).mode & 0o222) !== 0,
};

/**
 * Reads each sysctl and writes those that differ. Never throws: a failure is part of the result. A process without write
 * permission succeeds if the values are already set, such as by an init container.
 */
export async function applyConntrackSysctls(
  settings: ConntrackSettings,
  { files = systemSysctlFiles, cores = cpus().length }: { files?: SysctlFiles; cores?: number } = {},
): Promise<SysctlOutcome[]> {
  const outcomes: SysctlOutcome[] = [];
  for (const desired of desiredConntrackSysctls(settings, cores)) outcomes.push(await applySysctl(desired, files));
  return outcomes;
}

async function applySysctl(desired: DesiredSysctl, files: SysctlFiles): Promise<SysctlOutcome> {
  const { path, value, atLeast = false } = desired;
  let before: number | undefined;
  const outcome = (state: SysctlOutcome['state'], problem = ''): SysctlOutcome => ({
    path,
    value,
    before,
    state,
    reason: problem,
  });
  try {
    before = Number((await files.read(path)).trim());
    if (before === value || (atLeast && before > value)) return outcome('unchanged');
    if (!(await files.isWritable(path))) return outcome('host-wide');
    await files.write(path, String(value));
    return outcome('changed');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    // The number of buckets is host-wide, although its file is writable in every network namespace.
    if (path === HASH_SIZE && code === 'EOPNOTSUPP') return outcome('host-wide');
    return outcome('failed', describeFailure(code, desired));
  }
}

const ADVICE_BY_ERROR: Readonly<Record<string, string>> = {
  EROFS:
    'the file system is read-only, as in unprivileged containers: run `nftlane run --init-only` in a privileged init container, or set it on the host',
  EACCES: 'permission denied: it needs root and CAP_NET_ADMIN in the user namespace that owns the network namespace',
  EPERM: 'permission denied: it needs root and CAP_NET_ADMIN in the user namespace that owns the network namespace',
  ENOENT: 'it does not exist: load the module nf_conntrack (modprobe nf_conntrack)',
  EINVAL: 'the kernel rejects this value: check the conntrack settings',
};

function describeFailure(code: string, { path, value }: DesiredSysctl): string {
  const advice = ADVICE_BY_ERROR[code] ?? code;
  return `Cannot set ${sysctlName(path)} to ${value}: ${advice}`;
}

/** The name as in sysctl(8); a module parameter keeps its path. */
export function sysctlName(path: string): string {
  return path.startsWith('/proc/sys/') ? path.slice('/proc/sys/'.length).replaceAll('/', '.') : path;
}
