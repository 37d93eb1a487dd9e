// Which iptables chains and ipsets are kube-proxy's.

/** The tables of iptables in which kube-proxy has chains. */
export const TABLES = ['nat', 'filter', 'mangle'] as const;

/**
 * Chains that kube-proxy makes in its iptables and ipvs modes. Not among them: KUBE-FIREWALL, KUBE-MARK-DROP,
 * KUBE-KUBELET-CANARY and KUBE-IPTABLES-HINT, which are kubelet's.
 */
const OWN_CHAIN = new RegExp(
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
const OWN_SET = new RegExp(
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

export function isOwnChain(name: string): boolean {
  return OWN_CHAIN.test(name);
}

export function isOwnSet(name: string): boolean {
  return OWN_SET.test(name);
}

/** The chains of kube-proxy's that let packets pass which a policy of `drop` would stop. */
const ACCEPTING: Readonly<Record<string, readonly string[]>> = {
  FORWARD: ['KUBE-FORWARD'],
  INPUT: ['KUBE-NODEPORTS', 'KUBE-NODE-PORT'],
};

/** A rule outside of kube-proxy's chains that leads into one of them. */
export interface Entrance {
  /** The chain that the rule is in. */
  readonly from: string;
  readonly target: string;
  /** What names the rule when it is to be deleted: its handle, or its text. */
  readonly rule: string;
}

/** One iptables table as far as kube-proxy goes. */
export interface ChainTable {
  /** kube-proxy's chains. */
  readonly chains: readonly string[];
  readonly entrances: readonly Entrance[];
  /** Chains with a hook. */
  readonly base: ReadonlySet<string>;
  /** Chains with a hook that drop what no rule accepts. */
  readonly dropping: ReadonlySet<string>;
}

/** What is to go, and what has to stay. */
export interface ChainPlan {
  readonly entrances: readonly Entrance[];
  readonly chains: readonly string[];
  /** Chains that stay, and why. */
  readonly kept: ReadonlyMap<string, string>;
}

/**
 * Decides what can go. Chains that rules of others lead to stay (the portmap plugin of CNI can be told to use
 * KUBE-MARK-MASQ, for instance), and with KUBE-MARK-MASQ its masquerading. With `keepAccepting`, so do the chains without
 * which a policy of `drop` would stop traffic that passes now.
 */
export function planRemoval(table: ChainTable, { keepAccepting }: { keepAccepting: boolean }): ChainPlan {
  const kept = new Map<string, string>();
  for (const { from, target } of table.entrances) {
    if (!table.base.has(from)) kept.set(target, `chain ${from}, which is not kube-proxy's, leads to it`);
    else if (keepAccepting && table.dropping.has(from) && ACCEPTING[from]?.includes(target)) {
      kept.set(target, `the policy of ${from} is drop, and this chain lets packets pass`);
    }
  }
  if (kept.has('KUBE-MARK-MASQ')) kept.set('KUBE-POSTROUTING', 'it masquerades what KUBE-MARK-MASQ marks');
  return {
    kept,
    entrances: table.entrances.filter(({ target }) => !kept.has(target)),
    chains: table.chains.filter((chain) => !kept.has(chain)),
  };
}

/** The same plan with more chains that stay: those that kept chains lead to. */
export function keepAlso(plan: ChainPlan, targets: readonly string[]): ChainPlan {
  const kept = new Map(plan.kept);
  for (const target of targets) if (!kept.has(target)) kept.set(target, 'a chain that stays leads to it');
  return {
    kept,
    entrances: plan.entrances.filter(({ target }) => !kept.has(target)),
    chains: plan.chains.filter((chain) => !kept.has(chain)),
  };
}
