// The ruleset of the chain-per-Service layout: a chain for each Service, and a verdict map that refers to them.

import { ADDRESS_BLOCKS, type BenchService, ENDPOINT_PORT, SERVICE_PORT } from './services.ts';

export const CHAIN_TABLE = 'ip chain-per-service';

/** The part that does not depend on Services. */
const FRAME = `
add table ${CHAIN_TABLE}
add chain ${CHAIN_TABLE} reject-chain
add rule ${CHAIN_TABLE} reject-chain reject
add set ${CHAIN_TABLE} cluster-ips { type ipv4_addr; }
add set ${CHAIN_TABLE} hairpin-connections { type ipv4_addr . ipv4_addr . inet_proto . inet_service; }
add map ${CHAIN_TABLE} service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
add map ${CHAIN_TABLE} service-nodeports { type inet_proto . inet_service : verdict; }
add map ${CHAIN_TABLE} no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict; }
add map ${CHAIN_TABLE} no-endpoint-nodeports { type inet_proto . inet_service : verdict; }
add map ${CHAIN_TABLE} firewall-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
add chain ${CHAIN_TABLE} firewall-check
add rule ${CHAIN_TABLE} firewall-check ip daddr . meta l4proto . th dport vmap @firewall-ips
add chain ${CHAIN_TABLE} services
add rule ${CHAIN_TABLE} services ip daddr . meta l4proto . th dport vmap @service-ips
add rule ${CHAIN_TABLE} services fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @service-nodeports
add chain ${CHAIN_TABLE} service-endpoints-check
add rule ${CHAIN_TABLE} service-endpoints-check ip daddr . meta l4proto . th dport vmap @no-endpoint-services
add chain ${CHAIN_TABLE} nodeport-endpoints-check
add rule ${CHAIN_TABLE} nodeport-endpoints-check fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @no-endpoint-nodeports
add chain ${CHAIN_TABLE} cluster-ips-check
add rule ${CHAIN_TABLE} cluster-ips-check ip daddr @cluster-ips reject
add rule ${CHAIN_TABLE} cluster-ips-check ip daddr ${ADDRESS_BLOCKS.services} drop
add chain ${CHAIN_TABLE} masquerading
add rule ${CHAIN_TABLE} masquerading meta mark & 0x4000 == 0 return
add rule ${CHAIN_TABLE} masquerading meta mark set meta mark ^ 0x4000
add rule ${CHAIN_TABLE} masquerading masquerade fully-random
add chain ${CHAIN_TABLE} filter-prerouting-pre-dnat { type filter hook prerouting priority -110; }
add rule ${CHAIN_TABLE} filter-prerouting-pre-dnat ct state new jump firewall-check
add chain ${CHAIN_TABLE} filter-output-pre-dnat { type filter hook output priority -110; }
add rule ${CHAIN_TABLE} filter-output-pre-dnat ct state new jump firewall-check
add chain ${CHAIN_TABLE} filter-input { type filter hook input priority 0; }
add rule ${CHAIN_TABLE} filter-input ct state new jump nodeport-endpoints-check
add rule ${CHAIN_TABLE} filter-input ct state new jump service-endpoints-check
add chain ${CHAIN_TABLE} filter-forward { type filter hook forward priority 0; }
add rule ${CHAIN_TABLE} filter-forward ct state new jump service-endpoints-check
add rule ${CHAIN_TABLE} filter-forward ct state new jump cluster-ips-check
add chain ${CHAIN_TABLE} filter-output { type filter hook output priority 0; }
add rule ${CHAIN_TABLE} filter-output ct state new jump service-endpoints-check
add rule ${CHAIN_TABLE} filter-output ct state new jump cluster-ips-check
add chain ${CHAIN_TABLE} nat-prerouting { type nat hook prerouting priority -100; }
add rule ${CHAIN_TABLE} nat-prerouting jump services
add chain ${CHAIN_TABLE} nat-output { type nat hook output priority -100; }
add rule ${CHAIN_TABLE} nat-output jump services
add chain ${CHAIN_TABLE} nat-postrouting { type nat hook postrouting priority 100; }
add rule ${CHAIN_TABLE} nat-postrouting jump masquerading
`;

/** The complete ruleset, for one `nft -f`. */
export function chainRuleset(services: Iterable<BenchService>): string {
  return [FRAME.trim(), ...[...services].map(addService)].join('\n');
}

/** Adds a Service. */
export function addService(service: BenchService): string {
  const { clusterIp, protocol } = service;
  const element = `${clusterIp} . ${protocol} . ${SERVICE_PORT} : goto ${chainOf(service)}`;
  return [
    `add chain ${CHAIN_TABLE} ${chainOf(service)}`,
    dnatRule(service),
    `add element ${CHAIN_TABLE} cluster-ips { ${clusterIp} }`,
    `add element ${CHAIN_TABLE} service-ips { ${element} }`,
  ].join('\n');
}

/** Replaces an endpoint: rewrites the chain. */
export function rewriteService(service: BenchService): string {
  return `flush chain ${CHAIN_TABLE} ${chainOf(service)}\n${dnatRule(service)}`;
}

function dnatRule(service: BenchService): string {
  const { protocol, endpoints } = service;
  const map = endpoints.map((address, index) => `${index} : ${address} . ${ENDPOINT_PORT}`).join(', ');
  const choice = `numgen random mod ${endpoints.length} map { ${map} }`;
  return `add rule ${CHAIN_TABLE} ${chainOf(service)} meta l4proto ${protocol} dnat ip to ${choice}`;
}

/** A chain name. It begins with a hash, so that truncated names stay unique. */
function chainOf({ name, protocol }: BenchService): string {
  const hash = [...name].reduce((sum, letter) => (sum * 33 + letter.charCodeAt(0)) >>> 0, 5381);
  return `service-${hash.toString(36).toUpperCase().padStart(8, 'A')}-${name}/${protocol}/p`;
}
