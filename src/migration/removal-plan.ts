// Plans which chains of kube-proxy are removed from an iptables table, and which are kept.

/** The chains of kube-proxy that accept packets, by the base chain whose policy could drop them. */
const ACCEPTING_CHAINS: Readonly<Record<string, readonly string[]>> = {
  FORWARD: ['KUBE-FORWARD'],
  INPUT: ['KUBE-NODEPORTS', 'KUBE-NODE-PORT'],
};

/** A rule in another chain that jumps to a chain of kube-proxy. */
export interface JumpRule {
  /** The chain that the rule is in. */
  readonly chain: string;
  readonly target: string;
  /** Identifies the rule for deletion: its handle, or its text. */
  readonly rule: string;
}

/** The parts of an iptables table that matter for the removal. */
export interface IptablesTable {
  /** kube-proxy's chains. */
  readonly chains: readonly string[];
  readonly jumpRules: readonly JumpRule[];
  readonly baseChains: ReadonlySet<string>;
  /** Base chains with the policy `drop`. */
  readonly dropPolicyChains: ReadonlySet<string>;
}

export interface RemovalPlan {
  readonly jumpRules: readonly JumpRule[];
  readonly chains: readonly string[];
  /** The chains to keep, with the reason. */
  readonly kept: ReadonlyMap<string, string>;
}

/**
 * Decides which chains to remove. Keeps chains that foreign rules jump to (the CNI portmap plugin can be configured to use
 * KUBE-MARK-MASQ, for example), and with KUBE-MARK-MASQ the chain that masquerades. With `keepAccepting`, also keeps chains
 * without which a policy of `drop` would drop traffic that is accepted now.
 */
export function planRemoval(table: IptablesTable, { keepAccepting }: { keepAccepting: boolean }): RemovalPlan {
  const kept = new Map<string, string>();
  for (const { chain: from, target } of table.jumpRules) {
    if (!table.baseChains.has(from)) kept.set(target, `foreign chain ${from} jumps to it`);
    else if (keepAccepting && table.dropPolicyChains.has(from) && ACCEPTING_CHAINS[from]?.includes(target)) {
      kept.set(target, `it accepts packets that the drop policy of ${from} would drop`);
    }
  }
  if (kept.has('KUBE-MARK-MASQ')) kept.set('KUBE-POSTROUTING', 'it masquerades packets that KUBE-MARK-MASQ marks');
  return {
    kept,
    jumpRules: table.jumpRules.filter(({ target }) => !kept.has(target)),
    chains: table.chains.filter((chain) => !kept.has(chain)),
  };
}

/** Adds chains to keep to a plan: those that kept chains jump to. */
export function keepChains(plan: RemovalPlan, targets: readonly string[]): RemovalPlan {
  const kept = new Map(plan.kept);
  for (const target of targets) if (!kept.has(target)) kept.set(target, 'a kept chain jumps to it');
  return {
    kept,
    jumpRules: plan.jumpRules.filter(({ target }) => !kept.has(target)),
    chains: plan.chains.filter((chain) => !kept.has(chain)),
  };
}
