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
 * Node ports at which a program of this node listens. The node port gets the connections of other hosts and of pods, as in
 * kube-proxy; only the API server's allocation avoids this.
 */
export function findPortConflicts(
  services: Iterable<Service>,
  { listeners, scope }: { readonly listeners: readonly Listener[]; readonly scope: NodePortScope },
): ValidationIssue[] {
  const all = [...services];
  // The daemon itself listens there, and node ports do not take them.
  const healthChecks = new Set(all.map(({ healthCheckNodePort }) => healthCheckNodePort));
  const listening = new Set(
    listeners
      .filter(
        ({ protocol, address, port }) => !(protocol === 'tcp' && healthChecks.has(port)) && acceptsAt(address, scope),
      )
      .map(({ protocol, port }) => `${port}/${protocol}`),
  );
  return all.flatMap((service) => {
    const collector = new IssueCollector('Service', service.key);
    for (const { protocol, nodePort } of service.ports) {
      if (!listening.has(`${nodePort}/${protocol}`)) continue;
      const reason = `a program of this node listens on port ${nodePort}/${protocol}`;
      const effect = 'its clients reach the Service instead';
      collector.add({ field: 'spec.ports[].nodePort', value: nodePort, reason, effect });
    }
    return collector.all;
  });
}

/** Whether node ports are accepted at an address of this socket. */
function acceptsAt(address: Address, scope: NodePortScope): boolean {
  if (specialUseOf(address) !== 'unspecified') return takesNodePorts(address, scope, () => true);
  // `::` accepts IPv4, too.
  const families = familyOf(address) === 'ip' ? (['ip'] as const) : (['ip', 'ip6'] as const);
  return families.some((family) => scope.nodePortIps[family] === 'any' || scope.nodePortIps[family].length > 0);
}
