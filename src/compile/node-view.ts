// What this node is, as far as the rules depend on it.
import type { Node } from '../kube/node.ts';
import { type Address, isLoopback } from '../net/address.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import { contains, type Prefix, withoutOverlaps } from '../net/prefix.ts';

/** How the operator set this proxy up. */
export interface ProxyOptions {
  readonly nodeName: string;
  /** Masquerade every flow to a cluster IP. */
  readonly masqueradeAll: boolean;
  /** The bit of the packet mark that says "masquerade", 0 to 31. */
  readonly masqueradeBit: number;
  readonly detectLocal: DetectLocal;
  /** Where node ports are taken: at the Node's own addresses, or at addresses inside these blocks. */
  readonly nodePortAddresses: 'primary' | readonly Prefix[];
  /** A load balancer address whose source ranges cannot be used in its family is closed, instead of open to everybody. */
  readonly strictSourceRanges: boolean;
}

/** How a pod's packet is told from others. */
export type DetectLocal =
  | { readonly mode: 'ClusterCIDR'; readonly cidrs: readonly Prefix[] }
  | { readonly mode: 'NodeCIDR' }
  | { readonly mode: 'BridgeInterface' | 'InterfaceNamePrefix'; readonly name: string };

export const DEFAULT_OPTIONS: Omit<ProxyOptions, 'nodeName'> = {
  masqueradeAll: false,
  masqueradeBit: 14,
  detectLocal: { mode: 'ClusterCIDR', cidrs: [] },
  nodePortAddresses: 'primary',
  strictSourceRanges: false,
};

/** The node as the rules see it. */
export interface NodeView {
  readonly name: string;
  readonly zone: string | undefined;
  readonly masqueradeAll: boolean;
  readonly masqueradeBit: number;
  readonly strictSourceRanges: boolean;
  /** Its primary addresses; loopback where none is known. */
  readonly addresses: Readonly<Record<Family, Address>>;
  readonly detectLocal:
    | { readonly by: 'source'; readonly prefixes: Readonly<Partial<Record<Family, string>>> }
    | { readonly by: 'interface'; readonly name: string };
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
export function viewNode(options: ProxyOptions, facts: NodeFacts): NodeView {
  const { node } = facts;
  const cidrs = withoutOverlaps(facts.serviceCidrs);
  const ofFamily = (family: Family) => cidrs.filter((prefix) => prefix.family === family).map((prefix) => prefix.text);
  return {
    name: options.nodeName,
    zone: node?.zone,
    masqueradeAll: options.masqueradeAll,
    masqueradeBit: options.masqueradeBit,
    strictSourceRanges: options.strictSourceRanges,
    addresses: { ip: node?.addresses.ip ?? '127.0.0.1', ip6: node?.addresses.ip6 ?? '::1' },
    detectLocal: viewDetection(options.detectLocal, node),
    nodePortIps: { ip: nodePortIps(options, 'ip', facts), ip6: nodePortIps(options, 'ip6', facts) },
    serviceCidrs: { ip: ofFamily('ip'), ip6: ofFamily('ip6') },
  };
}

function viewDetection(detect: DetectLocal, node: Node | undefined): NodeView['detectLocal'] {
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

function nodePortIps(
  { nodePortAddresses: wanted }: ProxyOptions,
  family: Family,
  { node, hostAddresses }: NodeFacts,
): 'any' | readonly Address[] {
  if (wanted === 'primary') {
    const address = node?.addresses[family];
    return address === undefined || isLoopback(address) ? 'any' : [address];
  }
  const prefixes = wanted.filter((prefix) => prefix.family === family);
  if (prefixes.length === 0 || prefixes.some((prefix) => prefix.length === 0)) return 'any';
  return hostAddresses.filter(
    (address) => !isLoopback(address) && prefixes.some((prefix) => contains(prefix, address)),
  );
}
