// Finds and removes the chains of kube-proxy in the tables of one iptables variant.

import type { Family } from '../net/family.ts';
import {
  type FindResult,
  type LeftoverCleaner,
  mergeFindResults,
  mergeRemovalResults,
  NOTHING_FOUND,
  NOTHING_REMOVED,
  pluralize,
  type RemovalResult,
  type RemoveOptions,
} from './leftover-cleaner.ts';
import { type IptablesTable, keepChains, planRemoval, type RemovalPlan } from './removal-plan.ts';

export interface TableRef {
  readonly family: Family;
  readonly table: string;
}

/** A result, or the error message of a failure. */
export type OrFailure<T> = T | string;

/** The differences between iptables-nft and legacy iptables. */
export interface IptablesVariant<Ref extends TableRef> {
  /** The tables that can contain chains of kube-proxy. */
  tables(): Promise<readonly Ref[]>;
  /** Names the table in messages. */
  label(ref: Ref): string;
  /** Lists the chains of kube-proxy in a table. */
  listChains(ref: Ref): Promise<OrFailure<readonly string[]>>;
  readTable(ref: Ref): Promise<OrFailure<IptablesTable>>;
  /** Returns a function that finds the chains of kube-proxy that the rules of others jump to. */
  jumpTargets(ref: Ref): Promise<(chains: readonly string[]) => Promise<readonly string[]>>;
  /** Applies a plan. Returns the error message of a failure. */
  removeChains(ref: Ref, plan: RemovalPlan): Promise<string | undefined>;
}

export class IptablesCleaner<Ref extends TableRef> implements LeftoverCleaner {
  readonly #variant: IptablesVariant<Ref>;

  constructor(variant: IptablesVariant<Ref>) {
    this.#variant = variant;
  }

  async find(): Promise<FindResult> {
    const tables = await this.#variant.tables();
    return mergeFindResults(await Promise.all(tables.map((ref) => this.#findInTable(ref))));
  }

  async remove(options: RemoveOptions): Promise<RemovalResult> {
    const results: RemovalResult[] = [];
    for (const ref of await this.#variant.tables()) results.push(await this.#removeFromTable(ref, options));
    return mergeRemovalResults(results);
  }

  async #findInTable(ref: Ref): Promise<FindResult> {
    const chains = await this.#variant.listChains(ref);
    if (typeof chains === 'string') return { leftovers: [], failures: [chains] };
    if (chains.length === 0) return NOTHING_FOUND;
    return { leftovers: [`${this.#variant.label(ref)}: ${pluralize(chains.length, 'chain')}`], failures: [] };
  }

  async #removeFromTable(ref: Ref, options: RemoveOptions): Promise<RemovalResult> {
    const table = await this.#variant.readTable(ref);
    if (typeof table === 'string') return { ...NOTHING_REMOVED, failures: [table] };
    const label = this.#variant.label(ref);
    const plan = await this.#keepReachable(ref, planRemoval(table, options));
    const kept = [...plan.kept].map(([chain, reason]) => `${label}: chain ${chain} (${reason})`);
    if (plan.chains.length === 0) return { ...NOTHING_REMOVED, kept };
    const failure = await this.#variant.removeChains(ref, plan);
    if (failure !== undefined) return { removed: [], kept, failures: [failure] };
    const sizes = `${pluralize(plan.chains.length, 'chain')}, ${pluralize(plan.jumpRules.length, 'jump')} to them`;
    return { removed: [`${label}: ${sizes}`], kept, failures: [] };
  }

  /** Also keeps the chains that kept chains jump to. */
  async #keepReachable(ref: Ref, plan: RemovalPlan): Promise<RemovalPlan> {
    if (plan.kept.size === 0) return plan;
    const targetsOf = await this.#variant.jumpTargets(ref);
    let [extended, pending] = [plan, [...plan.kept.keys()]];
    while (pending.length > 0) {
      const targets = new Set(await targetsOf(pending));
      pending = [...targets].filter((target) => !extended.kept.has(target));
      extended = keepChains(extended, pending);
    }
    return extended;
  }
}
