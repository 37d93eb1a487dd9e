// Kubernetes Events for Services and the Node.

import { type ForeignChanges, printCounts } from '../controller/repair/foreign-changes.ts';
import type { RulesetContest } from '../controller/repair/repairs.ts';
import type { Commit, FailedAttempt, Problems, SyncObserver } from '../controller/sync-observer.ts';
import { formatLimit, type LimitedService } from '../engine/service-limits.ts';
import { errorMessage } from '../lib/error-message.ts';
import { KINDS, type Kind } from '../services/objects/kinds.ts';
import { formatIssue, type ValidationIssue } from '../services/objects/validation-issue.ts';
import type { HoldEvent } from '../sources/guard/source-guard.ts';
import { describeSourceProblem, type SourceProblem } from '../sources/status/source-status.ts';
import type { StalenessObserver } from '../sources/status/staleness-reporter.ts';
import type { EventSpec, Regarding } from './event-spec.ts';

interface EventObserverOptions {
  readonly nodeName: string;
  readonly record: (event: EventSpec) => void;
  /** Whether the Service exists. */
  readonly hasService: (key: string) => boolean;
}

/** Failed syncs are retried, and most failures are short. */
const FAILING_THRESHOLD_MS = 60_000;

/** The Events at the start and the end of a problem. */
interface ProblemEvents {
  readonly raised: EventSpec;
  readonly resolved?: EventSpec;
}

export class EventObserver implements SyncObserver, StalenessObserver {
  readonly #options: EventObserverOptions;
  readonly #node: Regarding;
  readonly #problems = new Map<string, ProblemEvents>();
  #lastProblems: Problems | undefined;
  #failingSince: number | undefined;
  #hasRecordedFailure = false;

  constructor(options: EventObserverOptions) {
    this.#options = options;
    this.#node = { kind: 'Node', key: options.nodeName };
  }

