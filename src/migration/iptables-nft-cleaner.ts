// The chains of kube-proxy in the tables of iptables-nft. nft alone removes them: no iptables program is needed.
import { FAMILIES, type Family } from '../net/family.ts';
import type { NftProgram } from '../nftables/client/nft-program.ts';
import type { ListedChain } from '../nftables/syntax/json-listing.ts';
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
  type LeftoverCleaner,
  mergeRemovalResults,
  NOTHING_REMOVED,
  pluralize,
  type RemovalResult,
  type RemoveOptions,
} from './leftover-cleaner.ts';

/** As many operations go to one nft as keep its memory below 20 MB. */
const CHUNK_SIZE = 5000;

interface TableRef {
  readonly family: Family;
  readonly table: string;
}

/**
 * Rules are read as JSON and one chain at a time. As text, nft 1.1 translates what iptables extensions mean, and crashes on
 * some of them (`-m set` among them) where the extension's library is missing; and the rules inside of kube-proxy's chains,
 * a hundred thousand or more, need not be read at all.
 */
export class IptablesNftCleaner implements LeftoverCleaner {
  readonly #nft: NftProgram;

  constructor(nft: NftProgram) {
    this.#nft = nft;
  }

  async find(): Promise<FindResult> {
    const leftovers: string[] = [];
    for (const [ref, chains] of await this.#tables()) {
      const kubeProxyChains = chains.filter(({ name }) => isKubeProxyChain(name));
      leftovers.push(`iptables-nft ${nameOf(ref)}: ${pluralize(kubeProxyChains.length, 'chain')}`);
    }
    return { leftovers, failures: [] };
  }

  async remove(options: RemoveOptions): Promise<RemovalResult> {
    const results: RemovalResult[] = [];
    for (const [ref, chains] of await this.#tables()) results.push(await this.#removeFromTable(ref, chains, options));
    return mergeRemovalResults(results);
  }

  /** Nothing leads to their chains any more after the first transaction. The others only tidy up. */
  async #removeFromTable(
    ref: TableRef,
    chains: readonly ListedChain[],
    options: RemoveOptions,
  ): Promise<RemovalResult> {
    const table = await this.#readTable(ref, chains);
    const plan = await this.#keepReachable(ref, planRemoval(table, options));
    const kept = [...plan.kept].map(([chain, reason]) => `iptables-nft ${nameOf(ref)}: chain ${chain}, for ${reason}`);
    if (plan.chains.length === 0) return { ...NOTHING_REMOVED, kept };
    const tableName = nameOf(ref);
    const stages = [
      plan.jumpRules.map(({ chain, rule }) => `delete rule ${tableName} ${chain} handle ${rule}`),
      ...chunks(plan.chains).map((chunk) => chunk.map((chain) => `flush chain ${tableName} ${chain}`)),
      ...chunks(plan.chains).map((chunk) => chunk.map((chain) => `delete chain ${tableName} ${chain}`)),
    ];
    for (const lines of stages) {
      const [error] = await this.#nft.apply(`${lines.join('\n')}\n`);
      if (error === undefined) continue;
      const failure = `Cannot remove kube-proxy's chains from iptables-nft ${tableName}: ${error.message}`;
      return { removed: [], kept, failures: [failure] };
    }
    const sizes = `${pluralize(plan.chains.length, 'chain')}, ${pluralize(plan.jumpRules.length, 'rule')} that led to them`;
    return { removed: [`iptables-nft ${tableName}: ${sizes}`], kept, failures: [] };
  }

  async #readTable(ref: TableRef, chains: readonly ListedChain[]): Promise<IptablesTable> {
    const otherChains = chains.filter(({ name }) => !isKubeProxyChain(name));
    const rules = await this.#jumpRules(
      ref,
      otherChains.map(({ name }) => name),
    );
    const baseChains = chains.filter(({ hook }) => hook !== undefined);
    return {
      chains: chains.map(({ name }) => name).filter(isKubeProxyChain),
      jumpRules: rules.filter(({ target }) => isKubeProxyChain(target)),
      baseChains: new Set(baseChains.map(({ name }) => name)),
      dropPolicyChains: new Set(baseChains.filter(({ policy }) => policy === 'drop').map(({ name }) => name)),
    };
  }

  /** Follows the chains that stay to those that they lead to. */
  async #keepReachable(ref: TableRef, plan: RemovalPlan): Promise<RemovalPlan> {
    let [extended, pending] = [plan, [...plan.kept.keys()]];
    while (pending.length > 0) {
      const targets = (await this.#jumpRules(ref, pending)).map(({ target }) => target).filter(isKubeProxyChain);
      pending = [...new Set(targets)].filter((target) => !extended.kept.has(target));
      extended = keepChains(extended, pending);
    }
    return extended;
  }

  /** The tables of iptables-nft that hold chains of kube-proxy's, with all their chains. */
  async #tables(): Promise<(readonly [TableRef, readonly ListedChain[]])[]> {
    const chains = await this.#nft.listChains();
    const refs = FAMILIES.flatMap((family) => IPTABLES_TABLES.map((table) => ({ family, table })));
    return refs
      .map((ref) => [ref, chains.filter((chain) => chain.family === ref.family && chain.table === ref.table)] as const)
      .filter(([, tableChains]) => tableChains.some(({ name }) => isKubeProxyChain(name)));
  }

  /** The rules of these chains that lead to other chains. */
  async #jumpRules(ref: TableRef, chains: readonly string[]): Promise<JumpRule[]> {
    const jumpRules: JumpRule[] = [];
    for (const chain of chains) {
      for (const { handle, target } of await this.#nft.listJumps({ ...ref, name: chain }))
        jumpRules.push({ chain, target, rule: String(handle) });
    }
    return jumpRules;
  }
}

function chunks(chains: readonly string[]): string[][] {
  const parts = Math.ceil(chains.length / CHUNK_SIZE);
  return Array.from({ length: parts }, (_, part) => chains.slice(part * CHUNK_SIZE, (part + 1) * CHUNK_SIZE));
}

function nameOf({ family, table }: TableRef): string {
  return `${family} ${table}`;
}
