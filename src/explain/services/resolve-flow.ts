// Resolves the first packet of a flow from the meaning of Services, independently of how they are compiled.

import { isLoopback } from '../../net/address.ts';
import { FAMILY_TRAITS } from '../../net/family.ts';
import { isHostAddress } from '../../net/host.ts';
import { contains, parsePrefix } from '../../net/prefix.ts';
import { NO_CLUSTER_IP } from '../../services/allocation/complete-service.ts';
import { whyWithoutEndpoints } from '../../services/matching/slice-matching.ts';
import type { Backend } from '../../services/model/backends.ts';
import { takesNodePorts } from '../../services/model/node-port-addresses.ts';
import { sourceRangesOf } from '../../services/objects/source-ranges.ts';
import { type FlowOutcome, mergeDestinations, type Outcome } from '../flow/flow-outcome.ts';
import type { Packet } from '../flow/packet.ts';
import { describeMasquerade, isPod, type MasqueradeDecision, masqueradeAt } from './masquerade.ts';
import { addressKey, type FrontendEntry, nodePortKey, portKey, type ServiceTable } from './service-table.ts';

/** An outcome with its reasons. */
export interface ResolvedFlow extends FlowOutcome {
  /** The destination, if it belongs to a Service. */
  readonly entry: FrontendEntry | undefined;
  readonly reason: string;
  /** The decisions behind the outcome, in order. */
  readonly steps: readonly string[];
}

/** Decides the outcome of the flow, with the reasons in order. */
export function resolveFlow(packet: Packet, table: ServiceTable): ResolvedFlow {
  if (isMartian(packet, table)) {
    return { ...noDestination('drop', ['loopback addresses are reachable from this host only']), entry: undefined };
  }
  const entry = findEntry(packet, table);
  if (entry === undefined) return withoutService(packet, table);
  const steps = [describeEntry(entry)];
  if (isOutsideSourceRanges(packet, entry, table)) {
    steps.push(`${packet.source} is outside the source ranges of the Service`);
    return { ...noDestination('drop', steps), entry };
  }
  const { backends, reasons, client } = eligibleBackends(packet, entry, table);
  steps.push(...reasons);
  const weighted = weightedShares(backends, entry);
  if (weighted.length === 0) return withoutBackends(packet, entry, { steps, table });
  const decided = weighted.map(([backend, share]) => {
    const { masquerade, reason } = masqueradeAt(backend, { packet, client, table });
    return { address: backend.address, port: backend.port, share, endpoint: backend.name, masquerade, reason };
  });
  return {
    outcome: 'forward',
    destinations: mergeDestinations(
      decided.map(({ address, port, share, masquerade }) => ({ address, port, share, masquerade })),
    ),
    entry,
    reason: `to ${decided.length === 1 ? 'the only endpoint' : `one of ${decided.length} endpoints`}`,
    steps: [...steps, ...describeMasquerade(decided)],
  };
}

/** With node ports at 127.0.0.1 the kernel routes loopback addresses, so a rule drops such packets from other hosts. */
function isMartian({ family, source, destination, inInterface }: Packet, { node }: ServiceTable): boolean {
  if (!node.localhostNodePorts || family !== 'ip' || inInterface === undefined) return false;
  return isLoopback(source) || isLoopback(destination);
}

/** A frontend with this exact address takes precedence over a node port. */
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
  const labels = {
    'cluster-ip': 'cluster IP',
    'external-ip': 'external IP',
    'load-balancer-ip': 'load balancer IP',
  };
  const port = `port ${frontend.port}/${frontend.servicePort.protocol}`;
  return kind === 'node-port'
    ? `node ${port} of Service ${service.key}`
    : `${labels[kind]} of Service ${service.key}, ${port}`;
}

/** Source ranges restrict load balancer IPs. If they admit the node, they admit the load balancer IP itself too. */
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

/** The backends that this client may use, and whether they see it masqueraded, unless one of them is special. */
interface EligibleBackends {
  readonly backends: readonly Backend[];
  readonly client: MasqueradeDecision;
  readonly reasons: readonly string[];
}

function eligibleBackends(packet: Packet, entry: FrontendEntry, table: ServiceTable): EligibleBackends {
  const { kind, frontend, usable } = entry;
  if (kind === 'cluster-ip') return clusterIpBackends(packet, entry, table);
  if (frontend.policy === 'Local') return localPolicyBackends(packet, entry, table);
  const client = { masquerade: true, reason: 'externalTrafficPolicy is Cluster' };
  return {
    backends: usable.cluster,
    client,
    reasons: ['externalTrafficPolicy is Cluster: all endpoints are eligible'],
  };
}

function clusterIpBackends(packet: Packet, { frontend, usable }: FrontendEntry, table: ServiceTable): EligibleBackends {
  const local = frontend.policy === 'Local';
  return {
    backends: local ? usable.local : usable.cluster,
    client: table.node.masqueradeAll
      ? { masquerade: true, reason: 'masqueradeAll is set' }
      : CLIENT_DECISIONS[`${isPod(packet, table)}`],
    reasons: local ? ['internalTrafficPolicy is Local: only endpoints on this node are eligible'] : [],
  };
}

