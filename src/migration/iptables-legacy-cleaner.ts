// The chains of kube-proxy in the tables of legacy iptables, which only the programs of iptables can change.

import { ExecError, type ExecResult } from '../host/process/exec.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import {
  IPTABLES_TABLES,
  type IptablesTable,
  isKubeProxyChain,
  type JumpRule,
  keepChains,
  planRemoval,
  type RemovalPlan,
} from './kube-proxy-chains.ts';
import {
  type FindResult,
  failureMessage,
  type LeftoverCleaner,
  mergeFindResults,
  mergeRemovalResults,
  NOTHING_FOUND,
  NOTHING_REMOVED,
  pluralize,
  type RemovalResult,
  type RemoveOptions,
  type System,
  type SystemRunOptions,
} from './leftover-cleaner.ts';

const LEGACY_IPTABLES: Readonly<Record<Family, { readonly program: string; readonly tables: string }>> = {
  ip: { program: 'iptables', tables: '/proc/net/ip_tables_names' },
  ip6: { program: 'ip6tables', tables: '/proc/net/ip6_tables_names' },
};

interface TableRef {
  readonly family: Family;
  readonly table: string;
}

/**
 * The kernel tells which tables there are, and only those are read: asking for a table that is not there would make it, and
 * the first table of legacy iptables makes every user of iptables-nft see a warning.
 */
export class IptablesLegacyCleaner implements LeftoverCleaner {
  readonly #system: System;

  constructor(system: System) {
    this.#system = system;
  }

