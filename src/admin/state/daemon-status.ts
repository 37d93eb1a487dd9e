// The status of a running daemon: what it knows, and how old that is.

import type { VerificationStatus } from '../../controller/repair/element-verifier.ts';
import type { RulesetContest } from '../../controller/repair/repairs.ts';
import { describeSyncProblems, type SyncStatus } from '../../health/sync-status.ts';
import type { NftMonitorStatus } from '../../nftables/client/monitor/nft-monitor.ts';
import { describeSourceProblem, type SourceStatus } from '../../sources/status/source-status.ts';

/** All times are ages, as of the answer. */
export interface DaemonStatus {
  readonly version: string;
  readonly pid: number;
  readonly node: string;
  /** All objects have been listed once. */
  readonly ready: boolean;
  readonly source: SourceStatus;
  readonly sync: SyncStatus;
  /** Absent in the state of older daemons. */
  readonly ruleset?: RulesetStatus;
}

/** How changes of the ruleset by other processes are noticed and repaired. */
export interface RulesetStatus {
  readonly monitor: NftMonitorStatus;
  readonly contest?: RulesetContest | undefined;
  /** Absent in the state of older daemons. */
  readonly verification?: VerificationStatus;
}

/** What is wrong, for operators, the worst first; empty if nothing is known to be. */
export function describeProblems({
  source,
  sync,
  ruleset,
}: Pick<DaemonStatus, 'source' | 'sync' | 'ruleset'>): string[] {
  return [
    ...source.problems.map(describeSourceProblem),
    ...describeSyncProblems(sync),
    ...(ruleset === undefined ? [] : describeRulesetProblems(ruleset)),
  ];
}

/** A process that undoes repairs, or kernel notifications that do not arrive; empty if nothing is wrong. */
export function describeRulesetProblems({ monitor, contest }: RulesetStatus): string[] {
  const contested =
    contest === undefined
      ? []
      : [`process ${contest.program} (${contest.pid}) has undone ${contest.repairs} repairs of the ruleset in a row`];
  const notListening = monitor.reason === '' ? [] : [`no kernel notifications of ruleset changes: ${monitor.reason}`];
  return [...contested, ...notListening];
}