/** For externalTrafficPolicy Local, which pods and the node itself are exempt from. */
function localPolicyBackends(packet: Packet, { usable }: FrontendEntry, table: ServiceTable): EligibleBackends {
  const exempt = 'it may use all endpoints although externalTrafficPolicy is Local';
  if (isPod(packet, table) === true)
    return { backends: usable.cluster, client: CLIENT_DECISIONS.true, reasons: [`the client is a pod: ${exempt}`] };
  if (isHostAddress(table.host, packet.source)) {
    const client = { masquerade: true, reason: 'the client is this node' };
    return { backends: usable.cluster, client, reasons: [`the client is this node: ${exempt}`] };
  }
  const reasons = ['externalTrafficPolicy is Local: only endpoints on this node are eligible'];
  return { backends: usable.local, client: { masquerade: false, reason: 'externalTrafficPolicy is Local' }, reasons };
}

/** For clients of a cluster IP, by the result of {@link isPod}. */
const CLIENT_DECISIONS = {
  true: { masquerade: false, reason: 'the client is a pod' },
  false: { masquerade: true, reason: 'the client is not a pod' },
  undefined: { masquerade: false, reason: 'this node cannot distinguish pods from other clients' },
} as const;

/** The backends with a weight above 0, and their shares. */
function weightedShares(backends: readonly Backend[], { service }: FrontendEntry): [Backend, number][] {
  const weights = backends.map((backend) => service.weights[backend.address] ?? 1);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return backends.flatMap((backend, index): [Backend, number][] => {
    const weight = weights[index] ?? 0;
    return weight > 0 ? [[backend, weight / total]] : [];
  });
}

/** A node port is rejected in the input hook: only at an address of the host, and only if the packet gets there. */
function withoutBackends(
  packet: Packet,
  entry: FrontendEntry,
  { steps, table }: { steps: readonly string[]; table: ServiceTable },
): ResolvedFlow {
  if (entry.kind === 'node-port') {
    const hostResult = withoutService(packet, table);
    if (hostResult.outcome !== 'untouched' || !isHostAddress(table.host, packet.destination)) return hostResult;
  }
  if (entry.kind === 'cluster-ip' && table.clusterIpsInUse.has(packet.destination))
    return withoutService(packet, table);
  if (!entry.usable.hasAny)
    return { ...noDestination('refuse', [...steps, `no endpoint can be used: ${whyNone(entry, table)}`]), entry };
  return { ...noDestination('drop', [...steps, 'no endpoint is eligible for this client']), entry };
}

function whyNone({ service, frontend, backends }: FrontendEntry, { slicesOf }: ServiceTable): string {
  const { family, servicePort: port } = frontend;
  return whyWithoutEndpoints(service, { port, family, slices: slicesOf(service.key), backends: backends.length });
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
  const isInUse = table.clusterIpsInUse.has(destination);
  if (isForwarded && service !== undefined && !isInUse) {
    return { ...noDestination('refuse', [`cluster IP of Service ${service}, which does not have this port`]), entry };
  }
  if (isForwarded && inRange) {
    const reason = `${destination} is in a ServiceCIDR, but belongs to no Service${unservedNote(packet, table)}`;
    return { ...noDestination('drop', [reason]), entry };
  }
  if (isInUse) {
    const reason = `cluster IP of Service ${service}, but also the address of an endpoint or of this node: nothing is refused`;
    return { ...noDestination('untouched', [reason]), entry };
  }
  return { ...noDestination('untouched', [reasonOfOther(packet, table)]), entry };
}

function reasonOfOther({ destination, destinationPort, family, protocol }: Packet, table: ServiceTable): string {
  const entry = table.entries.get(nodePortKey(family, protocol, destinationPort));
  if (entry === undefined)
    return `${destination} belongs to no Service${unservedNote({ destinationPort, family, protocol }, table)}`;
  const nodePort = `node port ${destinationPort}/${protocol} of Service ${entry.service.key}`;
  return `${destination} belongs to no Service, and this node does not take ${nodePort} there`;
}

/** The Service that the client may have meant. */
function unservedNote(
  { destinationPort, family, protocol }: Pick<Packet, 'destinationPort' | 'family' | 'protocol'>,
  { unserved }: ServiceTable,
): string {
  const service = unserved.get(portKey(family, protocol, destinationPort));
  if (service === undefined) return '';
  const label = FAMILY_TRAITS[family].label;
  return `; Service ${service} has port ${destinationPort}/${protocol}, but no ${label} cluster IP: ${NO_CLUSTER_IP}`;
}

function noDestination(outcome: Outcome, steps: readonly string[]): Omit<ResolvedFlow, 'entry'> {
  return { outcome, destinations: [], reason: steps.at(-1) ?? '', steps };
}
