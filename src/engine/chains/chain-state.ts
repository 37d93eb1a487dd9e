// Tracks the installed chains, and determines the operations that install the desired ones.

import { compare } from '../../lib/compare.ts';
import type { Family } from '../../net/family.ts';
import { affinityMapNamesOf, endpointChain } from '../../nftables/compile/endpoint-chains.ts';
import type { NodeView } from '../../nftables/compile/node-view.ts';
import { resetConnections } from '../../nftables/compile/sets-and-maps.ts';
import { RESET_CONNECTIONS_CHECK, staticChains } from '../../nftables/compile/static-chains.ts';
import { type ObjectRef, type RefKey, refKey } from '../../nftables/syntax/object-ref.ts';
import {
  addSetOrMap,
  deleteChain,
  deleteSetOrMap,
  flushChain,
  type Operation,
  writeChain,
} from '../../nftables/syntax/operation.ts';
import { type Chain, printHook } from '../../nftables/syntax/statement.ts';
import { isEqual, type ListedChain, linesOfChain } from '../structure/compare-tables.ts';

/** A chain to be written, with the chains, sets and maps that only it uses. */
export interface ChainWrite {
  readonly chain: ObjectRef;
  readonly text: string;
  /** The chain and its companion. */
  readonly chains: readonly Chain[];
  readonly operations: readonly Operation[];
}

/** Chains that no element refers to any more, and chains of others in our tables. */
export interface StaleChains {
  readonly chains: readonly ObjectRef[];
  readonly operations: readonly Operation[];
  /**
   * Whether some must be deleted now: chains of others, which may drop packets, and chains of affinity, which must be
   * deleted with their maps before they can be desired again.
   */
  readonly isUrgent: boolean;
}

interface InstalledChain {
  readonly chain: ObjectRef;
  /** The operations last written; `undefined` for a listed chain that has not been compared, or that others changed. */
  readonly text: string | undefined;
}

/** The installed chains. Companions (see {@link companionOwner}) count as part of their owner. */
export class ChainState {
  readonly #installed = new Map<RefKey, InstalledChain>();
  /** The static chains of {@link #node}. */
  #static: ReadonlyMap<RefKey, ChainWrite> = new Map();
  #node: NodeView | undefined;
  /** What the kernel has of chains that we have not written since they were listed. */
  readonly #listed = new Map<RefKey, ListedChain>();
  /** Chains that others have added, or changed when nothing refers to them. */
  readonly #unwanted = new Set<RefKey>();

  /** Takes these chains as the installed ones. Those whose rules are known are written only if they differ. */
  rebase(chains: readonly ObjectRef[], rules: ReadonlyMap<RefKey, ListedChain> = new Map()): void {
    this.#installed.clear();
    this.#listed.clear();
    this.#unwanted.clear();
    for (const [key, chain] of rules) this.#listed.set(key, chain);
    const listed = new Set(chains.map(refKey));
    for (const chain of chains) {
      const owner = companionOwner(chain);
      if (owner === undefined || !listed.has(refKey(owner)))
        this.#installed.set(refKey(chain), { chain, text: undefined });
    }
  }

  /** Has a chain written again whose rules, policy or hook (empty for a chain without) are not ours. */
  outdate(chain: ObjectRef, hook: string): void {
    const owner = companionOwner(chain) ?? chain;
    this.#listed.set(refKey(chain), { hook, lines: undefined });
    this.#installed.set(refKey(owner), { chain: owner, text: undefined });
  }

  /** Records that another process changed a chain or its rules: it is written again. */
  observeChange(chain: ObjectRef): void {
    const listed = this.#listed.get(refKey(chain));
    if (listed !== undefined) this.#listed.set(refKey(chain), { ...listed, lines: undefined });
    const owner = companionOwner(chain);
    const changed = owner !== undefined && this.#installed.has(refKey(owner)) ? owner : chain;
    this.#installed.set(refKey(changed), { chain: changed, text: undefined });
  }

