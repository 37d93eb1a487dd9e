// Lists and changes our tables in the kernel.

import { ExecError, type ExecResult } from '../../host/process/exec.ts';
import { EnvironmentError } from '../../lib/operational-error.ts';
import { FAMILIES, type Family } from '../../net/family.ts';
import { allSetsAndMaps, lastTransaction } from '../compile/sets-and-maps.ts';
import type { SetOrMap } from '../syntax/element.ts';
import { errorMessages, parseErrorMessages } from '../syntax/error-message.ts';
import type { CounterListing, InstalledElement, KernelListing } from '../syntax/kernel-listing.ts';
import { TableListingReader } from '../syntax/listed/table-listing.ts';
import type { ListedTable } from '../syntax/listed-table.ts';
import { ElementReader, type ListedElement } from '../syntax/listing.ts';
import { type ObjectRef, type RefKey, refKey } from '../syntax/object-ref.ts';
import { addSetOrMap, addTable, deleteTable, TABLE } from '../syntax/operation.ts';
import { NftRefusal, NftUnavailable } from './nft-error.ts';
import { NftProgram } from './nft-program.ts';
import { declaresTables, type OwnershipMode, TableOwnership } from './table-ownership.ts';
import type { OwnTransactions } from './transaction-marker.ts';
import { type ApplyOptions, TransactionRunner } from './transaction-runner.ts';

/** For commands that list no elements. */
const TIMEOUT_MS = 10_000;
/** A listing starts over when a table changes meanwhile, and 100,000 elements take seconds each time. */
const LIST_TIMEOUT_MS = 300_000;
/** nft 1.0.6 cannot express some of our rules; 1.1 is the first to list our tables without loading those of others. */
const MIN_NFT_VERSION = [1, 1] as const;

/** The errors of kernels that lack an address family; the wording depends on what was left out of the build. */
const FAMILY_UNSUPPORTED = /(?:Operation|Protocol|Address family) not supported/;

interface NftClientOptions {
  readonly command: string;
  readonly tableOwnership?: OwnershipMode;
}

/** Works in the network namespace of this process. */
export class NftClient {
  readonly #program: NftProgram;
  readonly #ownership: TableOwnership;
  readonly #transactions: TransactionRunner;
  readonly #transactionCounts = { begun: 0, ended: 0 };
  /** The elements of the largest set or map, as listed; `undefined` before a listing. */
  #largestCount: number | undefined;
  /** Whether the flags of our tables, which their declarations repeat, are known. */
  #hasFlags = false;

  constructor({ command, tableOwnership = 'no' }: NftClientOptions) {
    this.#program = new NftProgram({ command, timeoutMs: TIMEOUT_MS });
    this.#ownership = new TableOwnership(tableOwnership);
    this.#transactions = new TransactionRunner({ program: this.#program, ownership: this.#ownership });
  }

