// Which chains the kernel has, as far as we know, and what must be written so that it has those that we want.

import type { Family } from '../net/family.ts';
import { RESET_ENDED, staticChains } from '../nftables/compile/chains.ts';
import { affinityIdOf, led, memoryNames } from '../nftables/compile/led-chains.ts';
import type { NodeView } from '../nftables/compile/node-view.ts';
import { endedFlows } from '../nftables/compile/objects.ts';
import { addObject, deleteChain, deleteObject, type Operation, writeChain } from '../nftables/syntax/operation.ts';
import type { Chain } from '../nftables/syntax/statement.ts';

/** A chain to be written. */
export interface ChainWrite {
  /** `family name`. */
  readonly target: string;
  readonly text: string;
  readonly operations: readonly Operation[];
}

/** Chains that nothing leads to any more. */
export interface Retired {
  readonly targets: readonly string[];
  readonly operations: readonly Operation[];
  /** Among them are chains of affinity, which must be gone, with their memories, before they could be wanted again. */
  readonly urgent: boolean;
}

/** Chains by `family name`, with the text that was last written: `undefined` for one that is there, we know not how. */
export class ChainBook {
  readonly #held = new Map<string, string | undefined>();
  /** The static chains of the node as it was last seen. */
  #static: readonly ChainWrite[] = [];
  #node: NodeView | undefined;

  /** Forgets everything but the names that a listing showed. */
  rebase(targets: readonly string[]): void {
    this.#held.clear();
    const listed = new Set(targets);
    for (const target of targets) if (!listed.has(ownerOf(target))) this.#held.set(target, undefined);
  }

  /** What must be written for this node, and for the chains that elements lead to. */
  writes(node: NodeView, targets: Iterable<string>): ChainWrite[] {
    const nodeChanged = this.#see(node);
    const stale = this.#static.filter(({ target, text }) => this.#held.get(target) !== text);
    const unsure = [...targets].filter((target) => nodeChanged || this.#held.get(target) === undefined);
    const missing = unsure.filter((target) => !this.#isStatic(target)).map((target) => toLedWrite(target, node));
    return [...stale, ...missing.filter(({ target, text }) => this.#held.get(target) !== text)];
  }

  committed(writes: Iterable<ChainWrite>): void {
    for (const { target, text } of writes) this.#held.set(target, text);
  }

  /** Chains that nothing leads to any more, and the operations that remove them with all that only they needed. */
  retired(isTarget: (target: string) => boolean): Retired {
    const isNeeded = (target: string) => isTarget(target) || isTarget(ownerOf(target)) || this.#isStatic(target);
    const targets = [...this.#held.keys()].filter((target) => !isNeeded(target));
    const gone = new Set(targets);
    const kept = new Set([...this.#held.keys()].filter((target) => !gone.has(target)).map(memoryOf));
    const memories = new Set(targets.map(memoryOf).filter((memory) => memory !== undefined && !kept.has(memory)));
    const chains = targets.flatMap((target) => chainNames(target).map((name) => deleteChain(familyOf(target), name)));
    const sets = targets.filter((target) => nameOf(target) === RESET_ENDED).map((t) => endedFlows(familyOf(t)));
    const objects = [...memories].flatMap((memory) => deleteMemories(memory ?? ''));
    const operations = [...chains, ...objects, ...sets.map(deleteObject)];
    return { targets, operations, urgent: targets.some((target) => memoryOf(target) !== undefined) };
  }

  /** How many are in the kernel, as far as is known. */
  count(family: Family): number {
    let count = 0;
    for (const target of this.#held.keys()) if (familyOf(target) === family) count++;
    return count;
  }

  removed(targets: Iterable<string>): void {
    for (const target of targets) this.#held.delete(target);
  }

  #isStatic(target: string): boolean {
    return this.#static.some((write) => write.target === target);
  }

  /** Whether the node is another than before. */
  #see(node: NodeView): boolean {
    if (node === this.#node) return false;
    this.#node = node;
    this.#static = node.families.flatMap((family) =>
      chainsInOrder(family, node).map((chain) => toWrite(family, chain)),
    );
    return true;
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
  const objects = chain.name === RESET_ENDED ? [endedFlows(family)] : [];
  const operations = [...objects.map(addObject), ...writeChain(family, chain)];
  return { target: `${family} ${chain.name}`, text: operations.map(({ line }) => line).join('\n'), operations };
}

/** A led chain with the chains and memories that it needs. */
function toLedWrite(target: string, node: NodeView): ChainWrite {
  const family = familyOf(target);
  const { objects, chains } = led(nameOf(target), family, node);
  const operations = [...objects.map(addObject), ...chains.flatMap((chain) => writeChain(family, chain))];
  return { target, text: operations.map(({ line }) => line).join('\n'), operations };
}

/** Chains that come and go with another one have its name behind this. */
const COMPANION = 'direct-sticky-';

/** The target that a companion belongs to; of any other target an empty text. */
function ownerOf(target: string): string {
  const name = nameOf(target);
  return name.startsWith(COMPANION) ? `${familyOf(target)} ${name.slice('direct-'.length)}` : '';
}

/** The chains of a target, in the order in which they can be deleted. */
function chainNames(target: string): string[] {
  const name = nameOf(target);
  return /^sticky-(external|nodeport)-local\//.test(name) ? [name, `direct-${name}`] : [name];
}

/** The family and the affinity id of a target that uses memories. */
function memoryOf(target: string): string | undefined {
  const id = affinityIdOf(nameOf(target));
  return id === undefined ? undefined : `${familyOf(target)} ${id}`;
}

function deleteMemories(memory: string): Operation[] {
  const { all, local } = memoryNames(nameOf(memory));
  return [all, local].map((name) => deleteObject({ family: familyOf(memory), kind: 'map', name }));
}

function familyOf(target: string): Family {
  return target.startsWith('ip6 ') ? 'ip6' : 'ip';
}

function nameOf(target: string): string {
  return target.slice(target.indexOf(' ') + 1);
}
