// Rules as kube-proxy creates them in its modes, for migration tests.

import type { Namespace } from './namespace.ts';
import type { Addresses } from './topology.ts';
import type { Transport } from './traffic/programs/messages.ts';

export type Family = 'ip' | 'ip6';

/** A Service port as kube-proxy serves it. */
export interface ServicePortSpec {
  readonly name: string;
  readonly protocol: Transport;
  readonly at: Addresses;
  readonly port: number;
  readonly nodePort?: number;
  /** They answer at `targetPort`. */
  readonly endpoints: readonly Addresses[];
  readonly targetPort: number;
}

/** The mark that requests masquerading. Both proxies use this bit by default. */
const MARK = '0x4000';
const FAMILIES: readonly Family[] = ['ip', 'ip6'];

/** nftables mode: one table per family. */
export async function loadNftables(node: Namespace, ports: readonly ServicePortSpec[]): Promise<void> {
  await node.output('nft', ['-f', '-'], { input: FAMILIES.map((family) => nftablesTable(family, ports)).join('') });
}

function nftablesTable(family: Family, ports: readonly ServicePortSpec[]): string {
  const address = family === 'ip' ? 'ipv4_addr' : 'ipv6_addr';
  const ids = ports.map((port) => ({ ...port, chain: `service-ABCD1234-shop/${port.name}/${port.protocol}/` }));
  const elements = ids.map(({ at, protocol, port, chain }) => `${at[family]} . ${protocol} . ${port} : goto ${chain}`);
  const nodePorts = ids.flatMap(({ protocol, nodePort, chain }) =>
    nodePort === undefined ? [] : `${protocol} . ${nodePort} : goto external-${chain}`,
  );
  const chains = ids.map(({ chain, protocol, endpoints, targetPort }) => {
    const slots = endpoints.map((endpoint, slot) => `${slot} : ${endpoint[family]} . ${targetPort}`).join(', ');
    const to = `numgen random mod ${endpoints.length} map { ${slots} }`;
    return `
  chain ${chain} { meta l4proto ${protocol} dnat ${family} to ${to}; }
  chain external-${chain} { meta mark set meta mark or ${MARK}; goto ${chain}; }`;
  });
  return `
table ${family} kube-proxy {
  comment "rules for kube-proxy"
  set cluster-ips { type ${address}; elements = { ${[...new Set(ports.map(({ at }) => at[family]))].join(', ')} } }
  map no-endpoint-services { type ${address} . inet_proto . inet_service : verdict; }
  map service-ips { type ${address} . inet_proto . inet_service : verdict; }
  map service-nodeports { type inet_proto . inet_service : verdict; }
  chain reject-chain { reject; }
  chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }
  chain nat-output { type nat hook output priority -100; jump services; }
  chain nat-postrouting { type nat hook postrouting priority srcnat; jump masquerading; }
  chain filter-forward { type filter hook forward priority filter; ct state new jump cluster-ips-check; }
  chain filter-output { type filter hook output priority filter; ct state new jump cluster-ips-check; }
  chain cluster-ips-check { ${family} daddr @cluster-ips reject; }
  chain masquerading {
    meta mark & ${MARK} == 0 return
    meta mark set meta mark xor ${MARK}
    masquerade fully-random
  }
  chain services {
    ${family} daddr @cluster-ips ${family} saddr != ${podRange(family)} meta mark set meta mark or ${MARK}
    ${family} daddr . meta l4proto . th dport vmap @service-ips
    fib daddr type local meta l4proto . th dport vmap @service-nodeports
  }${chains.join('')}
}
add element ${family} kube-proxy service-ips { ${elements.join(', ')} }
${nodePorts.length === 0 ? '' : `add element ${family} kube-proxy service-nodeports { ${nodePorts.join(', ')} }`}
`;
}

/** iptables mode, in either variant, together with the {@link FOREIGN} rules. */
export async function loadIptables(
  node: Namespace,
  variant: 'nft' | 'legacy',
  ports: readonly ServicePortSpec[],
): Promise<void> {
  const programs = { ip: `iptables-${variant}-restore`, ip6: `ip6tables-${variant}-restore` };
  for (const family of FAMILIES) {
    await node.output(programs[family], ['--noflush'], { input: FOREIGN });
    await node.output(programs[family], ['--noflush'], { input: iptablesRules(family, ports) });
  }
}

/** Rules of kubelet and network plugins in the same tables, which must be kept. */
const FOREIGN = `*mangle
:KUBE-IPTABLES-HINT - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
*nat
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-HOSTPORT-SETMARK - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark 0x2000/0x2000
COMMIT
*filter
:KUBE-FIREWALL - [0:0]
-A INPUT -j KUBE-FIREWALL
-A OUTPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL -m comment --comment "kubernetes firewall for dropping marked packets" -m mark --mark 0x8000/0x8000 -j DROP
COMMIT
`;

