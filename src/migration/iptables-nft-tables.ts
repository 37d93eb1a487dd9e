// The chains of kube-proxy in the tables of iptables-nft. nft removes them: no iptables program is needed.

import { FAMILIES } from '../net/family.ts';
import type { NftProgram } from '../nftables/client/nft-program.ts';
import type { ListedChain } from '../nftables/syntax/json-listing.ts';
import type { IptablesVariant, TableRef } from './iptables-cleaner.ts';
import { IPTABLES_TABLES, isKubeProxyChain } from './kube-proxy-chains.ts';
import type { IptablesTable, JumpRule, RemovalPlan } from './removal-plan.ts';

/** Operations per transaction. Keeps the memory of nft below 20 MB. */
const CHUNK_SIZE = 5000;

/** A table with all its chains. */
interface NftTable extends TableRef {
  readonly chains: readonly ListedChain[];
}

/**
 * Reads rules as JSON, one chain at a time. As text, nft 1.1 translates iptables extensions, and crashes on some of them
 * (`-m set`, for example) if the library of the extension is missing. The rules inside kube-proxy's chains, 100,000 or more,
 * are not read at all.
 */
export class IptablesNftTables implements IptablesVariant<NftTable> {
  readonly #nft: NftProgram;

  constructor(nft: NftProgram) {
    this.#nft = nft;
  }

  async tables(): Promise<NftTable[]> {
    const listed = await this.#nft.listChains();
    const refs = FAMILIES.flatMap((family) => IPTABLES_TABLES.map((table) => ({ family, table })));
    return refs.map((ref) => ({
      ...ref,
      chains: listed.filter((chain) => chain.family === ref.family && chain.table === ref.table),
    }));
  }

  label(ref: NftTable): string {
    return `iptables-nft ${nameOf(ref)}`;
  }

  async listChains({ chains }: NftTable): Promise<string[]> {
    return chains.map(({ name }) => name).filter(isKubeProxyChain);
  }

  async readTable(ref: NftTable): Promise<IptablesTable> {
    const chains = await this.listChains(ref);
    if (chains.length === 0) return { chains, jumpRules: [], baseChains: new Set(), dropPolicyChains: new Set() };
    const otherChains = ref.chains.map(({ name }) => name).filter((name) => !isKubeProxyChain(name));
    const rules = await this.#jumpRules(ref, otherChains);
    const baseChains = ref.chains.filter(({ hook }) => hook !== undefined);
    return {
      chains,
      jumpRules: rules.filter(({ target }) => isKubeProxyChain(target)),
      baseChains: new Set(baseChains.map(({ name }) => name)),
      dropPolicyChains: new Set(baseChains.filter(({ policy }) => policy === 'drop').map(({ name }) => name)),
    };
  }

  async jumpTargets(ref: NftTable): Promise<(chains: readonly string[]) => Promise<string[]>> {
    return async (chains) => (await this.#jumpRules(ref, chains)).map(({ target }) => target).filter(isKubeProxyChain);
  }

  /** The first transaction removes all jumps to the chains. The others only clean up. */
  async removeChains(ref: NftTable, { jumpRules, chains }: RemovalPlan): Promise<string | undefined> {
    const table = nameOf(ref);
    const stages = [
      jumpRules.map(({ chain, rule }) => `delete rule ${table} ${chain} handle ${rule}`),
      ...chunks(chains).map((chunk) => chunk.map((chain) => `flush chain ${table} ${chain}`)),
      ...chunks(chains).map((chunk) => chunk.map((chain) => `delete chain ${table} ${chain}`)),
    ];
    for (const lines of stages) {
      const [error] = await this.#nft.apply(`${lines.join('\n')}\n`);
      if (error !== undefined) return `Cannot remove kube-proxy's chains from ${this.label(ref)}: ${error.message}`;
    }
    return undefined;
  }

  /** The rules of these chains that jump to other chains. */
  async #jumpRules({ family, table }: NftTable, chains: readonly string[]): Promise<JumpRule[]> {
    const jumpRules: JumpRule[] = [];
    for (const chain of chains) {
      for (const { handle, target } of await this.#nft.listJumps({ family, table, name: chain }))
        jumpRules.push({ chain, target, rule: String(handle) });
    }
    return jumpRules;
  }
}

function chunks(chains: readonly string[]): string[][] {
  const count = Math.ceil(chains.length / CHUNK_SIZE);
  return Array.from({ length: count }, (_, index) => chains.slice(index * CHUNK_SIZE, (index + 1) * CHUNK_SIZE));
}

function nameOf({ family, table }: TableRef): string {
  return `${family} ${table}`;
}
