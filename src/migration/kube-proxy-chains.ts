// Which iptables chains and ipsets are kube-proxy's.

/** The tables of iptables in which kube-proxy has chains. */
export const IPTABLES_TABLES = ['nat', 'filter', 'mangle'] as const;

/**
 * Chains that kube-proxy makes in its iptables and ipvs modes. Not among them: KUBE-FIREWALL, KUBE-MARK-DROP,
 * KUBE-KUBELET-CANARY and KUBE-IPTABLES-HINT, which are kubelet's.
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

/** Sets of mode ipvs; `KUBE-6-` are those of IPv6. */
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

/** The chains of kube-proxy's that let packets pass which a policy of `drop` would stop. */
const ACCEPTING_CHAINS: Readonly<Record<string, readonly string[]>> = {
  FORWARD: ['KUBE-FORWARD'],
  INPUT: ['KUBE-NODEPORTS', 'KUBE-NODE-PORT'],
};

/** A rule outside of kube-proxy's chains that leads into one of them. */
export interface JumpRule {
  /** The chain that the rule is in. */
  readonly chain: string;
  readonly target: string;
  /** What names the rule when it is to be deleted: its handle, or its text. */
  readonly rule: string;
}

/** One iptables table as far as kube-proxy goes. */
export interface IptablesTable {
  /** kube-proxy's chains. */
  readonly chains: readonly string[];
  readonly jumpRules: readonly JumpRule[];
  /** Chains with a hook. */
  readonly baseChains: ReadonlySet<string>;
  /** Chains with a hook that drop what no rule accepts. */
  readonly dropPolicyChains: ReadonlySet<string>;
}

/** What is to go, and what has to stay. */
export interface RemovalPlan {
  readonly jumpRules: readonly JumpRule[];
  readonly chains: readonly string[];
  /** Chains that stay, and why. */
  readonly kept: ReadonlyMap<string, string>;
}

/**
 * Decides what can go. Chains that rules of others lead to stay (the portmap plugin of CNI can be told to use
 * KUBE-MARK-MASQ, for instance), and with KUBE-MARK-MASQ its masquerading. With `keepAccepting`, so do the chains without
 * which a policy of `drop` would stop traffic that passes now.
 */
export function planRemoval(table: IptablesTable, { keepAccepting }: { keepAccepting: boolean }): RemovalPlan {
  const kept = new Map<string, string>();
  for (const { chain: from, target } of table.jumpRules) {
    if (!table.baseChains.has(from)) kept.set(target, `chain ${from}, which is not kube-proxy's, leads to it`);
    else if (keepAccepting && table.dropPolicyChains.has(from) && ACCEPTING_CHAINS[from]?.includes(target)) {
      kept.set(target, `the policy of ${from} is drop, and this chain lets packets pass`);
    }
  }
  if (kept.has('KUBE-MARK-MASQ')) kept.set('KUBE-POSTROUTING', 'it masquerades what KUBE-MARK-MASQ marks');
  return {
    kept,
    jumpRules: table.jumpRules.filter(({ target }) => !kept.has(target)),
    chains: table.chains.filter((chain) => !kept.has(chain)),
  };
}

/** The same plan with more chains that stay: those that kept chains lead to. */
export function keepChains(plan: RemovalPlan, targets: readonly string[]): RemovalPlan {
  const kept = new Map(plan.kept);
  for (const target of targets) if (!kept.has(target)) kept.set(target, 'a chain that stays leads to it');
  return {
    kept,
    jumpRules: plan.jumpRules.filter(({ target }) => !kept.has(target)),
    chains: plan.chains.filter((chain) => !kept.has(chain)),
  };
}
