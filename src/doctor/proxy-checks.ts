// Checks whether the daemon is running, and whether another proxy is.

import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { adminSocketPath } from '../admin/admin-socket.ts';
import { type DaemonAnswer, knownState } from '../admin/ask-daemon.ts';
import { fetchState } from '../admin/fetch-state.ts';
import { type DaemonState, engineFromState } from '../admin/state/daemon-state.ts';
import { type DaemonStatus, describeRulesetProblems, type RulesetStatus } from '../admin/state/daemon-status.ts';
import { describeVerification } from '../controller/repair/element-verifier.ts';
import { type Drift, findDrift, persistentDrift } from '../engine/drift.ts';
import { describeSyncProblems } from '../health/sync-status.ts';
import { printDuration } from '../lib/duration.ts';
import { errorMessage } from '../lib/error-message.ts';
import { KubeProxyLeftovers } from '../migration/kube-proxy-leftovers.ts';
import { NftClient } from '../nftables/client/nft-client.ts';
import { NftProgram } from '../nftables/client/nft-program.ts';
import { TABLE } from '../nftables/syntax/operation.ts';
import { describeSourceProblem } from '../sources/status/source-status.ts';
import { type Check, type DoctorContext, ok, problem, warning } from './check.ts';
import { findProcesses } from './machine/processes.ts';

/** Whether exactly one daemon runs, and whether the kernel has its ruleset. */
export async function checkDaemon(context: DoctorContext): Promise<Check[]> {
  const { daemon } = context;
  const checks = await checkDuplicates();
  if (daemon.daemon !== 'running') return [...checks, await missingDaemonCheck(context, daemon)];
  const { state } = daemon;
  checks.push(runningDaemonCheck(state), ...freshnessChecks(state.status));
  // What the daemon says remains useful if nft fails.
  return state.ready ? [...checks, await checkRuleset(context, state).catch(uncomparedRuleset)] : checks;
}

async function checkDuplicates(): Promise<Check[]> {
  const daemons = await findProcesses(isDaemon);
  if (daemons.length < 2) return [];
  const pids = daemons.map(({ pid }) => pid).join(', ');
  const message = `${daemons.length} are running in this network namespace: processes ${pids}`;
  return [problem('other daemons', message, "stop all but one: they overwrite each other's rules")];
}

/** A machine without a trace of nftlane may be examined before an installation. */
async function missingDaemonCheck(
  { runDir, nft: command, system }: DoctorContext,
  answer: Exclude<DaemonAnswer, { daemon: 'running' }>,
): Promise<Check> {
  const name = 'daemon';
  const socket = adminSocketPath(runDir);
  const [state = ''] = knownState(answer).status.problems;
  const effect = 'the rules in the kernel are not updated';
  if (answer.daemon === 'not-answering') {
    const advice = 'see what the process waits for, and restart it: connections survive';
    return problem(name, `${state}: ${effect}`, advice);
  }
  const nft = new NftProgram({ command, run: system.run });
  const chains = await nft.listChains().catch(() => undefined);
  const hasRun =
    chains?.some(({ table }) => table === TABLE) || existsSync(socket) || answer.remains.status !== undefined;
  const advice = 'start `nftlane run` in this network namespace, or set --run-dir to that of the daemon';
  if (hasRun) return problem(name, `no daemon answers at ${socket}: ${state}: ${effect}`, advice);
  const rules =
    chains === undefined ? 'whether the kernel has rules of nftlane is unknown' : 'the kernel has no rules of nftlane';
  return warning(name, `no daemon answers at ${socket}, and ${rules}`, advice);
}

function runningDaemonCheck({ pid, version, source, ready }: DaemonState): Check {
  if (ready) return ok('daemon', `process ${pid}, version ${version}, from ${source}`);
  const message = `process ${pid} has not received all objects yet`;
  return warning('daemon', message, `check its log, and whether it can reach its source: ${source}`);
}

/** How long a start may take: lists of large clusters, and a slow API server. */
const START_MS = 60_000;

