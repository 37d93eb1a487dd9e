// Decides which blocks of ServiceCIDRs can only be addresses of Services.

import type { Address } from '../../net/address.ts';
import { FAMILY_TRAITS, type Family } from '../../net/family.ts';
import { overlaps, type Prefix, parsePrefix, parsePrefixOrAddress } from '../../net/prefix.ts';
import { SPECIAL_BLOCKS } from '../../net/special-address.ts';
import type { Node } from '../objects/node.ts';
import { IssueCollector } from '../objects/read.ts';
import type { Service } from '../objects/service.ts';
import type { ServiceCidr } from '../objects/service-cidr.ts';
import type { ValidationIssue } from '../objects/validation-issue.ts';
import type { EndpointsInBlocks } from './endpoints-in-blocks.ts';

/** The known objects of the cluster. */
interface KnownObjects {
  readonly serviceCidrs: ReadonlyMap<string, ServiceCidr>;
  readonly services: ReadonlyMap<string, Service>;
  readonly nodes: ReadonlyMap<string, Node>;
  readonly endpointsInCidrs: EndpointsInBlocks;
}

/** What is known of the addresses of the cluster besides objects. */
interface KnownNetworks {
  /** The pod CIDRs of the configuration. */
  readonly clusterCidrs: readonly Prefix[];
  /** Replaces the Node's address of its family. */
  readonly bindAddress: Address | undefined;
  /** The networks of the host's interfaces. */
  readonly hostNetworks: readonly Prefix[];
}

interface UsableBlocks {
  /** Blocks whose unused addresses may be dropped. */
  readonly blocks: readonly Prefix[];
  /** One for each other block. */
  readonly issues: readonly ValidationIssue[];
}

/**
 * The API server allows 2^20 addresses in a range of cluster IPs. The limits here are those of the largest private IPv4
 * block, and of one site in IPv6 (RFC 4193).
 */
const MIN_LENGTH: Readonly<Record<Family, number>> = { ip: 8, ip6: 48 };

/**
 * A packet to an unused address of a ServiceCIDR is dropped. A block that is also in use by pods, nodes or their networks,
 * or that is too wide, is left out as a whole, because a part of its traffic has nothing to do with Services.
 */
export function usableServiceCidrs(objects: KnownObjects, networks: KnownNetworks): UsableBlocks {
  const blocks: Prefix[] = [];
  const issues: ValidationIssue[] = [];
  if (objects.serviceCidrs.size === 0) return { blocks, issues };
  const uses = otherUses(objects, networks);
  for (const { key, cidrs } of objects.serviceCidrs.values()) {
    const collector = new IssueCollector('ServiceCIDR', key);
    for (const block of cidrs) {
      const reason = reasonAgainst(block, uses, objects);
      if (reason === undefined) blocks.push(block);
      else collector.add({ field: 'spec.cidrs', value: block.text, reason, effect: EFFECT });
    }
    issues.push(...collector.all);
  }
  return { blocks, issues };
}

const EFFECT = 'not dropping packets to unused addresses of this block';

function reasonAgainst(
  block: Prefix,
  uses: readonly OtherUse[],
  { endpointsInCidrs }: KnownObjects,
): string | undefined {
  const use = uses.find(({ prefix }) => overlaps(block, prefix));
  if (use !== undefined) return `overlaps ${use.description}`;
  const slice = endpointsInCidrs.exampleIn(block);
  if (slice !== undefined) return `contains endpoints of EndpointSlice ${slice}`;
  const minLength = MIN_LENGTH[block.family];
  return block.length < minLength ? `is wider than /${minLength}` : undefined;
}

/** Addresses that are in use by something else than Services. */
interface OtherUse {
  readonly prefix: Prefix;
  /** Such as `the pod CIDR 10.1.0.0/16 of Node node1`. */
  readonly description: string;
}

function otherUses({ services, nodes }: KnownObjects, networks: KnownNetworks): OtherUse[] {
  const { clusterCidrs, bindAddress, hostNetworks } = networks;
  return [
    ...SPECIAL_USES,
    ...clusterCidrs.map((prefix) => ({ prefix, description: `the pod CIDR ${prefix.text} of the configuration` })),
    ...[...nodes.values()].flatMap(usesOfNode),
    ...(bindAddress === undefined ? [] : usesOfAddress(bindAddress, `the address ${bindAddress} of this node`)),
    ...hostNetworks.filter((network) => !isAddedClusterIp(network, services)).map(useOfNetwork),
  ];
}

const SPECIAL_USES: readonly OtherUse[] = SPECIAL_BLOCKS.flatMap(({ block, use }) => {
  const prefix = parsePrefix(block);
  return prefix === undefined ? [] : [{ prefix, description: `the ${use} addresses ${block}` }];
});

function usesOfNode({ key, addresses, podCidrs }: Node): OtherUse[] {
  const pods = Object.values(podCidrs).map((prefix) => ({
    prefix,
    description: `the pod CIDR ${prefix.text} of Node ${key}`,
  }));
  const own = Object.values(addresses).flatMap((address) =>
    usesOfAddress(address, `the address ${address} of Node ${key}`),
  );
  return [...pods, ...own];
}

function usesOfAddress(address: Address, description: string): OtherUse[] {
  const prefix = parsePrefixOrAddress(address);
  return prefix === undefined ? [] : [{ prefix, description }];
}

function useOfNetwork(prefix: Prefix): OtherUse {
  return { prefix, description: `the network ${prefix.text} of this node` };
}

/** NodeLocal DNSCache and the IPVS mode of kube-proxy add cluster IPs to an interface. */
function isAddedClusterIp({ text, length, family }: Prefix, services: ReadonlyMap<string, Service>): boolean {
  if (length < FAMILY_TRAITS[family].bits) return false;
  const address = text.slice(0, text.indexOf('/'));
  for (const { clusterIps } of services.values()) if (clusterIps[family] === address) return true;
  return false;
}
