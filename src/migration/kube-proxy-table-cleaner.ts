// What kube-proxy leaves in its nftables mode: two tables of its own.
import {
  type FindResult,
  failureMessage,
  type LeftoverCleaner,
  NOTHING_REMOVED,
  type RemovalResult,
  runForOutput,
  type System,
} from './leftover-cleaner.ts';

const TABLE = /^table (ip6?) kube-proxy$/;

export class KubeProxyTableCleaner implements LeftoverCleaner {
  readonly #system: System;
  readonly #nft: string;

  constructor(system: System, { nft }: { nft: string }) {
    this.#system = system;
    this.#nft = nft;
  }

  async find(): Promise<FindResult> {
    return { leftovers: (await this.#tables()).map((table) => `nftables ${table}`), failures: [] };
  }

  /** Both tables at once. What they have translated stays translated: conntrack has it. */
  async remove(): Promise<RemovalResult> {
    const tables = await this.#tables();
    if (tables.length === 0) return NOTHING_REMOVED;
    const input = tables.map((table) => `delete ${table}\n`).join('');
    const result = await this.#system.run(this.#nft, ['-f', '-'], { input });
    const names = tables.map((table) => `nftables ${table}`);
    if (result.status === 0) return { removed: names, kept: [], failures: [] };
    return { removed: [], kept: [], failures: [`Cannot remove ${names.join(', ')}: ${failureMessage(result)}`] };
  }

  async #tables(): Promise<string[]> {
    const listed = await runForOutput(this.#system, this.#nft, ['list', 'tables']);
    return listed.split('\n').filter((line) => TABLE.test(line));
  }
}
