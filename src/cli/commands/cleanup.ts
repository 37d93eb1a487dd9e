// The command `cleanup`: removes everything nftlane created, and on request the rules of kube-proxy.

import { rm } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { adminSocketPath } from '../../admin/admin-socket.ts';
import { askDaemon } from '../../admin/ask-daemon.ts';
import { openNftClient } from '../../admin/kernel-state.ts';
import { stateFilePaths } from '../../admin/state-file/state-files.ts';
import { DEFAULT_LOADER, DEFAULT_PIN_DIR } from '../../config/schema/nftlane-schema.ts';
import { removePinRecord, unreachablePins } from '../../daemon/fast-path-pin-record.ts';
import { loaderPath } from '../../daemon/fast-path-runner.ts';
import { teardown } from '../../fastpath/flows/teardown.ts';
import { isRouteLocalnetEnabled } from '../../host/sysctl/route-localnet.ts';
import { EnvironmentError } from '../../lib/operational-error.ts';
import { KubeProxyLeftovers } from '../../migration/kube-proxy-leftovers.ts';
import { FAMILIES } from '../../net/family.ts';
import { refuseIfLocked } from '../../nftables/client/lock/network-lock.ts';
import { conntrackOption, nftOption, runDirOption } from '../flags/common-flags.ts';
import { print } from '../output/print.ts';

interface CleanupOptions {
  readonly nft: string;
  readonly conntrack: string;
  readonly runDir: string;
  readonly fastPath: { readonly directory: string; readonly program: string };
  /** Also remove the rules of kube-proxy. */
  readonly kubeProxy: boolean;
}

interface CleanupFlags extends Omit<CleanupOptions, 'fastPath'> {
  readonly fastPathDir: string;
  readonly fastPathProgram: string;
}

export function addCleanup(program: Command): void {
  const pinDirectory = new Option('--fast-path-dir <dir>', 'BPF file system directory where the fast path is pinned');
  program
    .command('cleanup')
    .description('remove everything nftlane created in this network namespace')
    .option('--kube-proxy', 'also remove the rules of kube-proxy, in any mode', false)
    .addOption(nftOption())
    .addOption(runDirOption())
    .addOption(conntrackOption())
    .addOption(pinDirectory.env('NFTLANE_FAST_PATH_DIR').default(DEFAULT_PIN_DIR))
    .option('--fast-path-program <program>', 'loader program of the fast path', DEFAULT_LOADER)
    .action(({ fastPathDir: directory, fastPathProgram: loader, ...flags }: CleanupFlags) =>
      cleanup({ ...flags, fastPath: { directory, program: loader } }),
    );
}

/** One step for each thing that nftlane creates in a network namespace. */
const CLEANUP_STEPS: readonly ((settings: CleanupOptions) => Promise<readonly string[]>)[] = [
  removeFastPath,
  removeTables,
  removeSocket,
];

/**
 * Idempotent; needs no daemon. Prints what it removed and throws an {@link EnvironmentError} if something remains, or if a
 * daemon runs.
 */
export async function cleanup(options: CleanupOptions): Promise<void> {
  await refuseIfDaemonRuns(options);
  const removed: string[] = [];
  for (const remove of CLEANUP_STEPS) removed.push(...(await remove(options)));
  if (removed.length > 0) await warnIfRouteLocalnet();
  const kubeProxy = options.kubeProxy
    ? await new KubeProxyLeftovers({ nft: options.nft }).remove({ keepAccepting: false })
    : { removed: [], kept: [], failures: [] };
  const lines = [
    ...[...removed, ...kubeProxy.removed].map((item) => `removed ${item}`),
    ...kubeProxy.kept.map((item) => `kept ${item}`),
  ];
  print(lines.length === 0 ? 'nothing to remove' : lines.join('\n'));
  const fastPathProblem = await unreachablePins(options.runDir, options.fastPath.directory);
  const failures = [
    ...(fastPathProblem === undefined ? [] : [`Cannot remove the fast path: ${fastPathProblem}`]),
    ...kubeProxy.failures,
  ];
  if (failures.length > 0) throw new EnvironmentError(failures.join('\n'));
}

/** A running daemon would restore its tables within seconds. Without its lock (Linux before 5.12), this is only a warning. */
async function refuseIfDaemonRuns({ nft, runDir }: CleanupOptions): Promise<void> {
  await refuseIfLocked(nft, 'clean up');
  const answer = await askDaemon(runDir);
  if (answer.daemon === 'not-running') return;
  const pid = answer.daemon === 'running' ? answer.state.pid : (answer.remains.status?.status.pid ?? 'unknown');
  process.stderr.write(
    `nftlane: warning: a daemon (process ${pid}) is running and will restore its tables; stop it first\n`,
  );
}

/** The rules that protected loopback addresses were removed with our tables. */
async function warnIfRouteLocalnet(): Promise<void> {
  if (!(await isRouteLocalnetEnabled())) return;
  process.stderr.write(
    'nftlane: warning: net.ipv4.conf.all.route_localnet is 1, and no nftlane rule protects 127.0.0.0/8 from the network anymore; unless another program needs it, run: sysctl -w net.ipv4.conf.all.route_localnet=0\n',
  );
}

/** Live flows are handed over to conntrack, so that they survive. */
async function removeFastPath({ conntrack, fastPath, runDir }: CleanupOptions): Promise<string[]> {
  const { directory } = fastPath;
  const result = await teardown({ program: loaderPath(fastPath.program), directory, conntrack, drainMs: 0 });
  if (result === undefined) return [];
  await removePinRecord(runDir);
  const { restoredFlows, error } = result;
  if (error !== undefined)
    process.stderr.write(`nftlane: warning: connections through the fast path may break: ${error}\n`);
  return [`the fast path at ${directory}, with ${restoredFlows} flows handed over`];
}

async function removeTables({ nft }: CleanupOptions): Promise<string[]> {
  const nftClient = await openNftClient(nft);
  try {
    return (await nftClient.removeTables(FAMILIES)).map((family) => `nftables table ${family} nftlane`);
  } finally {
    nftClient.close();
  }
}

/** Removes the socket and the state files of a daemon that has ended; a running one keeps them, even if it is stopped. */
async function removeSocket({ runDir }: CleanupOptions): Promise<string[]> {
  const path = adminSocketPath(runDir);
  if ((await askDaemon(runDir)).daemon !== 'not-running') return [];
  const { status, state } = stateFilePaths(path);
  const removed: string[] = [];
  for (const [what, file] of [
    ['socket', path],
    ['status file', status],
    ['state file', state],
  ] as const)
    if (await removeFile(file)) removed.push(`the ${what} ${file}`);
  return removed;
}

async function removeFile(path: string): Promise<boolean> {
  try {
    await rm(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