function iptablesRules(family: Family, ports: readonly ServicePortSpec[]): string {
  const nat = ports.flatMap((port) => natRules(family, port));
  const chains = new Set(nat.flatMap((rule) => /^-A (KUBE-\S+)/.exec(rule)?.[1] ?? []));
  return `*mangle
:KUBE-PROXY-CANARY - [0:0]
COMMIT
*nat
:KUBE-PROXY-CANARY - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
${[...chains].map((chain) => `:${chain} - [0:0]`).join('\n')}
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --or-mark ${MARK}
-A KUBE-POSTROUTING -m mark ! --mark ${MARK}/${MARK} -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark ${MARK}
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
${nat.join('\n')}
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
COMMIT
*filter
:KUBE-PROXY-CANARY - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m mark --mark ${MARK}/${MARK} -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
`;
}

/**
 * ipvs mode without virtual servers, which need a kernel with IPVS: an interface with the addresses of Services, ipsets, and the
 * iptables rules that use them. The interface is a bridge, which needs no kernel module.
 */
export async function loadIpvsRules(node: Namespace, ports: readonly ServicePortSpec[]): Promise<void> {
  const addresses = new Set(ports.flatMap(({ at }) => [`${at.ip}/32`, `${at.ip6}/128 nodad`]));
  const adding = [...addresses].map((address) => `address add dev kube-ipvs0 ${address}`);
  await node.configure(['link add name kube-ipvs0 type bridge', ...adding]);
  for (const family of FAMILIES) {
    const set = family === 'ip' ? 'KUBE-CLUSTER-IP' : 'KUBE-6-CLUSTER-IP';
    const members = ports.map(({ at, protocol, port }) => `add ${set} ${at[family]},${protocol}:${port}`);
    const type = `hash:ip,port family ${family === 'ip' ? 'inet' : 'inet6'}`;
    await node.output('ipset', ['restore'], { input: `create ${set} ${type}\n${members.join('\n')}\n` });
    const program = family === 'ip' ? 'iptables-nft-restore' : 'ip6tables-nft-restore';
    await node.output(program, ['--noflush'], { input: ipvsRules(family, set) });
  }
}

function ipvsRules(family: Family, set: string): string {
  return `*nat
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --or-mark ${MARK}
-A KUBE-SERVICES ! -s ${podRange(family)} -m set --match-set ${set} dst,dst -j KUBE-MARK-MASQ
-A KUBE-SERVICES -m set --match-set ${set} dst,dst -j ACCEPT
-A KUBE-POSTROUTING -m mark ! --mark ${MARK}/${MARK} -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark ${MARK}
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
COMMIT
*filter
:KUBE-IPVS-FILTER - [0:0]
-A INPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-FILTER
-A KUBE-IPVS-FILTER -m set --match-set ${set} dst,dst -j RETURN
COMMIT
`;
}

function natRules(
  family: Family,
  { name, protocol, at, port, nodePort, endpoints, targetPort }: ServicePortSpec,
): string[] {
  const id = `${name}${protocol}`.toUpperCase().replaceAll(/[^A-Z0-9]/g, '');
  const length = family === 'ip' ? 32 : 128;
  const comment = `-m comment --comment "shop/${name}:${protocol}"`;
  const service = `KUBE-SVC-${id}`;
  const seps = endpoints.map((endpoint, n) => ({ chain: `KUBE-SEP-${id}${n}`, to: endpoint[family] }));
  return [
    `-A KUBE-SERVICES -d ${at[family]}/${length} -p ${protocol} ${comment} -m ${protocol} --dport ${port} -j ${service}`,
    `-A ${service} ! -s ${podRange(family)} -d ${at[family]}/${length} -p ${protocol} ${comment} -m ${protocol} --dport ${port} -j KUBE-MARK-MASQ`,
    ...seps.map(({ chain }, n) => {
      const remaining = seps.length - n;
      const probability =
        remaining === 1 ? '' : `-m statistic --mode random --probability ${(1 / remaining).toFixed(11)}`;
      return `-A ${service} ${comment} ${probability} -j ${chain}`;
    }),
    ...seps.flatMap(({ chain, to }) => [
      `-A ${chain} -s ${to}/${length} ${comment} -j KUBE-MARK-MASQ`,
      `-A ${chain} -p ${protocol} ${comment} -m ${protocol} -j DNAT --to-destination ${family === 'ip' ? to : `[${to}]`}:${targetPort}`,
    ]),
    ...(nodePort === undefined
      ? []
      : [
          `-A KUBE-NODEPORTS -p ${protocol} ${comment} -m ${protocol} --dport ${nodePort} -j KUBE-EXT-${id}`,
          `-A KUBE-EXT-${id} ${comment} -j KUBE-MARK-MASQ`,
          `-A KUBE-EXT-${id} -j ${service}`,
        ]),
  ];
}

function podRange(family: Family): string {
  return family === 'ip' ? '10.1.0.0/16' : 'fd00:1::/32';
}
