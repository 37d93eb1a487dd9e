// What /healthz and /livez answer: the words of kube-proxy, so that probes and load balancers need not know who answers.

import type { HttpResponse } from '../host/network/http-server.ts';
import { FAMILY_TRAITS, type Family } from '../net/family.ts';

export type HealthPath = '/healthz' | '/livez';

/** What the answers depend on. Times are in milliseconds since 1970. */
export interface ProxyHealthState {
  readonly now: number;
  /** Nothing waits for the kernel for too long. */
  readonly healthy: boolean;
  /** When the kernel last got everything; `undefined` before it did for the first time. */
  readonly lastSynced: number | undefined;
  /** Those that are served. */
  readonly families: readonly Family[];
  /** The Node may get new traffic. */
  readonly nodeEligible: boolean;
}

const HEADERS = { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' };
/** A time that is not known, as Go writes and reads it. */
const NEVER = '0001-01-01T00:00:00Z';

/**
 * /livez asks whether a restart of the daemon could mend anything; /healthz whether load balancers may send new traffic
 * here (KEP-3836), which they may not before the rules are complete. Both families go into the kernel in one sync, so
 * what is said of one holds for the other.
 */
export function proxyHealthResponse(path: HealthPath, state: ProxyHealthState): HttpResponse {
  const { now, healthy, lastSynced, nodeEligible, families } = state;
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
  };
  return { status: ok ? 200 : 503, headers: HEADERS, body: JSON.stringify(body) };
}

function familyStates<S>(families: readonly Family[], state: S): Record<string, S> {
  return Object.fromEntries(families.map((family) => [FAMILY_TRAITS[family].label, state]));
}

/** RFC 3339. */
function toText(ms: number | undefined): string {
  return ms === undefined ? NEVER : new Date(ms).toISOString();
}
