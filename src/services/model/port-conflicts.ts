// Finds node ports that take connections from programs of this node.

import { type Address, familyOf } from '../../net/address.ts';
import type { Protocol } from '../../net/protocol.ts';
import { specialUseOf } from '../../net/special-address.ts';
import { IssueCollector } from '../objects/read.ts';
import type { Service } from '../objects/service.ts';
import type { ValidationIssue } from '../objects/validation-issue.ts';
import type { NodePortScope } from './node-port-addresses.ts';
import { takesNodePorts } from './node-port-addresses.ts';

/** A socket that accepts new connections, or datagrams of any client. */
export interface Listener {
  readonly protocol: Protocol;
  readonly address: Address;
  readonly port: number;
}

/**
 * Node ports with the number of a health check node port, or at which a program of this node listens. The node port gets
 * the connections of other hosts and of pods, as in kube-proxy; only the API server's allocation avoids this.
 */
export function findPortConflicts(
  services: Iterable<Service>,
  { listeners, scope }: { readonly listeners: readonly Listener[]; readonly scope: NodePortScope },
): ValidationIssue[] {
  const all = [...services];
  const healthChecks = new Map<number, string>();
  const issues: ValidationIssue[] = [];
  for (const { key, healthCheckNodePort: port } of all) {
    if (port === 0) continue;
    const other = healthChecks.get(port);
    if (other === undefined) healthChecks.set(port, key);
    else issues.push(...sharedHealthCheck(key, port, other));
  }
  const listening = new Set(
    listeners
      .filter(({ address, port }) => !healthChecks.has(port) && acceptsAt(address, scope))
      .map(({ protocol, port }) => `${port}/${protocol}`),
  );
  for (const service of all) {
    const collector = new IssueCollector('Service', service.key);
    for (const { protocol, nodePort } of service.ports) {
      const healthCheck = protocol === 'tcp' ? healthChecks.get(nodePort) : undefined;
      const field = 'spec.ports[].nodePort';
      if (healthCheck !== undefined) {
        const reason = `is the health check node port of Service ${healthCheck}`;
        collector.add({ field, value: nodePort, reason, effect: 'its health checks reach this Service instead' });
      } else if (listening.has(`${nodePort}/${protocol}`)) {
        const reason = `a program of this node listens on port ${nodePort}/${protocol}`;
        collector.add({ field, value: nodePort, reason, effect: 'its clients reach the Service instead' });
      }
    }
    issues.push(...collector.all);
  }
  return issues;
}

function sharedHealthCheck(key: string, port: number, other: string): readonly ValidationIssue[] {
  const collector = new IssueCollector('Service', key);
  const reason = `is the health check node port of Service ${other}, too`;
  collector.add({ field: 'spec.healthCheckNodePort', value: port, reason, effect: 'only one of them can be checked' });
  return collector.all;
}

/** Whether node ports are accepted at an address of this socket. */
function acceptsAt(address: Address, scope: NodePortScope): boolean {
  if (specialUseOf(address) !== 'unspecified') return takesNodePorts(address, scope, () => true);
  // `::` accepts IPv4, too.
  const families = familyOf(address) === 'ip' ? (['ip'] as const) : (['ip', 'ip6'] as const);
  return families.some((family) => scope.nodePortIps[family] === 'any' || scope.nodePortIps[family].length > 0);
}
