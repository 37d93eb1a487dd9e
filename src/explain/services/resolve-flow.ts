// What must happen to the first packet of a flow, said from what Services mean and not from how they are compiled.

import { isLoopback } from '../../net/address.ts';
import { isHostAddress, outputInterface } from '../../net/host.ts';
import { contains, parsePrefix } from '../../net/prefix.ts';
import type { Backend } from '../../services/model/backends.ts';
import { takesNodePorts } from '../../services/model/node-port-addresses.ts';
import { sourceRangesOf } from '../../services/objects/source-ranges.ts';
import { type Destination, type FlowOutcome, mergeDestinations, type Outcome } from '../flow/flow-outcome.ts';
import type { Packet } from '../flow/packet.ts';
import { addressKey, type FrontendEntry, nodePortKey, type ServiceTable } from './service-table.ts';

/** A fate, and why it is so. */
export interface ResolvedFlow extends FlowOutcome {
  /** What was dialled, when it belongs to a Service. */
  readonly entry: FrontendEntry | undefined;
  readonly reason: string;
  /** What the reason is made of, in order. */
  readonly steps: readonly string[];
}

/** The verdict on the first packet of a flow. */
export function resolveFlow(packet: Packet, table: ServiceTable): ResolvedFlow {
  if (isMartian(packet, table)) {
    return { ...noDestination('drop', ['loopback addresses are for this host alone']), entry: undefined };
  }
  const entry = findEntry(packet, table);
  if (entry === undefined) return withoutService(packet, table);
  const steps = [describeEntry(entry)];
  if (isOutsideSourceRanges(packet, entry, table)) {
    steps.push(`${packet.source} is not in its source ranges`);
    return { ...noDestination('drop', steps), entry };
  }
  const { backends, reasons, masqueradesClient } = eligibleBackends(packet, entry, table);
  steps.push(...reasons);
  const weighted = weightedShares(backends, entry);
  if (weighted.length === 0) return withoutBackends(packet, entry, { steps, table });
  const destinations = weighted.map(([backend, share]): Destination => {
    const masquerade = isMasqueraded(packet, backend, { entry, masqueradesClient, table, steps });
    return { address: backend.address, port: backend.port, share, masquerade };
  });
  const reason = `to ${destinations.length === 1 ? 'the one endpoint' : `one of ${destinations.length} endpoints`}`;
  return {
    outcome: 'forward',
    destinations: mergeDestinations(destinations),
    entry,
    reason,
    steps: [...new Set(steps)],
  };
}

/** Where node ports are taken at 127.0.0.1 the kernel routes such addresses, so that we have to see who uses them. */
function isMartian({ family, source, destination, inInterface }: Packet, { node }: ServiceTable): boolean {
  if (!node.localhostNodePorts || family !== 'ip' || inInterface === undefined) return false;
  return isLoopback(source) || isLoopback(destination);
}

/** A frontend with that very address goes before a node port. */
function findEntry(
  { destination, destinationPort, protocol, family }: Packet,
  table: ServiceTable,
): FrontendEntry | undefined {
  const exact = table.entries.get(addressKey(destination, protocol, destinationPort));
  if (exact !== undefined) return exact;
  if (!takesNodePorts(destination, table.node, (address) => isHostAddress(table.host, address))) return undefined;
  return table.entries.get(nodePortKey(family, protocol, destinationPort));
}

function describeEntry({ service, kind, frontend }: FrontendEntry): string {
  const what = {
    'cluster-ip': 'cluster IP',
    'external-ip': 'external IP',
    'load-balancer-ip': 'load balancer address',
  };
  const port = `port ${frontend.port}/${frontend.servicePort.protocol}`;
  return kind === 'node-port'
    ? `node ${port} of Service ${service.key}`
    : `${what[kind]} of Service ${service.key}, ${port}`;
}

/** A load balancer address is for the source ranges; where the node is allowed, so is the address itself. */
function isOutsideSourceRanges(
  { family, source }: Packet,
  { kind, service }: FrontendEntry,
  { node }: ServiceTable,
): boolean {
  if (kind !== 'load-balancer-ip') return false;
  const ranges = sourceRangesOf(service, family, { strict: node.strictSourceRanges });
  if (ranges === 'open' || ranges.some((range) => contains(range, source))) return false;
  const isNodeAllowed = ranges.some((range) => contains(range, node.addresses[family]));
  return !(isNodeAllowed && service.loadBalancerIps.includes(source));
}

/** Who may be reached by this client, and whether the client's own address is hidden from all of them. */
interface EligibleBackends {
  readonly backends: readonly Backend[];
  readonly masqueradesClient: boolean;
  readonly reasons: readonly string[];
}

function eligibleBackends(packet: Packet, entry: FrontendEntry, table: ServiceTable): EligibleBackends {
  if (entry.kind === 'cluster-ip') return clusterIpBackends(packet, entry, table);
  if (entry.frontend.policy === 'Local') return localPolicyBackends(packet, entry, table);
  const reasons = ['externalTrafficPolicy is Cluster: every endpoint, and the client is masqueraded'];
  return { backends: entry.usable.cluster, masqueradesClient: true, reasons };
}

