// What must happen to the first packet of a flow, said from what Services mean and not from how they are compiled.

import { isLoopback } from '../../net/address.ts';
import { contains, parsePrefix } from '../../net/prefix.ts';
import type { Backend } from '../../services/model/backends.ts';
import { rangesOf } from '../../services/objects/service.ts';
import { type Fate, type Landing, type Outcome, sortLandings } from '../flow/fate.ts';
import { interfaceTo, isOfHost, type Packet } from '../flow/packet.ts';
import { type Directory, dialled, dialledAtNode, type Listing } from './directory.ts';

/** A fate, and why it is so. */
export interface Verdict extends Fate {
  /** What was dialled, when it belongs to a Service. */
  readonly listing: Listing | undefined;
  readonly reason: string;
  /** What the reason is made of, in order. */
  readonly steps: readonly string[];
}

/** The verdict on the first packet of a flow. */
export function route(packet: Packet, directory: Directory): Verdict {
  if (isSpoofed(packet, directory)) {
    return { ...turnAway('drop', ['loopback addresses are for this host alone']), listing: undefined };
  }
  const listing = find(packet, directory);
  if (listing === undefined) return withoutListing(packet, directory);
  const steps = [nameListing(listing)];
  if (isClosed(packet, listing, directory)) {
    steps.push(`${packet.source} is not in its source ranges`);
    return { ...turnAway('drop', steps), listing };
  }
  const { backends, why, translatesClient } = admitted(packet, listing, directory);
  steps.push(...why);
  const weighted = weigh(backends, listing);
  if (weighted.length === 0) return withoutBackend(packet, listing, { steps, directory });
  const landings = weighted.map(([backend, share]): Landing => {
    const masquerade = isMasqueraded(packet, backend, { listing, translatesClient, directory, steps });
    return { address: backend.address, port: backend.port, share, masquerade };
  });
  const reason = `forwarded to ${landings.length === 1 ? 'the one endpoint' : `one of ${landings.length} endpoints`}`;
  return { outcome: 'forward', landings: sortLandings(landings), listing, reason, steps: [...new Set(steps)] };
}

/** Where node ports are taken at 127.0.0.1 the kernel routes such addresses, so that we have to see who uses them. */
function isSpoofed({ family, source, destination, inInterface }: Packet, { node }: Directory): boolean {
  if (!node.localhostNodePorts || family !== 'ip' || inInterface === undefined) return false;
  return isLoopback(source) || isLoopback(destination);
}

/** A frontend with that very address goes before a node port. */
function find({ destination, destinationPort, protocol, family }: Packet, directory: Directory): Listing | undefined {
  const exact = directory.listings.get(dialled(destination, protocol, destinationPort));
  if (exact !== undefined) return exact;
  if (!takesNodePorts(destination, directory)) return undefined;
  return directory.listings.get(dialledAtNode(family, protocol, destinationPort));
}

function takesNodePorts(destination: string, { node, host }: Directory): boolean {
  if (node.localhostNodePorts && destination === '127.0.0.1') return true;
  const accepted = node.nodePortIps[destination.includes(':') ? 'ip6' : 'ip'];
  if (accepted === 'any') return isOfHost(host, destination) && !isLoopback(destination);
  return accepted.includes(destination);
}