  async find(): Promise<FindResult> {
    const results = (await this.#presentTables()).map((ref) => this.#findInTable(ref));
    return mergeFindResults(await Promise.all(results));
  }

  async remove(options: RemoveOptions): Promise<RemovalResult> {
    const results: RemovalResult[] = [];
    for (const ref of await this.#presentTables()) results.push(await this.#removeFromTable(ref, options));
    return mergeRemovalResults(results);
  }

  async #findInTable(ref: TableRef): Promise<FindResult> {
    const table = await this.#readTable(ref);
    if (typeof table === 'string') return { leftovers: [], failures: [table] };
    if (table.chains.length === 0) return NOTHING_FOUND;
    return { leftovers: [`legacy ${nameOf(ref)}: ${pluralize(table.chains.length, 'chain')}`], failures: [] };
  }

  /** One commit for each table: the kernel replaces a table of legacy iptables as a whole. */
  async #removeFromTable(ref: TableRef, options: RemoveOptions): Promise<RemovalResult> {
    const table = await this.#readTable(ref);
    if (typeof table === 'string') return { ...NOTHING_REMOVED, failures: [table] };
    const plan = await this.#keepReachable(ref, planRemoval(table, options));
    const kept = [...plan.kept].map(([chain, reason]) => `legacy ${nameOf(ref)}: chain ${chain}, for ${reason}`);
    if (plan.chains.length === 0) return { ...NOTHING_REMOVED, kept };
    const lines = [
      `*${ref.table}`,
      ...plan.chains.map((chain) => `:${chain} - [0:0]`),
      ...plan.jumpRules.map(({ rule }) => rule.replace(/^-A /, '-D ')),
      ...plan.chains.map((chain) => `-X ${chain}`),
      'COMMIT',
    ];
    const result = await this.#run(ref.family, 'restore', ['--noflush', '-w', '10'], {
      input: `${lines.join('\n')}\n`,
    });
    if (typeof result === 'string') return { removed: [], kept, failures: [result] };
    if (result.status !== 0) {
      const failure = `Cannot remove kube-proxy's chains from legacy ${nameOf(ref)}: ${failureMessage(result)}`;
      return { removed: [], kept, failures: [failure] };
    }
    const sizes = `${pluralize(plan.chains.length, 'chain')}, ${pluralize(plan.jumpRules.length, 'rule')} that led to them`;
    return { removed: [`legacy ${nameOf(ref)}: ${sizes}`], kept, failures: [] };
  }

  async #presentTables(): Promise<TableRef[]> {
    const refs: TableRef[] = [];
    for (const family of FAMILIES) {
      const present = (await this.#system.read(LEGACY_IPTABLES[family].tables)).split('\n');
      refs.push(...IPTABLES_TABLES.filter((table) => present.includes(table)).map((table) => ({ family, table })));
    }
    return refs;
  }

  async #readTable(ref: TableRef): Promise<IptablesTable | string> {
    const parser = new IptablesSaveParser();
    const failure = await this.#save(ref, (line) => parser.parseLine(line));
    return failure ?? parser;
  }

  /** Follows the chains that stay to those that they lead to. */
  async #keepReachable(ref: TableRef, plan: RemovalPlan): Promise<RemovalPlan> {
    if (plan.kept.size === 0) return plan;
    const jumps: { readonly from: string; readonly target: string }[] = [];
    await this.#save(ref, (line) => {
      const { chain, target } = parseJumpRule(line) ?? { chain: '', target: '' };
      if (isKubeProxyChain(chain) && isKubeProxyChain(target)) jumps.push({ from: chain, target });
    });
    let [extended, pending] = [plan, [...plan.kept.keys()]];
    while (pending.length > 0) {
      const targets = jumps.filter(({ from }) => pending.includes(from)).map(({ target }) => target);
      pending = [...new Set(targets)].filter((target) => !extended.kept.has(target));
      extended = keepChains(extended, pending);
    }
    return extended;
  }

  /** Reads a table line by line. Returns what stands in the way. */
  async #save({ family, table }: TableRef, onLine: (line: string) => void): Promise<string | undefined> {
    const result = await this.#run(family, 'save', ['-t', table], { onLine });
    if (typeof result === 'string') return result;
    return result.status === 0 ? undefined : `Cannot read legacy ${family} ${table}: ${failureMessage(result)}`;
  }

  /** The programs have `legacy` in their names wherever both variants can be installed. */
  async #run(
    family: Family,
    action: 'save' | 'restore',
    args: readonly string[],
    options: SystemRunOptions,
  ): Promise<ExecResult | string> {
    const { program } = LEGACY_IPTABLES[family];
    try {
      return await this.#system.run(`${program}-legacy-${action}`, args, options);
    } catch (error) {
      if (!(error instanceof ExecError) || error.kind !== 'not-found') throw error;
      const tables = `The kernel has tables of legacy ${program}`;
      return `${tables}, and ${program}-legacy-${action} is not there to look at them: install the package iptables`;
    }
  }
}

/** Takes what iptables-save prints of one table, line by line. */
class IptablesSaveParser implements IptablesTable {
  readonly chains: string[] = [];
  readonly jumpRules: JumpRule[] = [];
  readonly baseChains = new Set<string>();
  readonly dropPolicyChains = new Set<string>();

  parseLine(line: string): void {
    const [, name, policy] = /^:(\S+) (\S+)/.exec(line) ?? [];
    if (name !== undefined) this.#parseChain(name, policy);
    const rule = parseJumpRule(line);
    if (rule !== undefined && isKubeProxyChain(rule.target) && !isKubeProxyChain(rule.chain)) this.jumpRules.push(rule);
  }

  /** A chain with a hook has a policy; others have `-` in its place. */
  #parseChain(name: string, policy = '-'): void {
    if (isKubeProxyChain(name)) this.chains.push(name);
    if (policy !== '-') this.baseChains.add(name);
    if (policy === 'DROP') this.dropPolicyChains.add(name);
  }
}

const RULE = /^-A (\S+) (?:.* )?(?:-j|-g) (\S+)/;

function parseJumpRule(line: string): JumpRule | undefined {
  const [, from, target] = RULE.exec(line) ?? [];
  return from === undefined || target === undefined ? undefined : { chain: from, target, rule: line };
}

function nameOf({ family, table }: TableRef): string {
  return `${LEGACY_IPTABLES[family].program} ${table}`;
}