  /** The daemon starts. */
  started(version: string): void {
    this.#recordForNode({
      type: 'Normal',
      reason: 'Starting',
      action: 'StartNftlane',
      note: `nftlane ${version} is starting`,
    });
  }

  /** A health check node port cannot be opened. `service` is `namespace/name`. */
  healthPortFailed({ service, port, reason }: { service: string; port: number; reason: string }): void {
    this.#options.record({
      regarding: { kind: 'Service', key: service },
      type: 'Warning',
      reason: 'FailedToStartServiceHealthcheck',
      action: 'Listen',
      note: `Node ${this.#options.nodeName} cannot serve health checks on port ${port}: ${reason}`,
      scope: 'node',
    });
  }

  /** The loss of many Services is held back, or a hold ends. */
  hold(event: HoldEvent): void {
    this.#recordForNode({ action: 'HoldBackLoss', ...describeHold(event) });
  }

  /** Objects have not been current for a minute. An unreachable API server cannot take the Event now. */
  sourceStale(problem: SourceProblem): void {
    if (problem.cause !== 'unreachable') this.#recordStale(describeSourceProblem(problem));
  }

  sourceRecovered(problem: SourceProblem): void {
    const description = describeSourceProblem(problem);
    if (problem.cause === 'unreachable') this.#recordStale(description);
    this.#recordForNode({
      type: 'Normal',
      reason: 'SourceRecovered',
      action: 'Watch',
      note: `Objects are current again, after: ${description}`,
    });
  }

  #recordStale(description: string): void {
    const note = `Objects were not current: ${description}; forwarding kept the last known state`;
    this.#recordForNode({ type: 'Warning', reason: 'SourceStale', action: 'Watch', note });
  }

  foreignChanges(changes: ForeignChanges): void {
    const { program, pid, transactions, first } = changes;
    const times = transactions === 1 ? '' : ` in ${transactions} transactions`;
    this.#recordForNode({
      type: 'Warning',
      reason: 'RulesetRepaired',
      action: 'Repair',
      note: `Process ${program} (${pid}) changed the tables of nftlane${times} (${printCounts(changes)}: ${first.join('; ')}); repaired`,
    });
  }

  contested(contest: RulesetContest | undefined): void {
    if (contest === undefined) {
      const note = 'No other process undoes repairs of the ruleset any more';
      this.#recordForNode({ type: 'Normal', reason: 'RulesetContestEnded', action: 'Repair', note });
      return;
    }
    const { program, pid, repairs, waitMs } = contest;
    const undone = `Process ${program} (${pid}) has undone ${repairs} repairs of the ruleset in a row`;
    const note = `${undone}; the next repairs wait for ${waitMs / 1000} s`;
    this.#recordForNode({ type: 'Warning', reason: 'RulesetContested', action: 'Repair', note });
  }

  chainsModified(chains: readonly string[]): void {
    const shownChains = chains.length > 3 ? `${chains.slice(0, 3).join(', ')} and others` : chains.join(', ');
    this.#recordForNode({
      type: 'Warning',
      reason: 'RulesetRepaired',
      action: 'Repair',
      note: `Another process changed nftlane chains (${shownChains}); repaired`,
    });
  }

  committed({ report, problems, isInitial }: Pick<Commit, 'report' | 'problems' | 'isInitial'>): void {
    const { drift } = report;
    if (drift.length > 0) {
      const note = `Kernel state differed from the state that nftlane applied (${drift[0]}); repaired`;
      this.#recordForNode({ type: 'Warning', reason: 'RulesetRepaired', action: 'Repair', note });
    }
    if (this.#hasRecordedFailure)
      this.#recordForNode({
        type: 'Normal',
        reason: 'SyncRecovered',
        action: 'Sync',
        note: 'Service changes reach the kernel again',
      });
    this.#failingSince = undefined;
    this.#hasRecordedFailure = false;
    this.#recordProblems(problems);
    if (isInitial)
      this.#recordForNode({
        type: 'Normal',
        reason: 'InitialLoadComplete',
        action: 'Sync',
        note: 'All Services are in the kernel',
      });
  }

  failed(error: unknown, { startedAt, durationMs }: FailedAttempt): void {
    this.#failingSince ??= startedAt;
    const seconds = Math.floor((startedAt + durationMs - this.#failingSince) / 1000);
    if (this.#hasRecordedFailure || seconds * 1000 < FAILING_THRESHOLD_MS) return;
    this.#hasRecordedFailure = true;
    const reason = errorMessage(error);
    this.#recordForNode({
      type: 'Warning',
      reason: 'SyncFailing',
      action: 'Sync',
      note: `No Service change has reached the kernel for ${seconds} s: ${reason}`,
    });
  }

  #recordProblems(problems: Problems): void {
    const { issues, conflicts, refused, limited } = problems;
    const last = this.#lastProblems;
    this.#lastProblems = problems;
    const isQuiet = issues.length + conflicts.length + refused.length + limited.length === 0;
    if (isQuiet && this.#problems.size === 0) return;
    // Comparing 10,000 problems takes longer than a sync.
    const isSame = last?.issues === issues && last.conflicts === conflicts && last.limited === limited;
    if (isSame && refused.length === 0 && last.refused.length === 0) return;
    const now = new Map<string, ProblemEvents>();
    const add = (problem: ProblemEvents | undefined): void => {
      if (problem !== undefined) now.set(JSON.stringify(problem.raised), problem);
    };
    for (const issue of issues) add(fromIssue(issue));
    for (const { frontend, winner, losers } of conflicts) {
      for (const loser of losers) add(fromConflict({ frontend, winner, loser }));
    }
    for (const { service, reason } of refused) add(this.#fromRefusal(service, reason));
    for (const limit of limited) add(this.#fromLimit(limit));
    this.#recordChanges(now);
  }

  #recordChanges(now: ReadonlyMap<string, ProblemEvents>): void {
    for (const [key, { raised }] of now) if (!this.#problems.has(key)) this.#options.record(raised);
    for (const [key, { resolved }] of this.#problems) {
      if (!now.has(key) && resolved !== undefined && this.#options.hasService(resolved.regarding.key))
        this.#options.record(resolved);
    }
    this.#problems.clear();
    for (const [key, problem] of now) this.#problems.set(key, problem);
  }

  #fromRefusal(service: string, reason: string): ProblemEvents {
    const { nodeName } = this.#options;
    const common = { regarding: { kind: 'Service', key: service }, action: 'Sync', scope: 'node' } as const;
    const raised = {
      type: 'Warning',
      reason: 'ServiceNotProgrammed',
      note: `Node ${nodeName} cannot program the Service: ${reason}`,
    } as const;
    const resolved = {
      type: 'Normal',
      reason: 'ServiceRestored',
      note: `Node ${nodeName} has programmed the Service again`,
    } as const;
    return { raised: { ...common, ...raised }, resolved: { ...common, ...resolved } };
  }

  #fromLimit({ service, reason, effect }: LimitedService): ProblemEvents {
    const { nodeName } = this.#options;
    const common = { regarding: { kind: 'Service', key: service }, action: 'Sync', scope: 'node' } as const;
    const note = `On node ${nodeName}, the Service ${formatLimit({ reason, effect })}`;
    const resolvedNote = `On node ${nodeName}, the Service is within the limits again`;
    return {
      raised: { ...common, type: 'Warning', reason: 'ServiceLimited', note },
      resolved: { ...common, type: 'Normal', reason: 'ServiceRestored', note: resolvedNote },
    };
  }

  #recordForNode(event: Pick<EventSpec, 'type' | 'reason' | 'action' | 'note'>): void {
    this.#options.record({ ...event, regarding: this.#node, scope: 'node' });
  }
}

