// The properties of this node that rules and elements depend on.

import { type Address, familyOf } from '../../net/address.ts';
import { FAMILIES, type Family } from '../../net/family.ts';
import type { RouteSource } from '../../net/host.ts';
import { type Prefix, withoutOverlaps } from '../../net/prefix.ts';
import {
  type NodePortAddress,
  type NodePortScope,
  resolveNodePorts,
} from '../../services/model/node-port-addresses.ts';
import type { OwnPort } from '../../services/model/own-ports.ts';
import type { Node } from '../../services/objects/node.ts';
import type { Limits } from '../plan/budget.ts';

/** The operator's configuration of the proxy. */
export interface ProxyOptions {
  readonly nodeName: string;
  /** Masquerade every flow to a cluster IP. */
  readonly masqueradeAll: boolean;
  /** The bit of the packet mark that requests masquerading, 0 to 31. */
  readonly masqueradeBit: number;
  readonly detectLocal: DetectLocal;
  readonly nodePortAddresses: readonly NodePortAddress[];
  /** Whether a load balancer address without usable source ranges of its family is closed, not open to all clients. */
  readonly strictSourceRanges: boolean;
  /** Whether external IPs of Services are proxied; absent for yes. */
  readonly proxiesExternalIps?: boolean | undefined;
  /** Whether a process of this node keeps the source that the route to the endpoint prefers; absent for no. */
  readonly keepRouteSource?: boolean | undefined;
  /** Whether conntrack accepts TCP segments outside of the window; absent for no. */
  readonly tcpBeLiberal?: boolean | undefined;
  /** The blocks from which Services without cluster IPs get them, at most one of each family; absent for none. */
  readonly serviceClusterIpRange?: readonly Prefix[] | undefined;
  /** Limits of what Services may use in the kernel; absent for the defaults. */
  readonly limits?: Limits | undefined;
  /** Overrides the Node's address of its family. */
  readonly bindAddress?: Address | undefined;
  /** The servers of the daemon, whose ports no Service may take; absent for none. */
  readonly ownPorts?: readonly OwnPort[] | undefined;
}

/** What this machine supports, as the daemon found. */
interface HostCapabilities {
  /** The preferred sources of routes through links that do not have them; absent for none. */
  readonly routeSources?: readonly RouteSource[] | undefined;
  /** Whether the source sends every Service, as manifests do, so that a slice without one is reported; absent for no. */
  readonly seesAllServices?: boolean | undefined;
  /** The address families of this machine; absent for both. */
  readonly families?: readonly Family[] | undefined;
  /** Whether connections that the fast path cannot continue are reset; absent for no. */
  readonly resetsConnections?: boolean | undefined;
}

/** Everything that is known before the first object. */
export type NodeOptions = ProxyOptions & HostCapabilities;

/** How to recognize packets from pods of this node. */
export type DetectLocal =
  | { readonly mode: 'ClusterCIDR'; readonly cidrs: readonly Prefix[] }
  | { readonly mode: 'NodeCIDR' }
  | { readonly mode: 'BridgeInterface' | 'InterfaceNamePrefix'; readonly name: string };

/** The options and the facts of the node, resolved per family. */
export interface NodeView extends NodePortScope {
  readonly name: string;
  /** The families of this machine; each has a table. */
  readonly families: readonly Family[];
  readonly zone: string | undefined;
  readonly masqueradeAll: boolean;
  readonly masqueradeBit: number;
  readonly strictSourceRanges: boolean;
  readonly tcpBeLiberal: boolean;
  /** Sources that are not masqueraded when they leave through their link; empty if every process is masqueraded. */
  readonly routeSources: readonly RouteSource[];
  readonly resetsConnections: boolean;
  /** The primary addresses; loopback where none is known. */
  readonly addresses: Readonly<Record<Family, Address>>;
  /** All addresses that the node is known by: those of the Node, and the bind address. */
  readonly ownAddresses: readonly Address[];
  readonly detectLocal:
    | { readonly by: 'source'; readonly prefixes: Readonly<Partial<Record<Family, string>>> }
    | { readonly by: 'interface'; readonly name: string };
  /** The Service CIDRs without overlaps; empty when they are not known. */
  readonly serviceCidrs: Readonly<Record<Family, readonly string[]>>;
}

/** What is known of the node besides the options. */
export interface NodeFacts {
  /** `undefined` until the Node is known. */
  readonly node: Node | undefined;
  /** The addresses of the host's interfaces. */
  readonly hostAddresses: readonly Address[];
  readonly serviceCidrs: readonly Prefix[];
}

/** Resolves options and facts. */
export function buildNodeView(options: NodeOptions, facts: NodeFacts): NodeView {
  const { node } = facts;
  const cidrs = withoutOverlaps(facts.serviceCidrs);
  const ofFamily = (family: Family) => cidrs.filter((prefix) => prefix.family === family).map((prefix) => prefix.text);
  const primary = {
    ip: primaryAddress('ip', node, options.bindAddress),
    ip6: primaryAddress('ip6', node, options.bindAddress),
  };
  return {
    name: options.nodeName,
    families: options.families ?? FAMILIES,
    zone: node?.zone,
    masqueradeAll: options.masqueradeAll,
    masqueradeBit: options.masqueradeBit,
    strictSourceRanges: options.strictSourceRanges,
    tcpBeLiberal: options.tcpBeLiberal ?? false,
    routeSources: options.keepRouteSource === true ? (options.routeSources ?? []) : [],
    resetsConnections: options.resetsConnections ?? false,
    addresses: { ip: primary.ip ?? '127.0.0.1', ip6: primary.ip6 ?? '::1' },
    ownAddresses: ownAddresses(node, options.bindAddress),
    detectLocal: buildDetectLocal(options.detectLocal, node),
    ...resolveNodePorts(options.nodePortAddresses, { primary, hostAddresses: facts.hostAddresses }),
    serviceCidrs: { ip: ofFamily('ip'), ip6: ofFamily('ip6') },
  };
}

function buildDetectLocal(detect: DetectLocal, node: Node | undefined): NodeView['detectLocal'] {
  switch (detect.mode) {
    case 'ClusterCIDR':
      return { by: 'source', prefixes: prefixTexts(detect.cidrs) };
    case 'NodeCIDR':
      return { by: 'source', prefixes: prefixTexts(FAMILIES.map((family) => node?.podCidrs[family])) };
    case 'BridgeInterface':
      return { by: 'interface', name: detect.name };
    case 'InterfaceNamePrefix':
      return { by: 'interface', name: `${detect.name}*` };
  }
}

/** The first prefix of each family. */
function prefixTexts(prefixes: readonly (Prefix | undefined)[]): Partial<Record<Family, string>> {
  const texts: Partial<Record<Family, string>> = {};
  for (const prefix of prefixes) if (prefix !== undefined) texts[prefix.family] ??= prefix.text;
  return texts;
}

function ownAddresses(node: Node | undefined, bindAddress: Address | undefined): Address[] {
  const addresses = new Set(Object.values(node?.addresses ?? {}));
  if (bindAddress !== undefined) addresses.add(bindAddress);
  return [...addresses];
}

/** The Node's address of a family, unless the operator overrides it. */
function primaryAddress(family: Family, node: Node | undefined, bindAddress: Address | undefined): Address | undefined {
  return bindAddress !== undefined && familyOf(bindAddress) === family ? bindAddress : node?.addresses[family];
}