/** Whether objects arrive, and whether they reach the kernel. */
function freshnessChecks({ source, sync, ruleset }: DaemonStatus): Check[] {
  const { name, contactMs, problems } = source;
  const contact = contactMs === undefined ? 'no contact yet' : `last contact ${printDuration(contactMs)} ago`;
  const sourceChecks = problems.map((found) => {
    const isStarting = found.cause === 'waiting' && found.forMs < START_MS;
    const advice =
      found.cause === 'kept'
        ? `check ${name}: it does not have them any more`
        : `the kernel keeps the last known state; check the log of the daemon, and ${name}`;
    return (isStarting ? warning : problem)('source', describeSourceProblem(found), advice);
  });
  const synced = sync.syncedMs === undefined ? 'no sync yet' : `last sync ${printDuration(sync.syncedMs)} ago`;
  const syncChecks = describeSyncProblems(sync).map((text) => problem('sync', text, 'check the log of the daemon'));
  return [
    ...(sourceChecks.length > 0 ? sourceChecks : [ok('source', `${name}, ${contact}`)]),
    ...(syncChecks.length > 0 ? syncChecks : [ok('sync', synced)]),
    ...(ruleset === undefined ? [] : notificationChecks(ruleset)),
  ];
}

/** Whether changes of the ruleset by other processes are noticed immediately, and repaired for good. */
function notificationChecks(ruleset: RulesetStatus): Check[] {
  const name = 'other writers';
  const advice = 'stop the process that the message names, or see the log of the daemon';
  const problems = describeRulesetProblems(ruleset).map((text) => problem(name, text, advice));
  const { state } = ruleset.monitor;
  const message = state === 'listening' ? 'none is undoing repairs' : 'notifications begin after the initial load';
  return [...(problems.length > 0 ? problems : [ok(name, message)]), ...verificationCheck(ruleset)];
}

/** When the daemon last compared all elements. The check of the ruleset below compares them now. */
function verificationCheck({ verification }: RulesetStatus): Check[] {
  if (verification === undefined) return [];
  const { roundEndedMs } = verification;
  const name = 'verification';
  if (roundEndedMs === undefined)
    return [ok(name, 'the daemon has not compared all elements yet; the check "ruleset" has, now')];
  const age = `${printDuration(roundEndedMs)} ago`;
  return [ok(name, `all elements compared by the daemon ${age}: ${describeVerification(verification)}`)];
}

/** How often the ruleset is compared before a difference counts, and the pause: the daemon may be committing or repairing. */
const COMPARISONS = 3;
const REPAIR_MS = 1000;

async function checkRuleset(context: DoctorContext, state: DaemonState): Promise<Check> {
  const nftClient = new NftClient({ command: context.nft });
  let drift = await compareRuleset(nftClient, state);
  for (let comparison = 2; comparison <= COMPARISONS && drift.length > 0; comparison++) {
    if (comparison === COMPARISONS) await delay(REPAIR_MS);
    drift = persistentDrift(drift, await compareRuleset(nftClient, await currentState(context, state)));
  }
  if (drift.length === 0) return ok('ruleset', 'the kernel holds the desired ruleset');
  const message = `${drift.length} differences between the desired ruleset and the kernel`;
  return problem('ruleset', message, 'see `nftlane diff` and the log of the daemon');
}

function uncomparedRuleset(error: unknown): Check {
  const message = `cannot compare the desired ruleset with the kernel: ${errorMessage(error)}`;
  return problem('ruleset', message, 'fix the reported error and run the command again');
}

async function currentState({ runDir }: DoctorContext, state: DaemonState): Promise<DaemonState> {
  return fetchState(adminSocketPath(runDir)).catch(() => state);
}

async function compareRuleset(nftClient: NftClient, state: DaemonState): Promise<Drift[]> {
  const listing = await nftClient.list();
  const engine = engineFromState(state);
  engine.adopt(listing);
  engine.compile();
  for (const refusal of state.refusals) engine.refuse(refusal);
  return findDrift(engine, listing);
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