function describeHold(event: HoldEvent): Pick<EventSpec, 'type' | 'reason' | 'note'> {
  if (event.type === 'held') {
    const { lost, before, gracePeriodMs } = event;
    const until = `their loss is applied after ${Math.round(gracePeriodMs / 1000)} s`;
    const note = `${lost} of ${before} Services, or their endpoints, were lost and are kept: ${until}`;
    return { type: 'Warning', reason: 'ServiceLossHeld', note };
  }
  if (event.type === 'start-held') {
    const { lost, before, remainingMs } = event;
    const until = `nothing in the kernel is changed or repaired, also for new Services, for ${Math.ceil(remainingMs / 1000)} s`;
    const note = `${lost} of ${before} Services, or their endpoints, were lost while no daemon ran, and are kept: ${until}`;
    return { type: 'Warning', reason: 'ServiceLossHeld', note };
  }
  const { services } = event;
  if (event.type === 'emptied') {
    const note = 'Another process deleted the Services that were kept from the kernel: the start continues';
    return { type: 'Normal', reason: 'ServiceLossRecovered', note };
  }
  if (event.type === 'recovered') {
    const note = `Lost Services are back; applied the loss of the other ${services}`;
    return { type: 'Normal', reason: 'ServiceLossRecovered', note };
  }
  const cause = event.type === 'expired' ? 'the grace period is over' : 'an operator accepted it';
  return { type: 'Warning', reason: 'ServiceLossApplied', note: `Applied the loss of ${services} Services: ${cause}` };
}

/** An object without a name cannot have Events. */
function fromIssue(issue: ValidationIssue): ProblemEvents | undefined {
  const { object, field, value, reason, effect, service } = issue;
  if (service !== undefined) return fromSliceIssue(issue, service);
  const [kind = '', key = '', ...rest] = object.split(' ');
  if (!isKind(kind) || key === '' || rest.length > 0) return undefined;
  const note = `${field} ${value}: ${reason}; ${effect}`;
  const raised = { type: 'Warning', reason: 'InvalidField', action: 'Validate', note, scope: 'cluster' } as const;
  return { raised: { regarding: { kind, key }, ...raised } };
}

/** An Event of the Service, which is where its users look. */
function fromSliceIssue(issue: ValidationIssue, service: string): ProblemEvents {
  const common = { regarding: { kind: 'Service', key: service }, action: 'Validate', scope: 'cluster' } as const;
  const note = formatIssue(issue);
  const resolvedNote = `${issue.object} is no longer a problem of this Service`;
  return {
    raised: { ...common, type: 'Warning', reason: 'EndpointSliceMismatch', note },
    resolved: { ...common, type: 'Normal', reason: 'EndpointSliceMatches', note: resolvedNote },
  };
}

function fromConflict({ frontend, winner, loser }: Record<'frontend' | 'winner' | 'loser', string>): ProblemEvents {
  const common = { regarding: { kind: 'Service', key: loser }, action: 'Sync', scope: 'cluster' } as const;
  const conflictNote = `${frontend} belongs to the older Service ${winner}: this Service receives no traffic there`;
  const resolvedNote = `${frontend} no longer conflicts with Service ${winner}`;
  return {
    raised: { ...common, type: 'Warning', reason: 'FrontendConflict', note: conflictNote },
    resolved: { ...common, type: 'Normal', reason: 'FrontendConflictResolved', note: resolvedNote },
  };
}

function isKind(kind: string): kind is Kind {
  return Object.hasOwn(KINDS, kind);
}
