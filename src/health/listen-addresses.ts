// The addresses of health check node ports: those that accept node ports.

import type { Engine } from '../engine/engine.ts';
import { type Address, familyOf, isLoopback } from '../net/address.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import { contains } from '../net/prefix.ts';
import { LOCALHOST, nodePortBlocks } from '../services/model/node-port-addresses.ts';

const ANY: Readonly<Record<Family, Address>> = { ip: '0.0.0.0', ip6: '::' };

/**
 * The current addresses of each family: the unspecified one if every address accepts node ports. They include loopback
 * addresses inside nodePortAddresses, although nftlane accepts no node ports there.
 */
export function listenAddresses({
  node,
  options,
  hostAddresses,
}: Pick<Engine, 'node' | 'options' | 'hostAddresses'>): Readonly<Record<Family, readonly Address[]>> {
  const blocks = nodePortBlocks(options.nodePortAddresses);
  const isNamed = (address: Address): boolean =>
    (node.localhostNodePorts && address === LOCALHOST) || blocks.some((block) => contains(block, address));
  const loopbacks = hostAddresses.filter((address) => isLoopback(address) && isNamed(address));
  const [ip, ip6] = FAMILIES.map((family) => {
    if (!node.families.includes(family)) return [];
    const nodePortIps = node.nodePortIps[family];
    return nodePortIps === 'any'
      ? [ANY[family]]
      : [...nodePortIps, ...loopbacks.filter((address) => familyOf(address) === family)];
  });
  return { ip: ip ?? [], ip6: ip6 ?? [] };
}
