// How current the objects from an API server are.

import type { ReflectorState } from '../api-server/reflector-state.ts';
import { type ResourceStatus, type SourceProblem, type SourceStatus, youngestMs } from './source-status.ts';

interface ApiServerStatusOptions {
  /** Such as `API server https://10.0.0.1:6443`. */
  readonly name: string;
  readonly states: readonly ReflectorState[];
  /** When the source was opened, and the present, on the clock of the states. */
  readonly startedAt: number;
  readonly now: number;
}

/**
 * Bookmarks arrive about once a minute, and a watch without data for 75 s is opened again: without a list, event or bookmark
 * for twice that time, nothing arrives although the connection seems to work.
 */
export const SILENT_AFTER_MS = 150_000;
/** An open watch is in order again after this time, even if the server has nothing to say yet. */
const STABLE_WATCH_MS = 1_000;

/** Judges the states of all kinds. */
export function apiServerStatus({ name, states, startedAt, now }: ApiServerStatusOptions): SourceStatus {
  const resources = states.map(({ kind, lastReceivedAt }): ResourceStatus => {
    return { resource: kind, ...(lastReceivedAt === undefined ? {} : { contactMs: age(lastReceivedAt, now) }) };
  });
  const problems = states.flatMap((state) => problemOf(state, { startedAt, now }) ?? []);
  const contactMs = youngestMs(resources);
  return {
    name,
    ...(contactMs === undefined ? {} : { contactMs }),
    resources,
    problems: problemOfServer(problems, states) ?? problems.map(asKindProblem).sort(byRank),
  };
}

const RANK = { unreachable: 0, failing: 1, silent: 2, waiting: 3, kept: 4 } as const;

function byRank(a: SourceProblem, b: SourceProblem): number {
  return RANK[a.cause] - RANK[b.cause];
}

/** If all kinds have the same problem, it is one of the API server. A kind that is not served never falls silent. */
function problemOfServer(
  problems: readonly SourceProblem[],
  states: readonly ReflectorState[],
): SourceProblem[] | undefined {
  const served = states.filter(({ isNotServed }) => isNotServed !== true);
  for (const [cause, kinds] of [
    ['unreachable', states],
    ['silent', served],
  ] as const) {
    const same = problems.filter((problem) => problem.cause === cause);
    if (same.length > 1 && same.length === kinds.length) return [{ ...shortest(same), subject: 'API server' }];
  }
  return undefined;
}

/** While other kinds get responses, the API server as a whole is not unreachable. */
function asKindProblem({ cause, ...problem }: SourceProblem): SourceProblem {
  return { ...problem, cause: cause === 'unreachable' ? 'failing' : cause };
}

/** The server was reached until the last of its watches failed. */
function shortest([first, ...others]: readonly SourceProblem[]): SourceProblem {
  const none: SourceProblem = { cause: 'unreachable', subject: '', forMs: 0 };
  return others.reduce((a, b) => (b.forMs < a.forMs ? b : a), first ?? none);
}

function problemOf(
  state: ReflectorState,
  { startedAt, now }: Pick<ApiServerStatusOptions, 'startedAt' | 'now'>,
): SourceProblem | undefined {
  const { kind, phase, connectedAt, lastReceivedAt, failing, failedAt, isNotServed } = state;
  const subject = `watch of ${kind}s`;
  const isWatching = phase === 'watching' && connectedAt !== undefined && now - connectedAt >= STABLE_WATCH_MS;
  if (failing !== undefined && !isWatching) {
    const cause = failing.status === undefined ? 'unreachable' : 'failing';
    return { cause, subject, forMs: age(failing.since, now), reason: failing.reason };
  }
  if (isNotServed === true) return undefined;
  if (lastReceivedAt === undefined)
    return { cause: 'waiting', subject: `list of ${kind}s`, forMs: age(startedAt, now) };
  // After an outage, the first bookmark takes up to a minute.
  const silentMs = age(Math.max(lastReceivedAt, failedAt ?? lastReceivedAt), now);
  return silentMs < SILENT_AFTER_MS ? undefined : { cause: 'silent', subject, forMs: silentMs };
}

function age(at: number, now: number): number {
  return Math.max(0, Math.round(now - at));
}
