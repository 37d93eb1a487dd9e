// What kube-proxy leaves in its nftables mode: two tables of its own.
import { complaintOf, type Layer, NOTHING_REMOVED, outputOf, type Removal, type Survey, type System } from './layer.ts';

const TABLE = /^table (ip6?) kube-proxy$/;

export class KubeTables implements Layer {
  readonly #system: System;
  readonly #nft: string;

  constructor(system: System, { nft }: { nft: string }) {
    this.#system = system;
    this.#nft = nft;
  }

  async find(): Promise<Survey> {
    return { leftovers: (await this.#tables()).map((table) => `nftables ${table}`), obstacles: [] };
  }

  /** Both tables at once. What they have translated stays translated: conntrack has it. */
  async remove(): Promise<Removal> {
    const tables = await this.#tables();
    if (tables.length === 0) return NOTHING_REMOVED;
    const input = tables.map((table) => `delete ${table}\n`).join('');
    const result = await this.#system.run(this.#nft, ['-f', '-'], { input });
    const names = tables.map((table) => `nftables ${table}`);
    if (result.status === 0) return { removed: names, kept: [], obstacles: [] };
    return { removed: [], kept: [], obstacles: [`Cannot remove ${names.join(', ')}: ${complaintOf(result)}`] };
  }

  async #tables(): Promise<string[]> {
    const listed = await outputOf(this.#system, this.#nft, ['list', 'tables']);
    return listed.split('\n').filter((line) => TABLE.test(line));
  }
}
