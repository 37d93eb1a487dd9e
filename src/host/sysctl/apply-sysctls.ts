// Bringing kernel settings to the values that are wanted.
import { readFile, stat, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { type ConntrackSettings, type DesiredSysctl, desiredConntrackSysctls, HASH_SIZE } from './conntrack-sysctls.ts';

/** What became of one setting. */
export interface SysctlOutcome {
  readonly path: string;
  readonly value: number;
  /** `elsewhere`: it belongs to the whole machine, and this is a network namespace of its own. */
  readonly state: 'unchanged' | 'changed' | 'host-wide' | 'failed';
  /** The value before; `undefined` when it could not be read. */
  readonly before: number | undefined;
  /** Why it failed, and what to do; empty otherwise. */
  readonly reason: string;
}

/** Files as the kernel has them; handed in so that tests own them. */
export interface SysctlFiles {
  read(path: string): Promise<string>;
  write(path: string, text: string): Promise<void>;
  /** Whether its mode lets anybody write: the kernel shows it read-only to network namespaces that do not own it. */
  isWritable(path: string): Promise<boolean>;
}

export const systemSysctlFiles: SysctlFiles = {
  read: (path) => readFile(path, 'utf8'),
  write: (path, text) => writeFile(path, text),
  isWritable: async (path) => ((await stat(path)).mode & 0o222) !== 0,
};

/**
 * Reads each setting, and writes those that differ. Never throws: each failure is told with what to do about it. A process
 * that is not allowed to write is content when somebody else (an init container, say) has set the values before.
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
    // The number of buckets is one for the whole machine, and hidden behind a file that anybody sees.
    if (path === HASH_SIZE && code === 'EOPNOTSUPP') return outcome('host-wide');
    return outcome('failed', describeFailure(code, desired));
  }
}

const ADVICE_BY_ERROR: Readonly<Record<string, string>> = {
  EROFS:
    'the file system is read-only here, as it is in containers that are not privileged: run `nftlane run --init-only` in a privileged init container, or set it on the host',
  EACCES:
    'this process may not write it: it needs root and CAP_NET_ADMIN in the user namespace that the network namespace belongs to',
  EPERM:
    'this process may not write it: it needs root and CAP_NET_ADMIN in the user namespace that the network namespace belongs to',
  ENOENT: 'the kernel does not have it: load the module nf_conntrack (modprobe nf_conntrack)',
  EINVAL: 'the kernel does not take this value: look at the conntrack settings',
};

function describeFailure(code: string, { path, value }: DesiredSysctl): string {
  const advice = ADVICE_BY_ERROR[code] ?? `the system says ${code}`;
  return `Cannot set ${sysctlName(path)} to ${value}: ${advice}`;
}

/** The name that sysctl has for it; a module's parameter keeps its path. */
export function sysctlName(path: string): string {
  return path.startsWith('/proc/sys/') ? path.slice('/proc/sys/'.length).replaceAll('/', '.') : path;
}
