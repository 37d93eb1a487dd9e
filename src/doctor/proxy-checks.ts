// Whether our daemon is at work, and whether anything else does the same work.
import { adminSocketPath, fetchState } from '../admin/admin-socket.ts';
import { type DaemonState, engineFromState } from '../admin/daemon-state.ts';
import { findDrift, modifiedChainDrift } from '../engine/drift.ts';
import { KubeProxyLeftovers } from '../migration/kube-proxy-leftovers.ts';
import { NftClient } from '../nftables/client/nft-client.ts';
import { type Check, type DoctorContext, ok, problem, warning } from './check.ts';
import { findProcesses } from './processes.ts';

export async function checkDaemon(context: DoctorContext): Promise<Check[]> {
  const state = await fetchState(adminSocketPath(context.runDir)).catch(() => undefined);
  const checks = [...(await checkDuplicates()), daemonCheck(state, adminSocketPath(context.runDir))];
  return state?.ready ? [...checks, await checkRuleset(context, state)] : checks;
}

async function checkDuplicates(): Promise<Check[]> {
  const daemons = await findProcesses(isDaemon);
  if (daemons.length < 2) return [];
  const pids = daemons.map(({ pid }) => pid).join(', ');
  const message = `${daemons.length} are at work in this network namespace: processes ${pids}`;
  return [problem('other daemons', message, 'end all but one: they undo each other’s work')];
}

function daemonCheck(state: DaemonState | undefined, socket: string): Check {
  const name = 'daemon';
  if (state === undefined) {
    const message = `nobody answers at ${socket}: what the kernel holds is not kept up to date`;
    return warning(name, message, 'start `nftlane run` in this network namespace, or name its --run-dir');
  }
  if (state.ready) return ok(name, `process ${state.pid}, version ${state.version}, from ${state.source}`);
  const message = `process ${state.pid} is still waiting for its objects`;
  return warning(name, message, `look at its log, and whether it reaches its source: ${state.source}`);
}

async function checkRuleset(context: DoctorContext, state: DaemonState): Promise<Check> {
  const nftClient = new NftClient({ command: context.nft });
  const listing = await nftClient.list();
  const engine = engineFromState(state);
  engine.adopt(listing);
  engine.compile();
  for (const refusal of state.refusals) engine.refuse(refusal);
  const drift = [...findDrift(engine, listing), ...modifiedChainDrift(engine, await nftClient.ruleCounts())];
  if (drift.length === 0) return ok('ruleset', 'the kernel holds what is wanted');
  const message = `${drift.length} differences between what is wanted and what the kernel holds`;
  return warning('ruleset', message, 'see `nftlane diff`; when they stay for more than 10 s, look at the log');
}

/** `nftlane run`, whether it is called by its name or given to node. */
export function isDaemon(program: string, args: readonly string[]): boolean {
  if (!['node', 'nftlane'].includes(program)) return false;
  const index = args.findIndex((word) => /(?:^|\/)(?:nftlane(?:\.mjs)?|src\/main\.ts)$/.test(word));
  return index >= 0 && args[index + 1] === 'run';
}

export async function checkKubeProxy(context: DoctorContext): Promise<Check[]> {
  const running = await findProcesses((program) => program === 'kube-proxy');
  const leftovers = new KubeProxyLeftovers({ nft: context.nft, system: context.system });
  const { leftovers: found, failures } = await leftovers.find();
  const name = 'kube-proxy';
  const checks = failures.map((obstacle) => warning(name, obstacle, 'or be sure that it never ran here'));
  if (running.length > 0) {
    const message = `it runs: process ${running.map(({ pid }) => pid).join(', ')}`;
    checks.push(warning(name, message, 'end it once nftlane runs, see docs/MIGRATION.md'));
  }
  if (found.length > 0) {
    const advice = '`nftlane run` removes them when its own are complete, `nftlane cleanup --kube-proxy` does so now';
    checks.push(warning(name, `its rules are there: ${found.join('; ')}`, advice));
  }
  return checks.length > 0 ? checks : [ok(name, 'neither it nor its rules are there')];
}