function nameListing({ service, kind, frontend }: Listing): string {
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
function isClosed({ family, source }: Packet, { kind, service }: Listing, { node }: Directory): boolean {
  if (kind !== 'load-balancer-ip') return false;
  const ranges = rangesOf(service, family, { strict: node.strictSourceRanges });
  if (ranges === 'open' || ranges.some((range) => contains(range, source))) return false;
  const nodeIsAllowed = ranges.some((range) => contains(range, node.addresses[family]));
  return !(nodeIsAllowed && service.loadBalancerIps.includes(source));
}

/** Who may be reached by this client, and whether the client's own address is hidden from all of them. */
interface Admission {
  readonly backends: readonly Backend[];
  readonly translatesClient: boolean;
  readonly why: readonly string[];
}

function admitted(packet: Packet, { kind, frontend, usable }: Listing, directory: Directory): Admission {
  const pod = isPod(packet, directory);
  if (kind === 'cluster-ip') {
    const local = frontend.policy === 'Local';
    const { masqueradeAll } = directory.node;
    return {
      backends: local ? usable.local : usable.cluster,
      translatesClient: masqueradeAll || pod === false,
      why: [
        ...(local ? ['internalTrafficPolicy is Local: only endpoints of this node'] : []),
        ...(masqueradeAll ? ['all connections to cluster IPs are masqueraded'] : []),
        ...(masqueradeAll ? [] : [CLIENT_WORDS[String(pod) as keyof typeof CLIENT_WORDS]]),
      ],
    };
  }
  if (frontend.policy === 'Cluster') {
    const why = ['externalTrafficPolicy is Cluster: every endpoint, and the client is masqueraded'];
    return { backends: usable.cluster, translatesClient: true, why };
  }
  const short = 'though externalTrafficPolicy is Local, it may use every endpoint';
  if (pod === true)
    return { backends: usable.cluster, translatesClient: false, why: [`the client is a pod: ${short}`] };
  if (isOfHost(directory.host, packet.source)) {
    const why = [`the client is this node itself: ${short}, and is masqueraded`];
    return { backends: usable.cluster, translatesClient: true, why };
  }
  const why = ['externalTrafficPolicy is Local: only endpoints of this node, and they see the client as it is'];
  return { backends: usable.local, translatesClient: false, why };
}

/** What {@link isPod} says, and what follows for a cluster IP. */
const CLIENT_WORDS = {
  true: 'the client is a pod, so endpoints see it as it is',
  false: 'the client is no pod, so it is masqueraded',
  undefined: 'this node cannot tell pods from others, so endpoints see clients as they are',
} as const;

/** `undefined` when this node cannot tell. */
function isPod({ family, source, inInterface = '' }: Packet, { node }: Directory): boolean | undefined {
  const { detectLocal } = node;
  if (detectLocal.by === 'interface') {
    const { name } = detectLocal;
    return name.endsWith('*') ? inInterface.startsWith(name.slice(0, -1)) : inInterface === name;
  }
  const prefix = parsePrefix(detectLocal.prefixes[family] ?? '');
  return prefix === undefined ? undefined : contains(prefix, source);
}

/** Backends with their shares; those of weight 0 are left out. */
function weigh(backends: readonly Backend[], { service }: Listing): [Backend, number][] {
  const weights = backends.map((backend) => service.weights[backend.address] ?? 1);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return backends.flatMap((backend, index): [Backend, number][] => {
    const weight = weights[index] ?? 0;
    return weight > 0 ? [[backend, weight / total]] : [];
  });
}

/** A node port is refused where the packet ends: only at an address of the host, and only if the packet gets there. */
function withoutBackend(
  packet: Packet,
  listing: Listing,
  { steps, directory }: { steps: readonly string[]; directory: Directory },
): Verdict {
  if (listing.kind === 'node-port') {
    const onTheWay = withoutListing(packet, directory);
    if (onTheWay.outcome !== 'untouched' || !isOfHost(directory.host, packet.destination)) return onTheWay;
  }
  if (!listing.usable.any) return { ...turnAway('refuse', [...steps, 'no endpoint is ready anywhere']), listing };
  return { ...turnAway('drop', [...steps, 'there are endpoints, but none that this client may use']), listing };
}

interface Around {
  readonly listing: Listing;
  readonly translatesClient: boolean;
  readonly directory: Directory;
  readonly steps: string[];
}

/** What is delivered on this host never leaves it, and nothing is rewritten. */
function isMasqueraded(packet: Packet, { address, port }: Backend, around: Around): boolean {
  const { host, endpointsHere } = around.directory;
  const forwarded = packet.inInterface !== undefined;
  if (forwarded && isOfHost(host, address)) return false;
  if (around.translatesClient) return true;
  const isHere = endpointsHere.has(dialled(address, packet.protocol, port));
  if (isHere && packet.source === address) {
    around.steps.push('an endpoint that reaches itself is masqueraded');
    return true;
  }
  const toldByAddress = around.directory.node.detectLocal.by === 'source' && isPod(packet, around.directory) === true;
  if (!forwarded || !toldByAddress || isHere || interfaceTo(host, address) !== packet.inInterface) return false;
  around.steps.push(`${address} is reached the way the packet came: masqueraded, so that the answer comes back here`);
  return true;
}

function withoutListing(packet: Packet, directory: Directory): Verdict {
  const { destination, family, inInterface } = packet;
  const passes = inInterface === undefined || !isOfHost(directory.host, destination);
  const service = directory.clusterIps.get(destination);
  const inRange = directory.node.serviceCidrs[family].some((text) => {
    const prefix = parsePrefix(text);
    return prefix !== undefined && contains(prefix, destination);
  });
  const listing = undefined;
  if (passes && service !== undefined) {
    return { ...turnAway('refuse', [`cluster IP of Service ${service}, which does not define this port`]), listing };
  }
  if (passes && inRange) {
    return { ...turnAway('drop', [`${destination} is in a ServiceCIDR, and no Service has it`]), listing };
  }
  return { ...turnAway('untouched', [`${destination} belongs to no Service`]), listing };
}

const WORDS: Readonly<Record<Outcome, string>> = {
  forward: 'forwarded',
  refuse: 'refused',
  drop: 'dropped',
  untouched: 'left alone',
};

function turnAway(outcome: Outcome, steps: readonly string[]): Omit<Verdict, 'listing'> {
  return { outcome, landings: [], reason: `${WORDS[outcome]}: ${steps.at(-1)}`, steps };
}
