// Which chains the kernel has, as far as we know, and what must be written so that it has those that we want.
import { balanceChain, staticChains } from '../compile/chains.ts';
import type { NodeView } from '../compile/node-view.ts';
import { FAMILIES, type Family } from '../net/family.ts';
import { deleteChain, type Operation, writeChain } from '../nft/operation.ts';
import type { Chain } from '../nft/statement.ts';

/** A chain to be written. */
export interface ChainWrite {
  /** `family name`. */
  readonly target: string;
  readonly text: string;
  readonly operations: readonly Operation[];
}

/** Chains by `family name`, with the text that was last written: `undefined` for one that is there, we know not how. */
export class ChainBook {
  readonly #held = new Map<string, string | undefined>();
  /** The static chains of the node as it was last seen. */
  #static: readonly ChainWrite[] = [];
  #node: NodeView | undefined;

  /** Forgets everything but the names that a listing showed. */
  rebase(targets: Iterable<string>): void {
    this.#held.clear();
    for (const target of targets) this.#held.set(target, undefined);
  }

  /** What must be written for this node, and for the balance chains that elements lead to. */
  writes(node: NodeView, targets: Iterable<string>): ChainWrite[] {
    this.#see(node);
    const stale = this.#static.filter(({ target, text }) => this.#held.get(target) !== text);
    const missing = [...targets].filter((target) => this.#held.get(target) === undefined && !this.#isStatic(target));
    return [...stale, ...missing.map((target) => toWrite(familyOf(target), balanceChain(nameOf(target), node)))];
  }

  committed(writes: Iterable<ChainWrite>): void {
    for (const { target, text } of writes) this.#held.set(target, text);
  }

  /** Chains that nothing leads to any more. */
  retired(isTarget: (target: string) => boolean): string[] {
    return [...this.#held.keys()].filter((target) => !isTarget(target) && !this.#isStatic(target));
  }

  removed(targets: Iterable<string>): void {
    for (const target of targets) this.#held.delete(target);
  }

  #isStatic(target: string): boolean {
    return this.#static.some((write) => write.target === target);
  }

  #see(node: NodeView): void {
    if (node === this.#node) return;
    this.#node = node;
    this.#static = FAMILIES.flatMap((family) => chainsInOrder(family, node).map((chain) => toWrite(family, chain)));
  }
}

/** A rule may jump only to a chain that is there, so chains come after those that they lead to. */
function chainsInOrder(family: Family, node: NodeView): Chain[] {
  const chains = staticChains(family, node);
  const byName = new Map(chains.map((chain) => [chain.name, chain]));
  const ordered = new Set<Chain>();
  const visit = (chain: Chain): void => {
    for (const statement of chain.rules.flat()) {
      const next = 'chain' in statement ? byName.get(statement.chain) : undefined;
      if (next !== undefined && !ordered.has(next)) visit(next);
    }
    ordered.add(chain);
  };
  for (const chain of chains) visit(chain);
  return [...ordered];
}

function toWrite(family: Family, chain: Chain): ChainWrite {
  const operations = writeChain(family, chain);
  return { target: `${family} ${chain.name}`, text: operations.map(({ line }) => line).join('\n'), operations };
}

export function deleteTarget(target: string): Operation {
  return deleteChain(familyOf(target), nameOf(target));
}

function familyOf(target: string): Family {
  return target.startsWith('ip6 ') ? 'ip6' : 'ip';
}

function nameOf(target: string): string {
  return target.slice(target.indexOf(' ') + 1);
}