function clusterIpBackends(packet: Packet, { frontend, usable }: FrontendEntry, table: ServiceTable): EligibleBackends {
  const isFromPod = isPod(packet, table);
  const local = frontend.policy === 'Local';
  const { masqueradeAll } = table.node;
  const clientReason = masqueradeAll
    ? 'all connections to cluster IPs are masqueraded'
    : CLIENT_REASONS[`${isFromPod}`];
  return {
    backends: local ? usable.local : usable.cluster,
    masqueradesClient: masqueradeAll || isFromPod === false,
    reasons: [...(local ? ['internalTrafficPolicy is Local: only endpoints of this node'] : []), clientReason],
  };
}

/** externalTrafficPolicy Local. */
function localPolicyBackends(packet: Packet, { usable }: FrontendEntry, table: ServiceTable): EligibleBackends {
  const exception = 'though externalTrafficPolicy is Local, it may use every endpoint';
  if (isPod(packet, table) === true)
    return { backends: usable.cluster, masqueradesClient: false, reasons: [`the client is a pod: ${exception}`] };
  if (isHostAddress(table.host, packet.source)) {
    const reasons = [`the client is this node itself: ${exception}, and is masqueraded`];
    return { backends: usable.cluster, masqueradesClient: true, reasons };
  }
  const reasons = ['externalTrafficPolicy is Local: only endpoints of this node, and they see the client as it is'];
  return { backends: usable.local, masqueradesClient: false, reasons };
}

/** What {@link isPod} says, and what follows for a cluster IP. */
const CLIENT_REASONS = {
  true: 'the client is a pod, so endpoints see it as it is',
  false: 'the client is no pod, so it is masqueraded',
  undefined: 'this node cannot tell pods from others, so endpoints see clients as they are',
} as const;

/** `undefined` when this node cannot tell. */
function isPod({ family, source, inInterface = '' }: Packet, { node }: ServiceTable): boolean | undefined {
  const { detectLocal } = node;
  if (detectLocal.by === 'interface') {
    const { name } = detectLocal;
    return name.endsWith('*') ? inInterface.startsWith(name.slice(0, -1)) : inInterface === name;
  }
  const prefix = parsePrefix(detectLocal.prefixes[family] ?? '');
  return prefix === undefined ? undefined : contains(prefix, source);
}

/** Backends with their shares; those of weight 0 are left out. */
function weightedShares(backends: readonly Backend[], { service }: FrontendEntry): [Backend, number][] {
  const weights = backends.map((backend) => service.weights[backend.address] ?? 1);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return backends.flatMap((backend, index): [Backend, number][] => {
    const weight = weights[index] ?? 0;
    return weight > 0 ? [[backend, weight / total]] : [];
  });
}

/** A node port is refused where the packet ends: only at an address of the host, and only if the packet gets there. */
function withoutBackends(
  packet: Packet,
  entry: FrontendEntry,
  { steps, table }: { steps: readonly string[]; table: ServiceTable },
): ResolvedFlow {
  if (entry.kind === 'node-port') {
    const hostResult = withoutService(packet, table);
    if (hostResult.outcome !== 'untouched' || !isHostAddress(table.host, packet.destination)) return hostResult;
  }
  if (!entry.usable.hasAny) return { ...noDestination('refuse', [...steps, 'no endpoint is ready anywhere']), entry };
  return { ...noDestination('drop', [...steps, 'there are endpoints, but none that this client may use']), entry };
}

interface MasqueradeContext {
  readonly entry: FrontendEntry;
  readonly masqueradesClient: boolean;
  readonly table: ServiceTable;
  readonly steps: string[];
}

/** What is delivered on this host never leaves it, and nothing is rewritten. */
function isMasqueraded(packet: Packet, { address, port }: Backend, context: MasqueradeContext): boolean {
  const { host, localEndpoints } = context.table;
  const forwarded = packet.inInterface !== undefined;
  if (forwarded && isHostAddress(host, address)) return false;
  if (context.masqueradesClient) return true;
  const isLocalEndpoint = localEndpoints.has(addressKey(address, packet.protocol, port));
  if (isLocalEndpoint && packet.source === address) {
    context.steps.push('an endpoint that reaches itself is masqueraded');
    return true;
  }
  const isDetectedByAddress = context.table.node.detectLocal.by === 'source' && isPod(packet, context.table) === true;
  if (!forwarded || !isDetectedByAddress || isLocalEndpoint || outputInterface(host, address) !== packet.inInterface)
    return false;
  context.steps.push(`${address} is reached the way the packet came: masqueraded, so that the answer comes back here`);
  return true;
}

function withoutService(packet: Packet, table: ServiceTable): ResolvedFlow {
  const { destination, family, inInterface } = packet;
  const isForwarded = inInterface === undefined || !isHostAddress(table.host, destination);
  const service = table.clusterIps.get(destination);
  const inRange = table.node.serviceCidrs[family].some((text) => {
    const prefix = parsePrefix(text);
    return prefix !== undefined && contains(prefix, destination);
  });
  const entry = undefined;
  if (isForwarded && service !== undefined) {
    return { ...noDestination('refuse', [`cluster IP of Service ${service}, which does not define this port`]), entry };
  }
  if (isForwarded && inRange) {
    return { ...noDestination('drop', [`${destination} is in a ServiceCIDR, and no Service has it`]), entry };
  }
  return { ...noDestination('untouched', [`${destination} belongs to no Service`]), entry };
}

function noDestination(outcome: Outcome, steps: readonly string[]): Omit<ResolvedFlow, 'entry'> {
  return { outcome, destinations: [], reason: steps.at(-1) ?? '', steps };
}