  /** Records that another process deleted a chain. */
  observeDeletion(chain: ObjectRef): void {
    this.observeChange(chain);
    this.#installed.delete(refKey(chain));
    this.#listed.delete(refKey(chain));
  }

  /** Records that another process deleted the table of a family. */
  observeTableDeletion(family: Family): void {
    for (const { chain } of [...this.#installed.values()]) if (chain.family === family) this.observeDeletion(chain);
    for (const key of [...this.#listed.keys()]) if (key.startsWith(`${family} `)) this.#listed.delete(key);
  }

  /** Has a chain deleted that nothing of ours refers to. */
  reject(chain: ObjectRef): void {
    this.observeChange(chain);
    this.#installed.set(refKey(chain), { chain, text: undefined });
    this.#unwanted.add(refKey(chain));
  }

  /** The writes that install the static chains of this node and the chains that elements refer to. */
  writes(node: NodeView, targets: ReadonlyMap<RefKey, ObjectRef>): ChainWrite[] {
    const nodeChanged = this.#updateNode(node);
    const missing: RefKey[] = [];
    for (const key of targets.keys()) {
      const isOutdated = nodeChanged || this.#installed.get(key)?.text === undefined;
      if (isOutdated && !this.#static.has(key)) missing.push(key);
    }
    const endpointChains = missing.sort(compare).flatMap((key): [RefKey, ChainWrite][] => {
      const chain = targets.get(key);
      return chain === undefined ? [] : [[key, toEndpointChainWrite(chain, node)]];
    });
    return [...this.#static, ...endpointChains]
      .filter(([key, write]) => !this.#hasWrite(key, write))
      .map(([, write]) => this.#withReplacement(write));
  }

  committed(writes: Iterable<ChainWrite>): void {
    for (const { chain, text } of writes) {
      this.#installed.set(refKey(chain), { chain, text });
      this.#forgetListed(chain);
    }
  }

  /** The chains that are not needed any more, and the operations that remove them with all that only they used. */
  staleChains(isTarget: (key: RefKey) => boolean): StaleChains {
    const [stale, needed]: [ObjectRef[], ObjectRef[]] = [[], []];
    for (const [key, { chain }] of this.#installed) (this.#isNeeded(key, chain, isTarget) ? needed : stale).push(chain);
    if (stale.length === 0) return { chains: [], operations: [], isUrgent: false };
    const mapsInUse = new Set(needed.flatMap(affinityMapsOf).map(refKey));
    const affinityMaps = new Map(stale.flatMap(affinityMapsOf).map((map) => [refKey(map), map]));
    const unusedMaps = [...affinityMaps].filter(([key]) => !mapsInUse.has(key)).map(([, map]) => map);
    const sets = stale.filter(({ name }) => name === RESET_CONNECTIONS_CHECK);
    const isUnwanted = (chain: ObjectRef) => this.#unwanted.has(refKey(chain));
    const operations = [
      // Those of others may jump to each other.
      ...stale.filter(isUnwanted).map((chain) => flushChain(chain.family, chain.name)),
      ...stale.flatMap((chain) => chainNames(chain).map((name) => deleteChain(chain.family, name))),
      ...unusedMaps.map((map) => deleteSetOrMap({ ...map, kind: 'map' })),
      ...sets.map(({ family }) => deleteSetOrMap(resetConnections(family))),
    ];
    return { chains: stale, operations, isUrgent: affinityMaps.size > 0 || stale.some(isUnwanted) };
  }

  /** The number of installed chains of a family. */
  count(family: Family): number {
    let count = 0;
    for (const { chain } of this.#installed.values()) if (chain.family === family) count++;
    return count;
  }

  removed(chains: Iterable<ObjectRef>): void {
    for (const chain of [...chains]) {
      this.#installed.delete(refKey(chain));
      this.#unwanted.delete(refKey(chain));
      this.#forgetListed(chain);
    }
  }

  /** Forgets what was listed of a chain and its companion. */
  #forgetListed(chain: ObjectRef): void {
    for (const name of chainNames(chain)) this.#listed.delete(refKey({ ...chain, name }));
  }

  /** A chain with another hook, or none, must be deleted first. Nothing can jump to a base chain. */
  #withReplacement(write: ChainWrite): ChainWrite {
    const hook = hookOf(write);
    const replaced = chainNames(write.chain).filter((name) => {
      const listed = this.#listed.get(refKey({ ...write.chain, name }));
      return listed !== undefined && listed.hook !== hook;
    });
    if (replaced.length === 0) return write;
    const { family } = write.chain;
    const deletions = replaced.flatMap((name) => [flushChain(family, name), deleteChain(family, name)]);
    return { ...write, operations: [...deletions, ...write.operations] };
  }

  /** Whether the kernel has what this would write, as we wrote it or as it was listed. */
  #hasWrite(key: RefKey, { chain, text, chains }: ChainWrite): boolean {
    const installed = this.#installed.get(key);
    if (installed === undefined || installed.text !== undefined) return installed?.text === text;
    const isListed = chains.every((desired) => {
      const lines = this.#listed.get(refKey({ family: chain.family, name: desired.name }))?.lines;
      return lines !== undefined && isEqual(lines, linesOfChain(desired, chain.family));
    });
    if (isListed) this.#installed.set(key, { chain, text });
    return isListed;
  }

  #isNeeded(key: RefKey, chain: ObjectRef, isTarget: (key: RefKey) => boolean): boolean {
    if (isTarget(key) || this.#static.has(key)) return true;
    const owner = companionOwner(chain);
    return owner !== undefined && isTarget(refKey(owner));
  }

  /** Recompiles the static chains if the node changed, and returns whether it did. */
  #updateNode(node: NodeView): boolean {
    if (node === this.#node) return false;
    this.#node = node;
    const writes = node.families.flatMap((family) =>
      chainsInOrder(family, node).map((chain) => toChainWrite(family, chain)),
    );
    this.#static = new Map(writes.map((write) => [refKey(write.chain), write]));
    return true;
  }
}

/** A rule can only jump to an existing chain, so chains come after those that they jump to. */
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
  return { chain: { family, name: chain.name }, text: textOf(operations), chains: [chain], operations };
}

/** The hook of a base chain; empty for others. Companions have none. */
function hookOf({ chains: [chain] }: ChainWrite): string {
  return chain?.hook === undefined ? '' : printHook(chain.hook);
}

/** An endpoint chain with the chains and affinity maps that it needs. */
function toEndpointChainWrite(ref: ObjectRef, node: NodeView): ChainWrite {
  const { setsAndMaps, chains } = endpointChain(ref.name, ref.family, node);
  const operations = [...setsAndMaps.map(addSetOrMap), ...chains.flatMap((chain) => writeChain(ref.family, chain))];
  return { chain: ref, text: textOf(operations), chains, operations };
}

function textOf(operations: readonly Operation[]): string {
  return operations.map(({ line }) => line).join('\n');
}

/** A companion is a chain that is added and removed with its owner, whose name follows this prefix. */
const COMPANION_PREFIX = 'direct-';

function companionOwner({ family, name }: ObjectRef): ObjectRef | undefined {
  if (!name.startsWith(`${COMPANION_PREFIX}affinity-`)) return undefined;
  return { family, name: name.slice(COMPANION_PREFIX.length) };
}

/** A chain and its companion, in the order in which they can be deleted. */
function chainNames({ name }: ObjectRef): string[] {
  return /^affinity-(external|nodeport)-local\//.test(name) ? [name, `${COMPANION_PREFIX}${name}`] : [name];
}

/** The affinity maps that a chain uses. */
function affinityMapsOf({ family, name }: ObjectRef): ObjectRef[] {
  return affinityMapNamesOf(name).map((map) => ({ family, name: map }));
}
