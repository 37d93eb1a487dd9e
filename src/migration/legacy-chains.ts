// The chains of kube-proxy in the tables of legacy iptables, which only the programs of iptables can change.

import { ExecError, type ExecResult } from '../host/process/exec.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import {
  type ChainPlan,
  type ChainTable,
  type Entrance,
  isOwnChain,
  keepAlso,
  planRemoval,
  TABLES,
} from './kube-chains.ts';
import {
  complaintOf,
  count,
  joinRemovals,
  joinSurveys,
  type Layer,
  NOTHING_FOUND,
  NOTHING_REMOVED,
  type Removal,
  type RemoveOptions,
  type RunOptions,
  type Survey,
  type System,
} from './layer.ts';

const NAMES: Readonly<Record<Family, { readonly program: string; readonly tables: string }>> = {
  ip: { program: 'iptables', tables: '/proc/net/ip_tables_names' },
  ip6: { program: 'ip6tables', tables: '/proc/net/ip6_tables_names' },
};

interface Place {
  readonly family: Family;
  readonly table: string;
}

/**
 * The kernel tells which tables there are, and only those are read: asking for a table that is not there would make it, and
 * the first table of legacy iptables makes every user of iptables-nft see a warning.
 */
export class LegacyChains implements Layer {
  readonly #system: System;

  constructor(system: System) {
    this.#system = system;
  }

  async find(): Promise<Survey> {
    const surveys = (await this.#places()).map((place) => this.#findIn(place));
    return joinSurveys(await Promise.all(surveys));
  }

  async remove(options: RemoveOptions): Promise<Removal> {
    const parts: Removal[] = [];
    for (const place of await this.#places()) parts.push(await this.#removeFrom(place, options));
    return joinRemovals(parts);
  }

  async #findIn(place: Place): Promise<Survey> {
    const read = await this.#readTable(place);
    if (typeof read === 'string') return { leftovers: [], obstacles: [read] };
    if (read.chains.length === 0) return NOTHING_FOUND;
    return { leftovers: [`legacy ${nameOf(place)}: ${count(read.chains.length, 'chain')}`], obstacles: [] };
  }

  /** One commit for each table: the kernel replaces a table of legacy iptables as a whole. */
  async #removeFrom(place: Place, options: RemoveOptions): Promise<Removal> {
    const table = await this.#readTable(place);
    if (typeof table === 'string') return { ...NOTHING_REMOVED, obstacles: [table] };
    const plan = await this.#complete(place, planRemoval(table, options));
    const kept = [...plan.kept].map(([chain, why]) => `legacy ${nameOf(place)}: chain ${chain}, for ${why}`);
    if (plan.chains.length === 0) return { ...NOTHING_REMOVED, kept };
    const lines = [
      `*${place.table}`,
      ...plan.chains.map((chain) => `:${chain} - [0:0]`),
      ...plan.entrances.map(({ rule }) => rule.replace(/^-A /, '-D ')),
      ...plan.chains.map((chain) => `-X ${chain}`),
      'COMMIT',
    ];
    const result = await this.#run(place.family, 'restore', ['--noflush', '-w', '10'], {
      input: `${lines.join('\n')}\n`,
    });
    if (typeof result === 'string') return { removed: [], kept, obstacles: [result] };
    if (result.status !== 0) {
      const obstacle = `Cannot remove kube-proxy's chains from legacy ${nameOf(place)}: ${complaintOf(result)}`;
      return { removed: [], kept, obstacles: [obstacle] };
    }
    const sizes = `${count(plan.chains.length, 'chain')}, ${count(plan.entrances.length, 'rule')} that led to them`;
    return { removed: [`legacy ${nameOf(place)}: ${sizes}`], kept, obstacles: [] };
  }

  async #places(): Promise<Place[]> {
    const places: Place[] = [];
    for (const family of FAMILIES) {
      const there = (await this.#system.read(NAMES[family].tables)).split('\n');
      places.push(...TABLES.filter((table) => there.includes(table)).map((table) => ({ family, table })));
    }
    return places;
  }

  async #readTable(place: Place): Promise<ChainTable | string> {
    const reader = new SavedTable();
    const trouble = await this.#save(place, (line) => reader.take(line));
    return trouble ?? reader;
  }

  /** Follows the chains that stay to those that they lead to. */
  async #complete(place: Place, plan: ChainPlan): Promise<ChainPlan> {
    if (plan.kept.size === 0) return plan;
    const edges: { readonly from: string; readonly target: string }[] = [];
    await this.#save(place, (line) => {
      const { from, target } = readRule(line) ?? { from: '', target: '' };
      if (isOwnChain(from) && isOwnChain(target)) edges.push({ from, target });
    });
    let [complete, look] = [plan, [...plan.kept.keys()]];
    while (look.length > 0) {
      const targets = edges.filter(({ from }) => look.includes(from)).map(({ target }) => target);
      look = [...new Set(targets)].filter((target) => !complete.kept.has(target));
      complete = keepAlso(complete, look);
    }
    return complete;
  }

  /** Reads a table line by line. Returns what stands in the way. */
  async #save({ family, table }: Place, onLine: (line: string) => void): Promise<string | undefined> {
    const result = await this.#run(family, 'save', ['-t', table], { onLine });
    if (typeof result === 'string') return result;
    return result.status === 0 ? undefined : `Cannot read legacy ${family} ${table}: ${complaintOf(result)}`;
  }

  /** The programs have `legacy` in their names wherever both variants can be installed. */
  async #run(
    family: Family,
    action: 'save' | 'restore',
    args: readonly string[],
    options: RunOptions,
  ): Promise<ExecResult | string> {
    const { program } = NAMES[family];
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
class SavedTable implements ChainTable {
  readonly chains: string[] = [];
  readonly entrances: Entrance[] = [];
  readonly base = new Set<string>();
  readonly dropping = new Set<string>();

  take(line: string): void {
    const [, name, policy] = /^:(\S+) (\S+)/.exec(line) ?? [];
    if (name !== undefined) this.#takeChain(name, policy);
    const rule = readRule(line);
    if (rule !== undefined && isOwnChain(rule.target) && !isOwnChain(rule.from)) this.entrances.push(rule);
  }

  /** A chain with a hook has a policy; others have `-` in its place. */
  #takeChain(name: string, policy = '-'): void {
    if (isOwnChain(name)) this.chains.push(name);
    if (policy !== '-') this.base.add(name);
    if (policy === 'DROP') this.dropping.add(name);
  }
}

const RULE = /^-A (\S+) (?:.* )?(?:-j|-g) (\S+)/;

function readRule(line: string): Entrance | undefined {
  const [, from, target] = RULE.exec(line) ?? [];
  return from === undefined || target === undefined ? undefined : { from, target, rule: line };
}

function nameOf({ family, table }: Place): string {
  return `${NAMES[family].program} ${table}`;
}
