// The tables of a network namespace of its own: our own kernel code, run in a process that lives there.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Tables } from '../../../src/controller/sync.ts';
import type { KernelListing } from '../../../src/engine/engine.ts';
import { NftLost, NftRefusal } from '../../../src/nftables/client/nft-error.ts';
import type { NftObject } from '../../../src/nftables/syntax/element.ts';
import type { ListedElement } from '../../../src/nftables/syntax/listing.ts';
import type { Answer, Question } from './tables-process.ts';

const PROGRAM = fileURLToPath(new URL('./tables-process.ts', import.meta.url));

/** Ends, and its namespace with it, on `close`, or when this process ends. */
export class NamespaceTables implements Tables {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: Interface;
  readonly #waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();
  #count = 0;

  /** `nft` is the program to use inside. */
  constructor({ nft = 'nft' }: { nft?: string } = {}) {
    const args = ['-n', process.execPath, PROGRAM, nft];
    this.#child = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface({ input: this.#child.stdout });
    this.#answers.on('line', (line) => this.#answered(JSON.parse(line)));
    this.#child.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('The process in the namespace ended'));
    });
  }

  async run(lines: readonly string[]): Promise<void> {
    await this.#ask({ run: lines });
  }

  async list(): Promise<KernelListing> {
    const { elements = [], chains = [] } = await this.#ask({ list: true });
    return { elements: new Map(elements.map(([object, held]) => [object, new Map(held)])), chains };
  }

  async ruleCounts(): Promise<ReadonlyMap<string, number>> {
    const { rules = [] } = await this.#ask({ ruleCounts: true });
    return new Map(rules);
  }

  async count(objects: readonly NftObject[]): Promise<ReadonlyMap<string, readonly ListedElement[]>> {
    const { counted = [] } = await this.#ask({ count: objects });
    return new Map(counted);
  }

  /** What somebody else does: `nft -f` in a process of its own. */
  async disturb(lines: readonly string[]): Promise<void> {
    await this.#ask({ disturb: lines });
  }

  close(): void {
    this.#child.stdin.end();
  }

  async #ask(question: Question): Promise<Answer> {
    const id = this.#count++;
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin.write(`${JSON.stringify({ id, ...question })}\n`);
    });
    if (answer.refused !== undefined) throw new NftRefusal(answer.refused);
    if (answer.lost !== undefined) throw new NftLost(answer.lost);
    if (answer.failed !== undefined) throw new Error(answer.failed);
    return answer;
  }

  #answered(answer: Answer): void {
    this.#waiting.get(answer.id)?.resolve(answer);
    this.#waiting.delete(answer.id);
  }
}
