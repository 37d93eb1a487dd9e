// The chains of kube-proxy in the tables of iptables-nft. nft alone removes them: no iptables program is needed.
import * as z from 'zod/mini';
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
  type Layer,
  NOTHING_REMOVED,
  outputOf,
  type Removal,
  type RemoveOptions,
  type Survey,
  type System,
} from './layer.ts';

/** As many operations go to one nft as keep its memory below 20 MB. */
const CHUNK = 5000;

interface Place {
  readonly family: Family;
  readonly table: string;
}

/**
 * Rules are read as JSON and one chain at a time. As text, nft 1.1 translates what iptables extensions mean, and crashes on
 * some of them (`-m set` among them) where the extension's library is missing; and the rules inside of kube-proxy's chains,
 * a hundred thousand or more, need not be read at all.
 */
export class NftChains implements Layer {
  readonly #system: System;
  readonly #nft: string;

  constructor(system: System, { nft }: { nft: string }) {
    this.#system = system;
    this.#nft = nft;
  }

  async find(): Promise<Survey> {
    const leftovers: string[] = [];
    for (const [place, chains] of await this.#places()) {
      const own = chains.filter(({ name }) => isOwnChain(name));
      leftovers.push(`iptables-nft ${nameOf(place)}: ${count(own.length, 'chain')}`);
    }
    return { leftovers, obstacles: [] };
  }

  async remove(options: RemoveOptions): Promise<Removal> {
    const parts: Removal[] = [];
    for (const [place, chains] of await this.#places()) parts.push(await this.#removeFrom(place, chains, options));
    return joinRemovals(parts);
  }

  /** Nothing leads to their chains any more after the first transaction. The others only tidy up. */
  async #removeFrom(place: Place, chains: readonly ListedChain[], options: RemoveOptions): Promise<Removal> {
    const table = await this.#readTable(place, chains);
    const plan = await this.#complete(place, planRemoval(table, options));
    const kept = [...plan.kept].map(([chain, why]) => `iptables-nft ${nameOf(place)}: chain ${chain}, for ${why}`);
    if (plan.chains.length === 0) return { ...NOTHING_REMOVED, kept };
    const where = nameOf(place);
    const stages = [
      plan.entrances.map(({ from, rule }) => `delete rule ${where} ${from} handle ${rule}`),
      ...chunks(plan.chains).map((some) => some.map((chain) => `flush chain ${where} ${chain}`)),
      ...chunks(plan.chains).map((some) => some.map((chain) => `delete chain ${where} ${chain}`)),
    ];
    for (const lines of stages) {
      const result = await this.#system.run(this.#nft, ['-f', '-'], { input: `${lines.join('\n')}\n` });
      if (result.status === 0) continue;
      const obstacle = `Cannot remove kube-proxy's chains from iptables-nft ${where}: ${complaintOf(result)}`;
      return { removed: [], kept, obstacles: [obstacle] };
    }
    const sizes = `${count(plan.chains.length, 'chain')}, ${count(plan.entrances.length, 'rule')} that led to them`;
    return { removed: [`iptables-nft ${where}: ${sizes}`], kept, obstacles: [] };
  }

  async #readTable(place: Place, chains: readonly ListedChain[]): Promise<ChainTable> {
    const foreign = chains.filter(({ name }) => !isOwnChain(name));
    const rules = await this.#rules(
      place,
      foreign.map(({ name }) => name),
    );
    const withHook = chains.filter(({ hook }) => hook !== undefined);
    return {
      chains: chains.map(({ name }) => name).filter(isOwnChain),
      entrances: rules.filter(({ target }) => isOwnChain(target)),
      base: new Set(withHook.map(({ name }) => name)),
      dropping: new Set(withHook.filter(({ policy }) => policy === 'drop').map(({ name }) => name)),
    };
  }

  /** Follows the chains that stay to those that they lead to. */
  async #complete(place: Place, plan: ChainPlan): Promise<ChainPlan> {
    let [complete, look] = [plan, [...plan.kept.keys()]];
    while (look.length > 0) {
      const targets = (await this.#rules(place, look)).map(({ target }) => target).filter(isOwnChain);
      look = [...new Set(targets)].filter((target) => !complete.kept.has(target));
      complete = keepAlso(complete, look);
    }
    return complete;
  }

  /** The tables of iptables-nft that hold chains of kube-proxy's, with all their chains. */
  async #places(): Promise<(readonly [Place, readonly ListedChain[]])[]> {
    const chains = readObjects(await outputOf(this.#system, this.#nft, ['-j', '-t', 'list', 'chains']), CHAIN);
    const places = FAMILIES.flatMap((family) => TABLES.map((table) => ({ family, table })));
    return places
      .map((place) => [place, chains.filter((it) => it.family === place.family && it.table === place.table)] as const)
      .filter(([, inside]) => inside.some(({ name }) => isOwnChain(name)));
  }

  /** The rules of these chains that lead to other chains. */
  async #rules(place: Place, chains: readonly string[]): Promise<Entrance[]> {
    const entrances: Entrance[] = [];
    for (const chain of chains) {
      const args = ['-j', '-a', 'list', 'chain', place.family, place.table, chain];
      for (const { handle, expr } of readObjects(await outputOf(this.#system, this.#nft, args), RULE)) {
        const target = expr.map((part) => part.jump?.target ?? part.goto?.target).find((name) => name !== undefined);
        if (target !== undefined) entrances.push({ from: chain, target, rule: String(handle) });
      }
    }
    return entrances;
  }
}

const CHAIN = z.object({
  chain: z.object({
    family: z.string(),
    table: z.string(),
    name: z.string(),
    hook: z.optional(z.string()),
    policy: z.optional(z.string()),
  }),
});
type ListedChain = z.infer<typeof CHAIN>['chain'];

const TARGET = z.optional(z.object({ target: z.string() }));
const RULE = z.object({
  rule: z.object({ handle: z.number(), expr: z.array(z.object({ jump: TARGET, goto: TARGET })) }),
});

/** The objects of one kind in what `nft -j` printed; what is of no use to us is passed over. */
function readObjects<T>(text: string, schema: z.ZodMiniType<Record<string, T>>): T[] {
  if (text.trim() === '') return [];
  const { nftables = [] }: { nftables?: unknown[] } = JSON.parse(text);
  return nftables.flatMap((object) => {
    const { data } = schema.safeParse(object);
    return data === undefined ? [] : Object.values(data);
  });
}

function chunks(chains: readonly string[]): string[][] {
  const parts = Math.ceil(chains.length / CHUNK);
  return Array.from({ length: parts }, (_, part) => chains.slice(part * CHUNK, (part + 1) * CHUNK));
}

function nameOf({ family, table }: Place): string {
  return `${family} ${table}`;
}
