// How our tables are declared: a table that is owned by the netlink socket of a process is closed to all others.

import { FAMILIES, type Family } from '../../net/family.ts';
import type { ListedTable } from '../syntax/listed-table.ts';
import { addTable, TABLE } from '../syntax/operation.ts';

/** `auto` owns the tables where the kernel and nft support it. */
export type OwnershipMode = 'auto' | 'no';

/**
 * Since Linux 6.9 a table can have the flags `owner` and `persist` (nft 1.1): only its owner can change it, others'
 * `flush ruleset` skips it, and it stays when the owner ends. It is then an orphan, which every program can change and
 * which the next owner adopts. Facts of the kernel, seen with 6.18:
 *
 * - Only a table that was created with `persist` can be adopted, and no table can gain or lose this flag later.
 * - A declaration must repeat the flag: `add table` without it is refused ("Operation not supported").
 * - Within a transaction that adopts a table, the following operations are those of its owner.
 */
export class TableOwnership {
  readonly #mode: OwnershipMode;
  #isSupported = false;
  /** The flags of our tables, as last listed or declared. */
  readonly #flags = new Map<Family, readonly string[]>();
  #isOwner = false;
  #adoptions = 0;
  #adoptionFailure: string | undefined;

  constructor(mode: OwnershipMode) {
    this.#mode = mode;
  }

  /** Whether this process owns the tables that can be owned. */
  get isOwner(): boolean {
    return this.#isOwner;
  }

  /** Why the tables are open to changes by other programs; `undefined` while they are owned. */
  get openReason(): string | undefined {
    if (this.#isOwner) return undefined;
    if (this.#mode === 'no') return 'tableOwnership is "no"';
    if (!this.#isSupported) return 'this kernel or this nft does not support it';
    if (this.#ownable().length === 0) return 'the tables were created without the flag persist';
    return this.#adoptionFailure ?? 'the tables are being changed';
  }

  /** A script that the kernel accepts, in a check, if tables can be owned; `undefined` if they need not be. */
  get probe(): string | undefined {
    return this.#mode === 'auto' ? `add table ip ${TABLE}-probe { flags owner,persist; }\n` : undefined;
  }

  set isSupported(isSupported: boolean) {
    this.#isSupported = isSupported;
  }

  /** How many adoptions have ended. */
  get adoptions(): number {
    return this.#adoptions;
  }

  /** Takes a listing of all of our tables. One that began before the last adoption does not show which process the owner is. */
  learn(
    tables: readonly Pick<ListedTable, 'family' | 'flags'>[],
    { adoptions = this.#adoptions }: { readonly adoptions?: number } = {},
  ): void {
    this.#flags.clear();
    for (const family of FAMILIES) {
      const table = tables.find((candidate) => candidate.family === family);
      if (table !== undefined) this.#flags.set(family, table.flags);
    }
    if (adoptions !== this.#adoptions) return;
    if (!this.#ownable().some((family) => this.#flags.get(family)?.includes('owner'))) this.#isOwner = false;
  }

  /** The operations with the flags that each declaration of a table needs. */
  declare(lines: readonly string[]): readonly string[] {
    if (!declaresTables(lines)) return lines;
    return lines.map((line) => {
      const family = declaredFamily(line);
      return family === undefined ? line : declaration(family, this.#declaredFlags(family));
    });
  }

  /** The transaction was applied: tables that it declared exist. */
  declared(lines: readonly string[]): void {
    if (!declaresTables(lines)) return;
    for (const family of lines.map(declaredFamily))
      if (family !== undefined && !this.#flags.has(family)) this.#flags.set(family, this.#declaredFlags(family));
  }

  /** The operations that make the process that runs them the owner; none if there is nothing to own. */
  adoption(): string[] {
    if (this.#mode === 'no' || this.#isOwner) return [];
    return this.#ownable().map((family) => declaration(family, ['owner', 'persist']));
  }

  /** Records the result of {@link adoption}: the reason of a failure, or `undefined`. */
  adopted(failure: string | undefined): void {
    this.#adoptions++;
    this.#isOwner = failure === undefined;
    this.#adoptionFailure = failure;
  }

  /** The process that owned the tables has ended, or is about to. */
  released(): void {
    this.#isOwner = false;
  }

  #ownable(): Family[] {
    return this.#isSupported ? FAMILIES.filter((family) => this.#flags.get(family)?.includes('persist')) : [];
  }

  #declaredFlags(family: Family): readonly string[] {
    const flags = this.#flags.get(family);
    const persists = flags === undefined ? this.#isSupported && this.#mode === 'auto' : flags.includes('persist');
    if (!persists) return [];
    return this.#isOwner ? ['owner', 'persist'] : ['persist'];
  }
}

const ADD_TABLE = 'add table ';

/** Whether a transaction declares tables of ours. */
export function declaresTables(lines: readonly string[]): boolean {
  return lines.some((line) => line.startsWith(ADD_TABLE) && declaredFamily(line) !== undefined);
}

function declaredFamily(line: string): Family | undefined {
  return line.startsWith(ADD_TABLE) ? FAMILIES.find((family) => line === addTable(family).line) : undefined;
}

function declaration(family: Family, flags: readonly string[]): string {
  const { line } = addTable(family);
  return flags.length === 0 ? line : `${line} { flags ${flags.join(',')}; }`;
}
