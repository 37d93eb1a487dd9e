// Whether our daemon is at work, and whether anything else does the same work.
import { adminSocketPath, fetchState } from '../admin/admin-socket.ts';
import { engineFromState } from '../admin/daemon-state.ts';
import { findDrift, modifiedChainDrift } from '../engine/drift.ts';
import { KubeProxyLeftovers } from '../migration/kube-proxy-leftovers.ts';
import { NftClient } from '../nftables/client/nft-client.ts';
import { type Check, type DoctorContext, ok, problem, warning } from './check.ts';
import { findProcesses } from './processes.ts';

export async function checkDaemon(context: DoctorContext): Promise<Check[]> {
  const name = 'daemon';
  const daemons = await findProcesses((program, args) => isDaemon(program, args));
  const duplicates =
    daemons.length > 1
      ? [
          problem(
            'other daemons',
            `${daemons.length} are at work in this network namespace: processes ${daemons.map(({ pid }) => pid).join(', ')}`,
            'end all but one: they undo each other’s work',
          ),
        ]
      : [];
  const state = await fetchState(adminSocketPath(context.runDir)).catch(() => undefined);
  if (state === undefined) {
    const message = `nobody answers at ${adminSocketPath(context.runDir)}: what the kernel holds is not kept up to date`;
    return [
      ...duplicates,
      warning(name, message, 'start `nftlane run` in this network namespace, or name its --run-dir'),
    ];
  }
  if (!state.ready) {
    const message = `process ${state.pid} is still waiting for its objects`;
    return [
      ...duplicates,
      warning(name, message, `look at its log, and whether it reaches its source: ${state.source}`),
    ];
  }
  return [
    ...duplicates,
    ok(name, `process ${state.pid}, version ${state.version}, from ${state.source}`),
    await checkRuleset(),
  ];

  async function checkRuleset(): Promise<Check> {
    const nftClient = new NftClient({ command: context.nft });
    const listing = await nftClient.list();
    const engine = engineFromState(state as NonNullable<typeof state>);
    engine.adopt(listing);
    engine.compile();
    for (const refusal of state?.refusals ?? []) engine.refuse(refusal);
    const drift = [...findDrift(engine, listing), ...modifiedChainDrift(engine, await nftClient.ruleCounts())];
    if (drift.length === 0) return ok('ruleset', 'the kernel holds what is wanted');
    const message = `${drift.length} differences between what is wanted and what the kernel holds`;
    return warning('ruleset', message, 'see `nftlane diff`; when they stay for more than 10 s, look at the log');
  }
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
