// An NftClient in a new network namespace, by way of a process there.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { RulesetClient } from '../../../src/controller/sync.ts';
import { NftOutcomeUnknown, NftRefusal } from '../../../src/nftables/client/nft-error.ts';
import type { OwnershipMode } from '../../../src/nftables/client/table-ownership.ts';
import type { ApplyOptions } from '../../../src/nftables/client/transaction-runner.ts';
import type { SetOrMap } from '../../../src/nftables/syntax/element.ts';
import type { CounterListing, KernelListing } from '../../../src/nftables/syntax/kernel-listing.ts';
import type { ListedTable } from '../../../src/nftables/syntax/listed-table.ts';
import type { NftRequest, NftResponse } from './nft-client-process.ts';

const PROGRAM = fileURLToPath(new URL('./nft-client-process.ts', import.meta.url));

/** The namespace is deleted on `close`, or when this process ends. */
export class NamespacedNftClient implements RulesetClient {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #responses: Interface;
  readonly #pending = new Map<number, { resolve: (answer: NftResponse) => void; reject: (error: Error) => void }>();
  #nextId = 0;

  /** `nft` is the program that is used there. */
  constructor({ nft = 'nft', tableOwnership = 'no' }: { nft?: string; tableOwnership?: OwnershipMode } = {}) {
    const args = ['-n', process.execPath, PROGRAM, nft, tableOwnership];
    this.#child = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#responses = createInterface({ input: this.#child.stdout });
    this.#responses.on('line', (line) => this.#handleResponse(JSON.parse(line)));
    this.#child.on('close', () => {
      for (const { reject } of this.#pending.values())
        reject(new Error('Cannot reach the process in the namespace: it has exited'));
    });
  }

  async apply(lines: readonly string[], { confirmation = 'now' }: ApplyOptions = {}): Promise<void> {
    await this.#request({ run: lines, confirmation });
  }

  async confirm(): Promise<void> {
    await this.#request({ confirm: true });
  }

  async list(): Promise<KernelListing> {
    const { elements = [], chains = [], tables = [] } = await this.#request({ list: true });
    return { elements: new Map(elements.map(([object, byKey]) => [object, new Map(byKey)])), chains, tables };
  }

  async listTables(): Promise<readonly ListedTable[]> {
    const { tables = [] } = await this.#request({ listTables: true });
    return tables;
  }

  async listElements(objects: readonly SetOrMap[]): Promise<CounterListing> {
    const { elementCounts = [] } = await this.#request({ count: objects });
    return new Map(elementCounts);
  }

  async protect(): Promise<void> {
    await this.ownership();
  }

  /** Tries to own the tables, and returns the result. */
  async ownership(): Promise<{ readonly openReason: string | undefined; readonly sessionPid: number | undefined }> {
    const { openReason, sessionPid } = await this.#request({ protect: true });
    return { openReason, sessionPid };
  }

  /** Ends the processes of the client, as a daemon that ends does. */
  async end(): Promise<void> {
    await this.#request({ end: true });
  }

  /** Removes the tables by a client without ownership. */
  async removeTables(): Promise<void> {
    await this.#request({ removeTables: true });
  }

  /** Runs the lines by a separate `nft -f`, as another program would. */
  async runExternally(lines: readonly string[]): Promise<void> {
    await this.#request({ runExternally: lines });
  }

  close(): void {
    this.#child.stdin.end();
  }

  async #request(request: NftRequest): Promise<NftResponse> {
    const id = this.#nextId++;
    const response = await new Promise<NftResponse>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#child.stdin.write(`${JSON.stringify({ id, ...request })}\n`);
    });
    if (response.refused !== undefined) throw new NftRefusal(response.refused);
    if (response.outcomeUnknown !== undefined) throw new NftOutcomeUnknown(response.outcomeUnknown);
    if (response.failed !== undefined) throw new Error(response.failed);
    return response;
  }

  #handleResponse(answer: NftResponse): void {
    this.#pending.get(answer.id)?.resolve(answer);
    this.#pending.delete(answer.id);
  }
}
