// Evaluates chains of any program for the first packet of a flow, and notes what cannot be evaluated.

import type { ListedTable, TableChain } from '../../nftables/syntax/listed-table.ts';
import { type Effect, type ListedRule, readListedRule } from '../ruleset/listed-rule.ts';
import { type Match, matchCondition, type Place } from './match-condition.ts';
import type { TracedPacket } from './traced-packet.ts';

/** The end of a chain. `next`: it returned, or no verdict was reached. */
type End = 'next' | 'accept' | 'drop' | 'refuse';

interface ChainOutcome {
  readonly end: End;
  /** The rule that ended it. */
  readonly rule: string | undefined;
}

interface Pass extends ChainOutcome {
  /** Whether the packet surely gets to what follows. */
  readonly isCertain: boolean;
}

interface ListedChainsOptions {
  readonly table: ListedTable;
  readonly packet: TracedPacket;
  readonly place: Place;
  /** What may change the outcome. */
  readonly concerns: Set<string>;
}

/** The kernel refuses a ruleset with deeper jumps. */
const MAX_DEPTH = 16;

/** One table, for the packet at one hook. Translations that are certain are applied to the packet. */
export class ListedChains {
  /** The rule that has exempted the packet from connection tracking. */
  exemption: { readonly chain: string; readonly rule: string } | undefined;
  readonly #options: ListedChainsOptions;

  constructor(options: ListedChainsOptions) {
    this.#options = options;
  }

  /** Runs a base chain. */
  run(chain: TableChain): ChainOutcome {
    const { end, rule, isCertain } = this.#runChain(chain, { isCertain: true, depth: 0 });
    if (end !== 'next' || chain.hook?.policy !== 'drop') return { end, rule };
    if (isCertain) return { end: 'drop', rule: 'policy drop' };
    this.#concern(chain, 'policy drop');
    return { end: 'next', rule: undefined };
  }

  /** Whether the packet matches a rule. */
  match({ conditions, hasUnknown }: ListedRule): Match {
    const { packet, place } = this.#options;
    const matches = conditions.map((condition) => matchCondition(condition, packet, place));
    if (matches.includes('no')) return 'no';
    return hasUnknown || matches.includes('maybe') ? 'maybe' : 'yes';
  }

  /** Applies an effect of a rule that surely matches; neither `jump` nor `goto`. `isCertain`: it ends the chain. */
  apply(effect: Effect, chain: TableChain, text: string): { readonly end: End; readonly isCertain: boolean } {
    return this.#apply(effect, { chain, text, isSure: true, depth: 0 }) ?? { end: 'next', isCertain: false };
  }

  #runChain(chain: TableChain, start: { readonly isCertain: boolean; readonly depth: number }): Pass {
    let { isCertain } = start;
    for (const text of chain.rules) {
      const rule = readListedRule(text);
      const match = this.match(rule);
      if (match === 'no') continue;
      for (const effect of rule.effects) {
        const isSure = isCertain && match === 'yes';
        const pass = this.#apply(effect, { chain, text, isSure, depth: start.depth });
        if (pass === undefined) continue;
        if (isSure && pass.isCertain && pass.end !== 'next') return pass;
        if (isSure && pass.isCertain && effect.kind !== 'jump') return pass;
        if (!pass.isCertain || !isSure) isCertain = false;
      }
    }
    return { end: 'next', rule: undefined, isCertain };
  }

  /** `undefined`: the next statement follows, whether the rule matched or not. */
  #apply(
    effect: Effect,
    { chain, text, isSure, depth }: { chain: TableChain; text: string; isSure: boolean; depth: number },
  ): Pass | undefined {
    switch (effect.kind) {
      case 'accept':
        return { end: 'accept', rule: text, isCertain: isSure };
      case 'return':
        return { end: 'next', rule: text, isCertain: isSure };
      case 'drop':
      case 'reject':
        if (!isSure) this.#concern(chain, text);
        return { end: effect.kind === 'drop' ? 'drop' : 'refuse', rule: text, isCertain: isSure };
      case 'jump':
      case 'goto':
        return this.#jump(effect.chain, { chain, text, isSure, depth });
      case 'dnat':
      case 'masquerade':
        if (isSure && this.#translate(effect)) return { end: 'accept', rule: text, isCertain: true };
        this.#concern(chain, text);
        return { end: 'next', rule: text, isCertain: false };
      case 'notrack':
        if (!isSure) this.#concern(chain, text);
        else this.#exempt(chain, text);
        return undefined;
      default:
        this.#concern(chain, text);
        return undefined;
    }
  }

  /** Has no effect on a packet that is tracked already (nft_notrack_eval). */
  #exempt({ name }: TableChain, text: string): void {
    const { packet, table } = this.#options;
    if (packet.isTracked || packet.isUntracked) return;
    packet.isUntracked = true;
    this.exemption = { chain: `${table.family} ${table.name} ${name}`, rule: text };
  }

  #jump(
    name: string,
    { chain, text, isSure, depth }: { chain: TableChain; text: string; isSure: boolean; depth: number },
  ): Pass {
    const target = this.#options.table.chains.find((candidate) => candidate.name === name);
    if (target !== undefined && depth < MAX_DEPTH)
      return this.#runChain(target, { isCertain: isSure, depth: depth + 1 });
    this.#concern(chain, text);
    return { end: 'next', rule: text, isCertain: false };
  }

  /** The first translation of a flow counts: the kernel does not ask further chains. */
  #translate(effect: Effect): boolean {
    const { packet, place } = this.#options;
    if (effect.kind === 'masquerade') {
      if (place.hook === 'postrouting') packet.masqueraded = true;
      return place.hook === 'postrouting';
    }
    if (effect.kind !== 'dnat' || !['prerouting', 'output'].includes(place.hook)) return false;
    packet.destination = effect.address;
    packet.port = effect.port === undefined ? packet.port : Number(effect.port);
    packet.translated = true;
    return true;
  }

  #concern({ name }: TableChain, rule: string): void {
    const { table, concerns } = this.#options;
    concerns.add(`${table.family} ${table.name} ${name}: ${rule}`);
  }
}
