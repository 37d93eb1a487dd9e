// Recognizes the iptables chains and ipsets of kube-proxy.

/** The iptables tables in which kube-proxy has chains. */
export const IPTABLES_TABLES = ['nat', 'filter', 'mangle'] as const;

/**
 * The chains of kube-proxy's iptables and ipvs modes. KUBE-FIREWALL, KUBE-MARK-DROP, KUBE-KUBELET-CANARY and
 * KUBE-IPTABLES-HINT belong to kubelet instead.
 */
const KUBE_PROXY_CHAIN = new RegExp(
  `^KUBE-(?:${[
    'SERVICES',
    'EXTERNAL-SERVICES',
    'NODEPORTS',
    'FORWARD',
    'POSTROUTING',
    'MARK-MASQ',
    'PROXY-FIREWALL',
    'PROXY-CANARY',
    // Mode ipvs.
    'NODE-PORT',
    'LOAD-BALANCER',
    'SOURCE-RANGES-FIREWALL',
    'IPVS-FILTER',
    'IPVS-OUT-FILTER',
    // One for each Service port or endpoint.
    '(?:SVC|SVL|SEP|FW|EXT|XLB)-.+',
  ].join('|')})$`,
);

/** The ipsets of ipvs mode; those with `KUBE-6-` are for IPv6. */
const KUBE_PROXY_IPSET = new RegExp(
  `^KUBE-(?:6-)?(?:${[
    'LOOP-BACK',
    'CLUSTER-IP',
    'EXTERNAL-IP',
    'EXTERNAL-IP-LOCAL',
    'LOAD-BALANCER',
    'LOAD-BALANCER-(?:LOCAL|FW|SOURCE-IP|SOURCE-CIDR)',
    'NODE-PORT-(?:LOCAL-)?(?:TCP|UDP|SCTP|SCTP-HASH)',
    'HEALTH-CHECK-NODE-PORT',
    'IPVS-IPS',
  ].join('|')})$`,
);

export function isKubeProxyChain(name: string): boolean {
  return KUBE_PROXY_CHAIN.test(name);
}

export function isKubeProxyIpset(name: string): boolean {
  return KUBE_PROXY_IPSET.test(name);
}
