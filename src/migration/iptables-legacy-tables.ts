// The chains of kube-proxy in the tables of legacy iptables, which only the iptables programs can change.

import { ExecError, type ExecResult } from '../host/process/exec.ts';
import type { System, SystemRunOptions } from '../host/process/system.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import type { IptablesVariant, OrFailure, TableRef } from './iptables-cleaner.ts';
import { IPTABLES_TABLES, isKubeProxyChain } from './kube-proxy-chains.ts';
import { failureMessage } from './leftover-cleaner.ts';
import type { IptablesTable, JumpRule, RemovalPlan } from './removal-plan.ts';

const LEGACY_IPTABLES: Readonly<Record<Family, { readonly program: string; readonly tables: string }>> = {
  ip: { program: 'iptables', tables: '/proc/net/ip_tables_names' },
  ip6: { program: 'ip6tables', tables: '/proc/net/ip6_tables_names' },
};

/**
 * Reads only tables that exist according to the kernel: reading a table would create it, and once a legacy table exists,
 * iptables-nft prints a warning on every use.
 */
export class IptablesLegacyTables implements IptablesVariant<TableRef> {
  readonly #system: System;

  constructor(system: System) {
    this.#system = system;
  }

  async tables(): Promise<TableRef[]> {
    const refs: TableRef[] = [];
    for (const family of FAMILIES) {
      const present = (await this.#system.read(LEGACY_IPTABLES[family].tables)).split('\n');
      refs.push(...IPTABLES_TABLES.filter((table) => present.includes(table)).map((table) => ({ family, table })));
    }
    return refs;
  }

  label({ family, table }: TableRef): string {
    return `legacy ${LEGACY_IPTABLES[family].program} ${table}`;
  }

  async listChains(ref: TableRef): Promise<OrFailure<readonly string[]>> {
    const table = await this.readTable(ref);
    return typeof table === 'string' ? table : table.chains;
  }

  async readTable(ref: TableRef): Promise<OrFailure<IptablesTable>> {
    const parser = new IptablesSaveParser();
    const failure = await this.#save(ref, (line) => parser.parseLine(line));
    return failure ?? parser;
  }

  async jumpTargets(ref: TableRef): Promise<(chains: readonly string[]) => Promise<string[]>> {
    const jumpRules: JumpRule[] = [];
    await this.#save(ref, (line) => {
      const rule = parseJumpRule(line);
      if (rule !== undefined && isKubeProxyChain(rule.chain) && isKubeProxyChain(rule.target)) jumpRules.push(rule);
    });
    return async (chains) => jumpRules.filter(({ chain }) => chains.includes(chain)).map(({ target }) => target);
  }

  /** Uses one commit per table: the kernel replaces a legacy table as a whole. */
  async removeChains(ref: TableRef, { jumpRules, chains }: RemovalPlan): Promise<string | undefined> {
    const lines = [
      `*${ref.table}`,
      ...chains.map((chain) => `:${chain} - [0:0]`),
      ...jumpRules.map(({ rule }) => rule.replace(/^-A /, '-D ')),
      ...chains.map((chain) => `-X ${chain}`),
      'COMMIT',
    ];
    const result = await this.#run(['--noflush', '-w', '10'], {
      family: ref.family,
      action: 'restore',
      input: `${lines.join('\n')}\n`,
    });
    if (typeof result === 'string') return result;
    if (result.status === 0) return undefined;
    return `Cannot remove kube-proxy's chains from ${this.label(ref)}: ${failureMessage(result)}`;
  }

  /** Reads a table line by line. Returns the error message of a failure. */
  async #save({ family, table }: TableRef, onLine: (line: string) => void): Promise<string | undefined> {
    const result = await this.#run(['-t', table], { family, action: 'save', onLine });
    if (typeof result === 'string') return result;
    return result.status === 0 ? undefined : `Cannot read legacy ${family} ${table}: ${failureMessage(result)}`;
  }

  /** Wherever both variants can be installed, the names of these programs contain `legacy`. */
  async #run(args: readonly string[], { family, action, ...options }: LegacyRunOptions): Promise<ExecResult | string> {
    const { program } = LEGACY_IPTABLES[family];
    const command = `${program}-legacy-${action}`;
    try {
      return await this.#system.run(command, args, options);
    } catch (error) {
      if (!(error instanceof ExecError) || error.kind !== 'not-found') throw error;
      return `Cannot ${action} legacy ${program} tables: "${command}": not found (install the package iptables)`;
    }
  }
}

interface LegacyRunOptions extends SystemRunOptions {
  readonly family: Family;
  readonly action: 'save' | 'restore';
}

/** Parses the output of iptables-save for one table, line by line. */
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

  /** Base chains have a policy; others have `-` in its place. */
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
