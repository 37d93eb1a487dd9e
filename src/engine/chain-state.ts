// Which chains the kernel has, as far as we know, and what must be written so that it has those that we want.

import type { Family } from '../net/family.ts';
import { affinityIdOf, affinityMapNames, endpointChain } from '../nftables/compile/endpoint-chains.ts';
import type { NodeView } from '../nftables/compile/node-view.ts';
import { resetConnections } from '../nftables/compile/sets-and-maps.ts';
import { RESET_CONNECTIONS_CHECK, staticChains } from '../nftables/compile/static-chains.ts';
import { addSetOrMap, deleteChain, deleteSetOrMap, type Operation, writeChain } from '../nftables/syntax/operation.ts';
import type { Chain } from '../nftables/syntax/statement.ts';

/** A chain to be written. */
export interface ChainWrite {
  /** `family name`. */
  readonly target: string;
  readonly text: string;
  readonly operations: readonly Operation[];
}

/** Chains that nothing leads to any more. */
export interface StaleChains {
  readonly targets: readonly string[];
  readonly operations: readonly Operation[];
  /** Among them are chains of affinity, which must be gone, with their memories, before they could be wanted again. */
  readonly hasAffinity: boolean;
}

/** Chains by `family name`, with the text that was last written: `undefined` for one that is there, we know not how. */
export class ChainState {
  readonly #installed = new Map<string, string | undefined>();
  /** The static chains of the node as it was last seen. */
  #static: readonly ChainWrite[] = [];
  #node: NodeView | undefined;

  /** Forgets everything but the names that a listing showed. */
  rebase(targets: readonly string[]): void {
    this.#installed.clear();
    const listed = new Set(targets);
    for (const target of targets) if (!listed.has(companionOwner(target))) this.#installed.set(target, undefined);
  }

  /** What must be written for this node, and for the chains that elements lead to. */
  writes(node: NodeView, targets: Iterable<string>): ChainWrite[] {
    const nodeChanged = this.#updateNode(node);
    const outdated = this.#static.filter(({ target, text }) => this.#installed.get(target) !== text);
    const candidates = [...targets].filter((target) => nodeChanged || this.#installed.get(target) === undefined);
    const missing = candidates
      .filter((target) => !this.#isStatic(target))
      .map((target) => toEndpointChainWrite(target, node));
    return [...outdated, ...missing.filter(({ target, text }) => this.#installed.get(target) !== text)];
  }

  committed(writes: Iterable<ChainWrite>): void {
    for (const { target, text } of writes) this.#installed.set(target, text);
  }

  /** Chains that nothing leads to any more, and the operations that remove them with all that only they needed. */
  staleChains(isTarget: (target: string) => boolean): StaleChains {
    const isNeeded = (target: string) => isTarget(target) || isTarget(companionOwner(target)) || this.#isStatic(target);
    const targets = [...this.#installed.keys()].filter((target) => !isNeeded(target));
    const stale = new Set(targets);
    const inUse = new Set([...this.#installed.keys()].filter((target) => !stale.has(target)).map(affinityTarget));
    const affinityMaps = new Set(targets.map(affinityTarget).filter((map) => map !== undefined && !inUse.has(map)));
    const chains = targets.flatMap((target) => chainNames(target).map((name) => deleteChain(familyOf(target), name)));
    const sets = targets
      .filter((target) => nameOf(target) === RESET_CONNECTIONS_CHECK)
      .map((t) => resetConnections(familyOf(t)));
    const objects = [...affinityMaps].flatMap((map) => deleteAffinityMaps(map ?? ''));
    const operations = [...chains, ...objects, ...sets.map(deleteSetOrMap)];
    return { targets, operations, hasAffinity: targets.some((target) => affinityTarget(target) !== undefined) };
  }

  /** How many are in the kernel, as far as is known. */
  count(family: Family): number {
    let count = 0;
    for (const target of this.#installed.keys()) if (familyOf(target) === family) count++;
    return count;
  }

  removed(targets: Iterable<string>): void {
    for (const target of targets) this.#installed.delete(target);
  }

  #isStatic(target: string): boolean {
    return this.#static.some((write) => write.target === target);
  }

  /** Whether the node is another than before. */
  #updateNode(node: NodeView): boolean {
    if (node === this.#node) return false;
    this.#node = node;
    this.#static = node.families.flatMap((family) =>
      chainsInOrder(family, node).map((chain) => toChainWrite(family, chain)),
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

function toChainWrite(family: Family, chain: Chain): ChainWrite {
  const objects = chain.name === RESET_CONNECTIONS_CHECK ? [resetConnections(family)] : [];
  const operations = [...objects.map(addSetOrMap), ...writeChain(family, chain)];
  return { target: `${family} ${chain.name}`, text: operations.map(({ line }) => line).join('\n'), operations };
}

/** A led chain with the chains and memories that it needs. */
function toEndpointChainWrite(target: string, node: NodeView): ChainWrite {
  const family = familyOf(target);
  const { setsAndMaps, chains } = endpointChain(nameOf(target), family, node);
  const operations = [...setsAndMaps.map(addSetOrMap), ...chains.flatMap((chain) => writeChain(family, chain))];
  return { target, text: operations.map(({ line }) => line).join('\n'), operations };
}

/** Chains that come and go with another one have its name behind this. */
const COMPANION_PREFIX = 'direct-affinity-';

/** The target that a companion belongs to; of any other target an empty text. */
function companionOwner(target: string): string {
  const name = nameOf(target);
  return name.startsWith(COMPANION_PREFIX) ? `${familyOf(target)} ${name.slice('direct-'.length)}` : '';
}

/** The chains of a target, in the order in which they can be deleted. */
function chainNames(target: string): string[] {
  const name = nameOf(target);
  return /^affinity-(external|nodeport)-local\//.test(name) ? [name, `direct-${name}`] : [name];
}

/** The family and the affinity id of a target that uses memories. */
function affinityTarget(target: string): string | undefined {
  const id = affinityIdOf(nameOf(target));
  return id === undefined ? undefined : `${familyOf(target)} ${id}`;
}

function deleteAffinityMaps(target: string): Operation[] {
  const { all, local } = affinityMapNames(nameOf(target));
  return [all, local].map((name) => deleteSetOrMap({ family: familyOf(target), kind: 'map', name }));
}

function familyOf(target: string): Family {
  return target.startsWith('ip6 ') ? 'ip6' : 'ip';
}

function nameOf(target: string): string {
  return target.slice(target.indexOf(' ') + 1);
}