  /** Checks that nft exists, is new enough and has privileges. Returns its version; throws {@link NftUnavailable}. */
  async check(): Promise<string> {
    const version = await this.#version();
    const [error] = errorMessages(await this.#program.run(['-t', 'list', 'tables']));
    if (error === undefined) return version;
    const reason = error.message;
    const hint = reason.includes('not permitted') ? ' (CAP_NET_ADMIN in this network namespace is needed)' : '';
    throw new NftUnavailable(`Cannot use nftables: ${reason}${hint}`);
  }

  /**
   * The address families that this kernel lacks, each with its error. Loads nothing, and ignores other errors, which
   * {@link check} reports.
   */
  async unsupportedFamilies(): Promise<[Family, string][]> {
    // Not ours, which may have flags that a declaration has to repeat.
    const input = FAMILIES.map((family) => `${addTable(family).line}-probe\n`).join('');
    const errors = await this.#program.check(input).catch(() => []);
    return errors.flatMap(({ line, message }): [Family, string][] => {
      const family = FAMILIES[line - 1];
      return family !== undefined && FAMILY_UNSUPPORTED.test(message) ? [[family, message]] : [];
    });
  }

  /**
   * Applies the lines, on tables that exist or that they declare, as one transaction. Resolves when the kernel shows it.
   * Throws {@link NftRefusal}, or `NftOutcomeUnknown` when the kernel may have it or not.
   */
  async apply(lines: readonly string[], options: ApplyOptions = {}): Promise<void> {
    if (!this.#hasFlags && declaresTables(lines)) await this.listTables();
    this.#transactionCounts.begun++;
    try {
      await this.#transactions.apply(lines, options);
    } finally {
      this.#transactionCounts.ended++;
    }
  }

  /** The transactions of ours. One with an unknown outcome counts as failed. */
  get sent(): OwnTransactions {
    return this.#transactions.sent;
  }

  /** The transactions that were begun, and those that have ended. */
  get transactionCounts(): { readonly begun: number; readonly ended: number } {
    return this.#transactionCounts;
  }

  /**
   * Makes our session the owner of our tables, where that is possible and enabled, so that no other program can change
   * them until the next large transaction. Never throws.
   */
  protect(): Promise<void> {
    return this.#transactions.protect();
  }

  /** Why other programs can change our tables; `undefined` while they cannot. */
  get openReason(): string | undefined {
    return this.#ownership.openReason;
  }

  /** Throws `NftOutcomeUnknown` if the kernel lacks a transaction that was applied with a later confirmation. */
  confirm(): Promise<void> {
    return this.#transactions.confirm();
  }

  /**
   * Commits a transaction that changes nothing but the number of the last transaction in the table of this family, for the
   * notification of it.
   */
  probe(family: Family): Promise<void> {
    return this.apply([addSetOrMap(lastTransaction(family)).line]);
  }

  /** The contents of our tables, without counters. */
  async list(): Promise<KernelListing> {
    const { adoptions } = this.#ownership;
    const chains: ObjectRef[] = [];
    const tables: ListedTable[] = [];
    const elements = new Map<RefKey, Map<string, InstalledElement>>();
    for (const family of FAMILIES) {
      const table = await this.#listTable(family);
      if (table === undefined) continue;
      tables.push(table);
      chains.push(...table.chains.map(({ name }) => ({ family, name })));
      for (const object of allSetsAndMaps()) {
        const isListed = table.setsAndMaps.some(({ kind, name }) => kind === object.kind && name === object.name);
        if (object.family !== family || !isListed) continue;
        const installed = new Map<string, InstalledElement>();
        await this.#elements(object, ({ key, data, comment }) => installed.set(key, { data, comment }));
        if (installed.size > 0) elements.set(refKey(object), installed);
      }
    }
    await this.#learn(tables, adoptions);
    return { elements, chains, tables };
  }

  /**
   * Deletes our tables of these families and returns the families that had one. Throws an {@link EnvironmentError} if a
   * running daemon owns one. Each table is declared first: another program may have deleted it meanwhile, and deleting a
   * missing table is an error.
   */
  async removeTables(families: readonly Family[]): Promise<Family[]> {
    const existing = (await this.#existingTables()).filter((family) => families.includes(family));
    if (existing.length === 0) return [];
    const tables = await this.#listTables(existing);
    const owned = tables.find(({ flags }) => flags.includes('owner'));
    if (owned !== undefined) throw ownedError(owned);
    this.#ownership.learn(tables);
    const lines = existing.flatMap((family) => [addTable(family), deleteTable(family)]).map(({ line }) => line);
    const errors = await this.#program.apply(`${this.#ownership.declare(lines).join('\n')}\n`);
    if (errors.length > 0) throw new NftRefusal(errors);
    const left = (await this.#existingTables()).find((family) => existing.includes(family));
    if (left === undefined) return existing;
    throw new EnvironmentError(`Cannot remove table ${left} ${TABLE}: it still exists, or a daemon has restored it`);
  }

  /** Our tables with everything but their elements. */
  async listTables(): Promise<ListedTable[]> {
    const { adoptions } = this.#ownership;
    const tables = await this.#listTables(FAMILIES);
    await this.#learn(tables, adoptions);
    return tables;
  }

  /** Calls `onElement` for each element of a set or map; one that does not exist has none. */
  readElements(
    object: SetOrMap,
    { timeoutMs }: { readonly timeoutMs: number },
    onElement: (element: ListedElement) => void,
  ): Promise<void> {
    return this.#elements(object, onElement, timeoutMs);
  }

  /** The elements of these sets and maps, with counters. A set or map that does not exist has none. */
  async listElements(objects: readonly SetOrMap[]): Promise<CounterListing> {
    const listing = new Map<RefKey, ListedElement[]>();
    for (const object of objects) {
      const elements: ListedElement[] = [];
      await this.#elements(object, (element) => elements.push(element));
      listing.set(refKey(object), elements);
    }
    return listing;
  }

  /**
   * The long-lived session: its process ID, `undefined` while it has no process, how many it has started, and whether
   * only it can change our tables.
   */
  get session(): { readonly pid: number | undefined; readonly starts: number; readonly ownsTables: boolean } {
    const { pid, startCount } = this.#transactions.session;
    return { pid, starts: startCount, ownsTables: this.#ownership.isOwner };
  }

  close(): void {
    void this.#transactions.close();
  }

  async #learn(tables: readonly ListedTable[], adoptions: number): Promise<void> {
    const { probe } = this.#ownership;
    if (!this.#hasFlags && probe !== undefined)
      this.#ownership.isSupported = (await this.#program.check(probe)).length === 0;
    this.#hasFlags = true;
    this.#ownership.learn(tables, { adoptions });
  }

  async #listTables(families: readonly Family[]): Promise<ListedTable[]> {
    const tables: ListedTable[] = [];
    for (const family of families)
      tables.push(...[await this.#listTable(family)].filter((table) => table !== undefined));
    return tables;
  }

  /** The families that have our table. */
  async #existingTables(): Promise<Family[]> {
    const tables = await this.#program.listTables();
    return FAMILIES.filter((family) => tables.some((table) => table.family === family && table.name === TABLE));
  }

  /** Our table of a family without its elements; `undefined` when there is none. */
  async #listTable(family: Family): Promise<ListedTable | undefined> {
    const reader = new TableListingReader();
    const onLine = (line: string) => reader.read(line);
    throwUnlessAbsent(await this.#program.run(['-t', 'list', 'table', family, TABLE], { onLine }));
    return reader.finish().at(0);
  }

  async #elements(
    { family, kind, name }: SetOrMap,
    onElement: (element: ListedElement) => void,
    timeoutMs = this.#listTimeoutMs(),
  ): Promise<void> {
    const reader = new ElementReader();
    let count = 0;
    const onLine = (line: string) => {
      for (const element of reader.read(line)) {
        count++;
        onElement(element);
      }
    };
    // Protocols as numbers: for a name, nft reads /etc/protocols again for each element, a quarter of the whole time.
    const result = await this.#program.run(['-p', 'list', kind, family, TABLE, name], { onLine, timeoutMs });
    throwUnlessAbsent(result);
    this.#largestCount = Math.max(this.#largestCount ?? 0, count);
  }

  /** In proportion to the largest set or map, once it is known; their sizes change together. */
  #listTimeoutMs(): number {
    if (this.#largestCount === undefined) return LIST_TIMEOUT_MS;
    return Math.min(LIST_TIMEOUT_MS, 30_000 + this.#largestCount);
  }

  async #version(): Promise<string> {
    const { stdout } = await this.#program.run(['--version']).catch((error: unknown) => {
      const missing = error instanceof ExecError && error.kind === 'not-found';
      throw missing ? new NftUnavailable(`${error.message} (install nftables 1.1 or newer)`) : error;
    });
    const [, version = '', major, minor] = /v((\d+)\.(\d+)\S*)/.exec(stdout) ?? [];
    if (Number(major) * 100 + Number(minor) >= MIN_NFT_VERSION[0] * 100 + MIN_NFT_VERSION[1]) return version;
    throw new NftUnavailable(
      `Cannot use "${this.#program.command}": version ${version || 'unknown'}, but 1.1 is required`,
    );
  }
}

function ownedError({ family }: ListedTable): EnvironmentError {
  return new EnvironmentError(
    `Cannot remove table ${family} ${TABLE}: a running process owns it; stop the nftlane daemon first`,
  );
}

/**
 * A missing table, set or map is not an error: its listing is empty. Only a message of nft counts: the loader of an nft
 * without one of its libraries ends its message with the same words.
 */
function throwUnlessAbsent(result: Pick<ExecResult, 'status' | 'stderr'>): void {
  const isAbsent = parseErrorMessages(result.stderr).some(({ message }) =>
    message.endsWith('No such file or directory'),
  );
  const errors = errorMessages(result);
  if (errors.length > 0 && !isAbsent) throw new NftRefusal(errors);
}
