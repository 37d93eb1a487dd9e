// The source address that the kernel gives to a masqueraded packet.

import { type Address, addressBits, familyOf } from './address.ts';
import { contains, parsePrefix } from './prefix.ts';

/** An address of a link, with what the choice depends on. */
export interface LinkAddress {
  readonly address: Address;
  /** The address at the other end, or the address itself. */
  readonly peer: Address;
  readonly prefixLength: number;
  readonly scope: 'global' | 'other';
  /** IPv4: another address of the same subnet was there first. */
  readonly isSecondary: boolean;
  /** IPv6: it is not used for new connections if there are others. */
  readonly isDeprecated: boolean;
  /** IPv6: it is a privacy address. */
  readonly isTemporary: boolean;
  /** IPv6: it is still checked for duplicates, or is one. */
  readonly isTentative: boolean;
}

export interface Link {
  readonly name: string;
  /** In the order of the kernel. */
  readonly addresses: readonly LinkAddress[];
}

interface MasqueradedFlow {
  /** The link by which the packet leaves. */
  readonly device: string;
  /** The destination after DNAT. */
  readonly destination: Address;
  /** The gateway, or the destination. */
  readonly nextHop: Address;
}

interface MasqueradeSource {
  readonly address: Address;
  /** The link that has the address. */
  readonly link: string;
}

/** The source of a masqueraded packet; `undefined` if the host has no address that fits, so that the kernel drops it. */
export function masqueradeSource(links: readonly Link[], flow: MasqueradedFlow): MasqueradeSource | undefined {
  return familyOf(flow.destination) === 'ip' ? ipv4Source(links, flow) : ipv6Source(links, flow);
}

/** As nf_nat_masquerade_ipv4 and inet_select_addr do: an address of the output link, or else of the first link that has one. */
function ipv4Source(links: readonly Link[], { device, nextHop }: MasqueradedFlow): MasqueradeSource | undefined {
  const usable = links.map(({ name, addresses }) => ({
    name,
    addresses: addresses.filter(
      ({ address, scope, isSecondary }) => familyOf(address) === 'ip' && scope === 'global' && !isSecondary,
    ),
  }));
  const own = usable.find(({ name }) => name === device)?.addresses ?? [];
  const near = own.find((entry) => isInSubnet(nextHop, entry)) ?? own[0];
  if (near !== undefined) return { address: near.address, link: device };
  const first = usable.find(({ addresses }) => addresses.length > 0);
  return first?.addresses[0] && { address: first.addresses[0].address, link: first.name };
}

function isInSubnet(address: Address, { peer, prefixLength }: LinkAddress): boolean {
  const prefix = parsePrefix(`${peer}/${prefixLength}`);
  return prefix !== undefined && contains(prefix, address);
}

/** As nf_nat_masquerade_ipv6 and ipv6_dev_get_saddr do (RFC 6724), with the default policy table and sysctls. */
function ipv6Source(links: readonly Link[], { device, destination }: MasqueradedFlow): MasqueradeSource | undefined {
  const candidates = links.flatMap(({ name, addresses }) =>
    addresses
      .filter(({ address, isTentative }) => familyOf(address) === 'ip6' && !isTentative)
      .map((entry) => ({ link: name, entry, score: scoreOf(entry, { isOwn: name === device, destination }) })),
  );
  const best = candidates.reduce<(typeof candidates)[number] | undefined>(
    (chosen, next) => (chosen === undefined || isBetter(next.score, chosen.score) ? next : chosen),
    undefined,
  );
  return best && { address: best.entry.address, link: best.link };
}

/** By the rules of the kernel, in their order: the larger number is better. */
function scoreOf(
  { address, scope, prefixLength, isDeprecated, isTemporary }: LinkAddress,
  { isOwn, destination }: { readonly isOwn: boolean; readonly destination: Address },
): number[] {
  const flags = [address === destination, scope === 'global', !isDeprecated, isOwn];
  const labels = [labelOf(address) === labelOf(destination), !isTemporary];
  const common = Math.min(commonLength(address, destination), prefixLength);
  return [...flags.map(Number), ...labels.map(Number), common];
}

function isBetter(a: readonly number[], b: readonly number[]): boolean {
  const index = a.findIndex((value, at) => value !== b[at]);
  return index !== -1 && (a[index] ?? 0) > (b[index] ?? 0);
}

/** The default policy table of Linux (ip6addrlabel). */
const LABELS = ['::1/128', '2001:10::/28', '::ffff:0:0/96', '::/96', '2001::/32', '2002::/16', 'fc00::/7'].flatMap(
  (text) => parsePrefix(text) ?? [],
);

function labelOf(address: Address): number {
  return LABELS.findIndex((prefix) => contains(prefix, address));
}

function commonLength(a: Address, b: Address): number {
  const differing = addressBits(a) ^ addressBits(b);
  return 128 - (differing === 0n ? 0 : differing.toString(2).length);
}
