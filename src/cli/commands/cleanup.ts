// Removing what we made, and on demand what kube-proxy has left.
import { rm } from 'node:fs/promises';
import { adminSocketPath, fetchState } from '../../admin/admin-socket.ts';
import { outOfReach, removeNote } from '../../daemon/fast-path-note.ts';
import { loaderPath } from '../../daemon/run-fast-path.ts';
import { retire } from '../../fastpath/flows/retire.ts';
import { isLoopbackRouted } from '../../host/sysctl/localhost-routing.ts';
import { CommandError, EXIT } from '../../lib/exit-status.ts';
import { KubeProxyLeftovers } from '../../migration/kube-proxy.ts';
import { FAMILIES } from '../../net/family.ts';
import { Kernel } from '../../nftables/client/kernel.ts';

export interface CleanupSettings {
  readonly nft: string;
  readonly conntrack: string;
  readonly runDir: string;
  readonly fastPath: { readonly directory: string; readonly program: string };
  /** kube-proxy's rules too. */
  readonly kubeProxy: boolean;
}

/** Everything of ours that can be in a network namespace. Whoever makes more has to remove it here. */
const OURS: readonly ((settings: CleanupSettings) => Promise<readonly string[]>)[] = [
  removeFastPath,
  removeTables,
  removeSocket,
];

/** Needs no daemon, and does no harm a second time. Tells what it has removed; throws when something stayed. */
export async function cleanup(settings: CleanupSettings): Promise<void> {
  await warnOfDaemon(settings);
  const removed: string[] = [];
  for (const remove of OURS) removed.push(...(await remove(settings)));
  if (removed.length > 0) await warnOfLoopback();
  const theirs = settings.kubeProxy
    ? await new KubeProxyLeftovers({ nft: settings.nft }).remove({ keepAccepting: false })
    : { removed: [], kept: [], obstacles: [] };
  const lines = [
    ...[...removed, ...theirs.removed].map((what) => `removed ${what}`),
    ...theirs.kept.map((what) => `kept ${what}`),
  ];
  process.stdout.write(`${lines.length === 0 ? 'nothing to remove' : lines.join('\n')}\n`);
  const unseen = await outOfReach(settings.runDir, settings.fastPath.directory);
  const obstacles = [...(unseen === undefined ? [] : [`Cannot remove the fast path: ${unseen}`]), ...theirs.obstacles];
  if (obstacles.length > 0) throw new CommandError(EXIT.environment, obstacles.join('\n'));
}

/** A daemon repairs its tables within seconds. */
async function warnOfDaemon({ runDir }: CleanupSettings): Promise<void> {
  const daemon = await fetchState(adminSocketPath(runDir)).catch(() => undefined);
  if (daemon === undefined) return;
  process.stderr.write(
    `nftlane: warning: process ${daemon.pid} is at work here and will put its tables back; end it first\n`,
  );
}

/** The rules that keep the network away from loopback addresses, where there were any, have gone with our tables. */
async function warnOfLoopback(): Promise<void> {
  if (!(await isLoopbackRouted())) return;
  process.stderr.write(
    'nftlane: warning: net.ipv4.conf.all.route_localnet is 1, and no rule of ours keeps the network away from 127.0.0.0/8; unless something else needs it: sysctl -w net.ipv4.conf.all.route_localnet=0\n',
  );
}

/** Flows that live are handed over to conntrack, so that none breaks by it. */
async function removeFastPath({ conntrack, fastPath, runDir }: CleanupSettings): Promise<string[]> {
  const { directory } = fastPath;
  const retired = await retire({ program: loaderPath(fastPath.program), directory, conntrack, drainMs: 0 });
  if (retired === undefined) return [];
  await removeNote(runDir);
  const { handedOver, obstacle } = retired;
  if (obstacle !== undefined) process.stderr.write(`nftlane: warning: flows of the fast path may end: ${obstacle}\n`);
  return [`the fast path at ${directory}, with ${handedOver} flows handed over`];
}

async function removeTables({ nft }: CleanupSettings): Promise<string[]> {
  const kernel = new Kernel({ command: nft });
  await kernel.check();
  try {
    return (await kernel.removeTables(FAMILIES)).map((family) => `nftables table ${family} nftlane`);
  } finally {
    kernel.close();
  }
}

/** A daemon that was killed leaves its socket. One that lives keeps it. */
async function removeSocket({ runDir }: CleanupSettings): Promise<string[]> {
  const path = adminSocketPath(runDir);
  if ((await fetchState(path).catch(() => undefined)) !== undefined) return [];
  try {
    await rm(path);
    return [`the socket ${path}`];
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
