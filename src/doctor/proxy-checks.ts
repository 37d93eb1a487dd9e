// Whether our daemon is at work, and whether anything else does the same work.
import { adminSocketPath, fetchState } from '../admin/admin-socket.ts';
import { engineFrom } from '../admin/state.ts';
import { alteredDrift, findDrift } from '../engine/drift.ts';
import { KubeProxyLeftovers } from '../migration/kube-proxy.ts';
import { Kernel } from '../nftables/client/kernel.ts';
import { type Check, type Machine, ok, problem, warning } from './check.ts';
import { findProcesses } from './processes.ts';

export async function checkDaemon(machine: Machine): Promise<Check[]> {
  const name = 'daemon';
  const daemons = await findProcesses((program, words) => isDaemon(program, words));
  const twice =
    daemons.length > 1
      ? [
          problem(
            'other daemons',
            `${daemons.length} are at work in this network namespace: processes ${daemons.map(({ pid }) => pid).join(', ')}`,
            'end all but one: they undo each other’s work',
          ),
        ]
      : [];
  const state = await fetchState(adminSocketPath(machine.runDir)).catch(() => undefined);
  if (state === undefined) {
    const says = `nobody answers at ${adminSocketPath(machine.runDir)}: what the kernel holds is not kept up to date`;
    return [...twice, warning(name, says, 'start `nftlane run` in this network namespace, or name its --run-dir')];
  }
  if (!state.ready) {
    const says = `process ${state.pid} is still waiting for its objects`;
    return [...twice, warning(name, says, `look at its log, and whether it reaches its source: ${state.source}`)];
  }
  return [...twice, ok(name, `process ${state.pid}, version ${state.version}, from ${state.source}`), await inStep()];

  async function inStep(): Promise<Check> {
    const kernel = new Kernel({ command: machine.nft });
    const listing = await kernel.list();
    const engine = engineFrom(state as NonNullable<typeof state>);
    engine.adopt(listing);
    engine.compile();
    for (const refusal of state?.refusals ?? []) engine.refuse(refusal);
    const drift = [...findDrift(engine, listing), ...alteredDrift(engine, await kernel.ruleCounts())];
    if (drift.length === 0) return ok('ruleset', 'the kernel holds what is wanted');
    const says = `${drift.length} differences between what is wanted and what the kernel holds`;
    return warning('ruleset', says, 'see `nftlane diff`; when they stay for more than 10 s, look at the log');
  }
}

/** `nftlane run`, whether it is called by its name or given to node. */
export function isDaemon(program: string, words: readonly string[]): boolean {
  if (!['node', 'nftlane'].includes(program)) return false;
  const at = words.findIndex((word) => /(?:^|\/)(?:nftlane(?:\.mjs)?|src\/main\.ts)$/.test(word));
  return at >= 0 && words[at + 1] === 'run';
}

export async function checkKubeProxy(machine: Machine): Promise<Check[]> {
  const running = await findProcesses((program) => program === 'kube-proxy');
  const leftovers = new KubeProxyLeftovers({ nft: machine.nft, system: machine.system });
  const { leftovers: found, obstacles } = await leftovers.find();
  const name = 'kube-proxy';
  const checks = obstacles.map((obstacle) => warning(name, obstacle, 'or be sure that it never ran here'));
  if (running.length > 0) {
    const says = `it runs: process ${running.map(({ pid }) => pid).join(', ')}`;
    checks.push(warning(name, says, 'end it once nftlane runs, see docs/MIGRATION.md'));
  }
  if (found.length > 0) {
    const advice = '`nftlane run` removes them when its own are complete, `nftlane cleanup --kube-proxy` does so now';
    checks.push(warning(name, `its rules are there: ${found.join('; ')}`, advice));
  }
  return checks.length > 0 ? checks : [ok(name, 'neither it nor its rules are there')];
}
