// The claims of Services to frontends, and those of their health checks to node ports, which precede all others.

import { frontendKey, nodePortKey } from '../../nftables/compile/compile-service.ts';
import { FrontendClaims, type FrontendConflict } from '../../nftables/plan/frontend-claims.ts';
import { allFrontends } from '../../services/model/frontends.ts';
import { IssueCollector } from '../../services/objects/read.ts';
import type { Service } from '../../services/objects/service.ts';
import { formatIssue, type ValidationIssue } from '../../services/objects/validation-issue.ts';

/** A Service as it is in the store, and as it is served. */
interface ClaimingService {
  readonly key: string;
  readonly stored: Service | undefined;
  readonly served: Service | undefined;
}

/** What is derived from a list of conflicts. */
interface Problems {
  readonly from: readonly FrontendConflict[];
  readonly conflicts: readonly FrontendConflict[];
  readonly issues: readonly ValidationIssue[];
}

/** The claimant of a health check node port. No Service has such a name. */
const HEALTH_CHECK = 'health check of ';
const NONE: readonly string[] = [];

export class ServiceClaims {
  readonly #claims = new FrontendClaims();
  readonly #withHealthCheck = new Set<string>();
  #problems?: Problems;

  /** Replaces the claims of a Service. Returns the other Services that won or lost a frontend by this. */
  claim(service: ClaimingService): Set<string> {
    const affected = this.#hasHealthCheck(service) ? this.#claims.claim(...healthCheckClaim(service)) : NONE;
    if ((service.stored?.healthCheckNodePort ?? 0) === 0) this.#withHealthCheck.delete(service.key);
    return servicesIn([...affected, ...this.#claims.claim(...claimOf(service))]);
  }

  /** Claims further frontends. The result is that of {@link claim}. */
  extend(service: ClaimingService): Set<string> {
    const affected = this.#hasHealthCheck(service) ? this.#claims.extend(...healthCheckClaim(service)) : NONE;
    return servicesIn([...affected, ...this.#claims.extend(...claimOf(service))]);
  }

  /** Whether it has a health check node port, or claims one from before: most Services never have. */
  #hasHealthCheck({ key, stored }: ClaimingService): boolean {
    if ((stored?.healthCheckNodePort ?? 0) !== 0) this.#withHealthCheck.add(key);
    return this.#withHealthCheck.has(key);
  }

  owns(frontend: string, key: string): boolean {
    return this.#claims.owns(frontend, key);
  }

  /** The frontends that more than one Service claims. The same list as before if none changed. */
  conflicts(): readonly FrontendConflict[] {
    return this.#findProblems().conflicts;
  }

  /** Node ports and health check node ports that a health check precedes. The same list as before if none changed. */
  issues(): readonly ValidationIssue[] {
    return this.#findProblems().issues;
  }

  #findProblems(): Problems {
    const from = this.#claims.conflicts();
    if (this.#problems?.from === from) return this.#problems;
    const isTaken = ({ winner }: FrontendConflict): boolean => winner.startsWith(HEALTH_CHECK);
    this.#problems = {
      from,
      conflicts: from.filter((conflict) => !isTaken(conflict)),
      issues: uniqueIssues(from.filter(isTaken).flatMap(toIssues)),
    };
    return this.#problems;
  }
}

function claimOf({ key, served }: ClaimingService): Parameters<FrontendClaims['claim']> {
  const frontends = served === undefined ? [] : allFrontends(served).map(frontendKey);
  return [{ key, createdAt: served?.createdAt ?? 0 }, frontends];
}

/** The daemon answers health checks of a Service also if the kernel refused it. */
function healthCheckClaim({ key, stored }: ClaimingService): Parameters<FrontendClaims['claim']> {
  const port = stored?.healthCheckNodePort ?? 0;
  const frontends =
    port === 0 ? [] : (stored?.families ?? []).map((family) => nodePortKey({ family, protocol: 'tcp', port }));
  return [{ key: `${HEALTH_CHECK}${key}`, createdAt: Number.NEGATIVE_INFINITY }, frontends];
}

function servicesIn(claimants: readonly string[]): Set<string> {
  return new Set(claimants.filter((key) => !key.startsWith(HEALTH_CHECK)));
}

/** What the losers of a node port to a health check do not get. */
function toIssues({ frontend, winner, losers }: FrontendConflict): readonly ValidationIssue[] {
  const value = Number(/(\d+)\/tcp$/.exec(frontend)?.[1]);
  const owner = serviceOf(winner);
  return losers.flatMap((loser) => {
    const collector = new IssueCollector('Service', serviceOf(loser));
    if (loser.startsWith(HEALTH_CHECK)) {
      const reason = `is the health check node port of Service ${owner}, too`;
      const field = 'spec.healthCheckNodePort';
      collector.add({ field, value, reason, effect: 'only one of them can be checked' });
    } else {
      const reason = `is the health check node port of Service ${owner}`;
      collector.add({ field: 'spec.ports[].nodePort', value, reason, effect: 'ignoring this node port' });
    }
    return collector.all;
  });
}

function serviceOf(claimant: string): string {
  return claimant.startsWith(HEALTH_CHECK) ? claimant.slice(HEALTH_CHECK.length) : claimant;
}

/** Both families have the same. */
function uniqueIssues(issues: readonly ValidationIssue[]): ValidationIssue[] {
  return [...new Map(issues.map((issue) => [formatIssue(issue), issue])).values()];
}
