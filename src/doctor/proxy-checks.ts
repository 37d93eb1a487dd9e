// Checks whether the daemon is running, and whether another proxy is.

import { adminSocketPath, fetchState } from '../admin/admin-socket.ts';
import { type DaemonState, engineFromState } from '../admin/daemon-state.ts';
import { findDrift, modifiedChainDrift } from '../engine/drift.ts';
import { KubeProxyLeftovers } from '../migration/kube-proxy-leftovers.ts';
import { NftClient } from '../nftables/client/nft-client.ts';
import { type Check, type DoctorContext, ok, problem, warning } from './check.ts';
import { findProcesses } from './processes.ts';

/** Whether exactly one daemon runs, and whether the kernel has its ruleset. */
export async function checkDaemon(context: DoctorContext): Promise<Check[]> {
  const state = await fetchState(adminSocketPath(context.runDir)).catch(() => undefined);
  const checks = [...(await checkDuplicates()), daemonCheck(state, adminSocketPath(context.runDir))];
  return state?.ready ? [...checks, await checkRuleset(context, state)] : checks;
}

async function checkDuplicates(): Promise<Check[]> {
  const daemons = await findProcesses(isDaemon);
  if (daemons.length < 2) return [];
  const pids = daemons.map(({ pid }) => pid).join(', ');
  const message = `${daemons.length} are running in this network namespace: processes ${pids}`;
  return [problem('other daemons', message, "stop all but one: they overwrite each other's rules")];
}

function daemonCheck(state: DaemonState | undefined, socket: string): Check {
  const name = 'daemon';
  if (state === undefined) {
    const message = `no daemon answers at ${socket}: the rules in the kernel are not updated`;
    return warning(
      name,
      message,
      'start `nftlane run` in this network namespace, or set --run-dir to that of the daemon',
    );
  }
  if (state.ready) return ok(name, `process ${state.pid}, version ${state.version}, from ${state.source}`);
  const message = `process ${state.pid} has not received all objects yet`;
  return warning(name, message, `check its log, and whether it can reach its source: ${state.source}`);
}

async function checkRuleset(context: DoctorContext, state: DaemonState): Promise<Check> {
  const nftClient = new NftClient({ command: context.nft });
  const listing = await nftClient.list();
  const engine = engineFromState(state);
  engine.adopt(listing);
  engine.compile();
  for (const refusal of state.refusals) engine.refuse(refusal);
  const drift = [...findDrift(engine, listing), ...modifiedChainDrift(engine, await nftClient.ruleCounts())];
  if (drift.length === 0) return ok('ruleset', 'the kernel holds the desired ruleset');
  const message = `${drift.length} differences between the desired ruleset and the kernel`;
  return warning('ruleset', message, 'see `nftlane diff`; if they last for more than 10 s, check the log');
}

/** Whether this is `nftlane run`, started directly or through node. */
export function isDaemon(program: string, args: readonly string[]): boolean {
  if (!['node', 'nftlane'].includes(program)) return false;
  const index = args.findIndex((word) => /(?:^|\/)(?:nftlane(?:\.mjs)?|src\/main\.ts)$/.test(word));
  return index >= 0 && args[index + 1] === 'run';
}

/** Whether kube-proxy runs or has left rules behind. */
export async function checkKubeProxy(context: DoctorContext): Promise<Check[]> {
  const running = await findProcesses((program) => program === 'kube-proxy');
  const leftovers = new KubeProxyLeftovers({ nft: context.nft, system: context.system });
  const { leftovers: found, failures } = await leftovers.find();
  const name = 'kube-proxy';
  const checks = failures.map((failure) => warning(name, failure, 'or make sure that kube-proxy never ran here'));
  if (running.length > 0) {
    const message = `running: process ${running.map(({ pid }) => pid).join(', ')}`;
    checks.push(warning(name, message, 'stop it once nftlane runs, see docs/MIGRATION.md'));
  }
  if (found.length > 0) {
    const advice =
      '`nftlane run` removes them when its own rules are complete, `nftlane cleanup --kube-proxy` removes them now';
    checks.push(warning(name, `its rules remain: ${found.join('; ')}`, advice));
  }
  return checks.length > 0 ? checks : [ok(name, 'not running, and no rules remain')];
}
