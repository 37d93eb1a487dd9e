// What this node is, as far as the rules depend on it.

import { type Address, familyOf, isLoopback } from '../../net/address.ts';
import { FAMILIES, type Family } from '../../net/family.ts';
import { contains, type Prefix, withoutOverlaps } from '../../net/prefix.ts';
import type { Node } from '../../services/objects/node.ts';

/** How the operator set this proxy up. */
export interface ProxyOptions {
  readonly nodeName: string;
  /** Masquerade every flow to a cluster IP. */
  readonly masqueradeAll: boolean;
  /** The bit of the packet mark that says "masquerade", 0 to 31. */
  readonly masqueradeBit: number;
  readonly detectLocal: DetectLocal;
  readonly nodePortAddresses: readonly NodePortAddress[];
  /** A load balancer address whose source ranges cannot be used in its family is closed, instead of open to everybody. */
  readonly strictSourceRanges: boolean;
  /** The families that this machine has; absent for both. */
  readonly families?: readonly Family[] | undefined;
  /** Whether external IPs of Services are proxied; absent for yes. */
  readonly proxiesExternalIps?: boolean | undefined;
  /** Stands for the Node's own address of its family. */
  readonly bindAddress?: Address | undefined;
  /** Whether connections that the fast path has to give up are reset; absent for no. */
  readonly resetsConnections?: boolean | undefined;
}

/**
 * Where node ports are taken: at the Node's own addresses, at every address of the host but loopback, at 127.0.0.1, or at
 * the addresses of the host inside a block.
 */
export type NodePortAddress = 'primary' | 'all' | 'localhost' | Prefix;

/** How a pod's packet is told from others. */
export type DetectLocal =
  | { readonly mode: 'ClusterCIDR'; readonly cidrs: readonly Prefix[] }
  | { readonly mode: 'NodeCIDR' }
  | { readonly mode: 'BridgeInterface' | 'InterfaceNamePrefix'; readonly name: string };

export const DEFAULT_OPTIONS: Omit<ProxyOptions, 'nodeName'> = {
  masqueradeAll: false,
  masqueradeBit: 14,
  detectLocal: { mode: 'ClusterCIDR', cidrs: [] },
  nodePortAddresses: ['primary'],
  strictSourceRanges: false,
};

/** The node as the rules see it. */
export interface NodeView {
  readonly name: string;
  /** The families that this machine has: there is a table for each. */
  readonly families: readonly Family[];
  readonly zone: string | undefined;
  readonly masqueradeAll: boolean;
  readonly masqueradeBit: number;
  readonly strictSourceRanges: boolean;
  readonly resetsConnections: boolean;
  /** Its primary addresses; loopback where none is known. */
  readonly addresses: Readonly<Record<Family, Address>>;
  readonly detectLocal:
    | { readonly by: 'source'; readonly prefixes: Readonly<Partial<Record<Family, string>>> }
    | { readonly by: 'interface'; readonly name: string };
  /** Node ports are taken at 127.0.0.1 too. IPv6 has no such thing: the kernel routes nothing from ::1 to another host. */
  readonly localhostNodePorts: boolean;
  /** The addresses that take node ports; `any` is every address of the host but loopback. */
  readonly nodePortIps: Readonly<Record<Family, 'any' | readonly Address[]>>;
  /** The blocks that cluster IPs are taken from, without overlaps; empty when they are not known. */
  readonly serviceCidrs: Readonly<Record<Family, readonly string[]>>;
}

/** What the node view is drawn from besides the options. */
export interface NodeFacts {
  /** `undefined` until the Node is known. */
  readonly node: Node | undefined;
  /** The addresses of the host's interfaces. */
  readonly hostAddresses: readonly Address[];
  readonly serviceCidrs: readonly Prefix[];
}

/**
 * Joins options and facts.
 * A list of node port addresses without an entry of a family leaves that family open to every address, as kube-proxy does.
 */
export function buildNodeView(options: ProxyOptions, facts: NodeFacts): NodeView {
  const { node } = facts;
  const cidrs = withoutOverlaps(facts.serviceCidrs);
  const ofFamily = (family: Family) => cidrs.filter((prefix) => prefix.family === family).map((prefix) => prefix.text);
  return {
    name: options.nodeName,
    families: options.families ?? FAMILIES,
    zone: node?.zone,
    masqueradeAll: options.masqueradeAll,
    masqueradeBit: options.masqueradeBit,
    strictSourceRanges: options.strictSourceRanges,
    resetsConnections: options.resetsConnections ?? false,
    addresses: {
      ip: primaryAddress('ip', node, options.bindAddress) ?? '127.0.0.1',
      ip6: primaryAddress('ip6', node, options.bindAddress) ?? '::1',
    },
    detectLocal: buildDetectLocal(options.detectLocal, node),
    localhostNodePorts: options.nodePortAddresses.includes('localhost'),
    nodePortIps: { ip: nodePortIps(options, 'ip', facts), ip6: nodePortIps(options, 'ip6', facts) },
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

/** Words and blocks add up. A family that nothing in the list is about is open at every address. */
function nodePortIps(
  { nodePortAddresses: wanted, bindAddress }: ProxyOptions,
  family: Family,
  facts: NodeFacts,
): 'any' | readonly Address[] {
  if (wanted.includes('all')) return 'any';
  const prefixes = wanted.filter((entry): entry is Prefix => typeof entry === 'object' && entry.family === family);
  if (prefixes.some((prefix) => prefix.length === 0)) return 'any';
  const selected = facts.hostAddresses.filter(
    (address) => !isLoopback(address) && prefixes.some((prefix) => contains(prefix, address)),
  );
  const primary = wanted.includes('primary') ? primaryAddress(family, facts.node, bindAddress) : undefined;
  if (primary !== undefined && !isLoopback(primary)) return [...new Set([primary, ...selected])];
  const isRestricted = prefixes.length > 0 || (wanted.includes('localhost') && !wanted.includes('primary'));
  return isRestricted ? selected : 'any';
}

/** The Node's address of a family, unless the operator has given another one. */
function primaryAddress(family: Family, node: Node | undefined, bindAddress: Address | undefined): Address | undefined {
  return bindAddress !== undefined && familyOf(bindAddress) === family ? bindAddress : node?.addresses[family];
}
