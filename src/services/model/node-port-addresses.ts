// The addresses of this node that take node ports.

import { type Address, familyOf, isLoopback } from '../../net/address.ts';
import { FAMILIES, type Family } from '../../net/family.ts';
import { contains, type Prefix } from '../../net/prefix.ts';

/**
 * An entry of `nodePortAddresses`: the Node's primary addresses, every address of the host except loopback, 127.0.0.1, or
 * the addresses of the host inside a block.
 */
export type NodePortAddress = 'primary' | 'all' | 'localhost' | Prefix;

/** `any` is every address of the host except loopback. */
export type NodePortIps = 'any' | readonly Address[];

/** The addresses at which this node takes node ports. */
export interface NodePortScope {
  readonly nodePortIps: Readonly<Record<Family, NodePortIps>>;
  /** Also at 127.0.0.1. IPv6 has no equivalent: the kernel routes no packets from ::1 to another host. */
  readonly localhostNodePorts: boolean;
}

/** The IPv4 address that `localhost` means. */
export const LOCALHOST: Address = '127.0.0.1';

/** What the entries of `nodePortAddresses` are resolved against. */
interface NodePortFacts {
  /** The Node's address of each family, if known. */
  readonly primary: Readonly<Record<Family, Address | undefined>>;
  /** The addresses of the host's interfaces. */
  readonly hostAddresses: readonly Address[];
}

/**
 * Resolves `nodePortAddresses`. Entries add up. A family without an entry takes node ports at every address, as in
 * kube-proxy.
 */
export function resolveNodePorts(entries: readonly NodePortAddress[], facts: NodePortFacts): NodePortScope {
  const [ip, ip6] = FAMILIES.map((family) => nodePortIps(entries, family, facts));
  return { nodePortIps: { ip: ip ?? 'any', ip6: ip6 ?? 'any' }, localhostNodePorts: entries.includes('localhost') };
}

/** The blocks among the entries. */
export function nodePortBlocks(entries: readonly NodePortAddress[]): Prefix[] {
  return entries.filter((entry): entry is Prefix => typeof entry === 'object');
}

/** The addresses of one family that take node ports on a host with these addresses, without 127.0.0.1. */
export function nodePortAddresses(
  { nodePortIps }: NodePortScope,
  family: Family,
  hostAddresses: readonly Address[],
): readonly Address[] {
  const ips = nodePortIps[family];
  if (ips !== 'any') return ips;
  return hostAddresses.filter((address) => familyOf(address) === family && !isLoopback(address));
}

/** The addresses of both families that take node ports on a host with these addresses. */
export function allNodePortAddresses(scope: NodePortScope, hostAddresses: readonly Address[]): ReadonlySet<Address> {
  const addresses = FAMILIES.flatMap((family) => nodePortAddresses(scope, family, hostAddresses));
  return new Set([...addresses, ...(scope.localhostNodePorts ? [LOCALHOST] : [])]);
}

/** Whether a packet to this address can go to a node port. */
export function takesNodePorts(
  address: Address,
  scope: NodePortScope,
  isHostAddress: (address: Address) => boolean,
): boolean {
  if (scope.localhostNodePorts && address === LOCALHOST) return true;
  const ips = scope.nodePortIps[familyOf(address)];
  return ips === 'any' ? isHostAddress(address) && !isLoopback(address) : ips.includes(address);
}

function nodePortIps(
  entries: readonly NodePortAddress[],
  family: Family,
  { primary, hostAddresses }: NodePortFacts,
): NodePortIps {
  if (entries.includes('all')) return 'any';
  const blocks = nodePortBlocks(entries).filter((block) => block.family === family);
  if (blocks.some((block) => block.length === 0)) return 'any';
  const inBlocks = hostAddresses.filter(
    (address) => !isLoopback(address) && blocks.some((block) => contains(block, address)),
  );
  const address = entries.includes('primary') ? primary[family] : undefined;
  if (address !== undefined && !isLoopback(address)) return [...new Set([address, ...inBlocks])];
  const isRestricted = blocks.length > 0 || (entries.includes('localhost') && !entries.includes('primary'));
  return isRestricted ? inBlocks : 'any';
}
