// The responses of /healthz and /livez, in the format of kube-proxy.

import type { HttpResponse } from '../host/network/http-server.ts';
import { FAMILY_TRAITS, type Family } from '../net/family.ts';
import { describeSourceProblem, type SourceProblem } from '../sources/status/source-status.ts';

export type HealthPath = '/healthz' | '/livez';

/** Times are milliseconds since 1970. */
export interface ProxyHealthState {
  readonly now: number;
  /** No change waits for the kernel too long. */
  readonly healthy: boolean;
  /** Healthy, and no change waits because syncs fail. */
  readonly upToDate: boolean;
  /** The last successful sync; `undefined` before the first. */
  readonly lastSynced: number | undefined;
  /** The served families. */
  readonly families: readonly Family[];
  /** The node may receive new traffic. */
  readonly nodeEligible: boolean;
  /** What keeps the objects from being current. */
  readonly sourceProblem?: SourceProblem | undefined;
}

const HEADERS = { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' };
/** Go's zero time. */
const NEVER = '0001-01-01T00:00:00Z';

/**
 * /livez tells whether a restart of the daemon could help; /healthz whether load balancers may send new traffic to the node
 * (KEP-3836), which requires complete rules. Both families are synced together, so they have the same state. Objects that
 * are not current are only mentioned: neither a restart nor another node would help against an unreachable API server.
 */
export function proxyHealthResponse(path: HealthPath, state: ProxyHealthState): HttpResponse {
  const { now, lastSynced, nodeEligible, families, sourceProblem } = state;
  const healthy = path === '/livez' ? state.healthy : state.upToDate;
  const ready = path === '/livez' ? healthy : healthy && lastSynced !== undefined;
  const ok = path === '/livez' ? ready : ready && nodeEligible;
  const body = {
    lastUpdated: ok ? toText(now) : toText(lastSynced),
    currentTime: toText(now),
    ...(path === '/livez' ? {} : { nodeEligible }),
    healthy: ready,
    ...(lastSynced === undefined
      ? {}
      : { status: familyStates(families, { lastUpdated: toText(lastSynced), healthy }) }),
    ...(sourceProblem === undefined ? {} : { stale: withoutReason(sourceProblem) }),
  };
  return { status: ok ? 200 : 503, headers: HEADERS, body: JSON.stringify(body) };
}

/** Reasons have addresses and messages of the API server, and any client may read this. */
function withoutReason({ reason: _, ...problem }: SourceProblem): string {
  return describeSourceProblem(problem);
}

function familyStates<S>(families: readonly Family[], state: S): Record<string, S> {
  return Object.fromEntries(families.map((family) => [FAMILY_TRAITS[family].label, state]));
}

/** RFC 3339. */
function toText(ms: number | undefined): string {
  return ms === undefined ? NEVER : new Date(ms).toISOString();
}
