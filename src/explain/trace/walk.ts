// Walks one path of a packet through the chains of a host. The caller chooses random numbers.

import { invariant } from '../../lib/invariant.ts';
import type { Address } from '../../net/address.ts';
import { type Host, isHostAddress } from '../../net/host.ts';
import { verdictChain } from '../../nftables/syntax/element.ts';
import type { ListedTable } from '../../nftables/syntax/listed-table.ts';
import type { Rule, Statement } from '../../nftables/syntax/statement.ts';
import type { Packet } from '../flow/packet.ts';
import { readListedRule } from '../ruleset/listed-rule.ts';
import type { Ruleset, RulesetChain, RulesetElement, RulesetRule } from '../ruleset/ruleset.ts';
import { otherBaseChains, sameOrder, toPlace, type Visit } from './base-chains.ts';
import { type BaseChain, runHook, type Stop } from './hook.ts';
import { ListedChains } from './listed-chains.ts';
import { dependsOnMasquerade, masqueradeAddresses } from './masqueraded-part.ts';
import { matchesStatement } from './match-statement.ts';
import {
  choiceCount,
  laterPackets,
  lookupKey,
  masqueradedSource,
  type TracedPacket,
  toTracedPacket,
} from './traced-packet.ts';
import type { ChooseLookup, LookupResult, TraceStep, WalkResult } from './walk-result.ts';

interface WalkInput {
  readonly ruleset: Ruleset;
  readonly host: Host;
  readonly choose: ChooseLookup;
}

/** Walks through all hooks of the packet in the kernel's order; if it is translated, also with the later packets of its flow. */
export function walk(packet: Packet, input: WalkInput): WalkResult {
  const first = new Walker(toTracedPacket(packet), input).walk();
  if (first.end !== 'through' || !first.packet.translated) return first;
  const later = laterPackets(first.packet, input.host).map((next) => new Walker(next, input).walk());
  const concerns = new Set([first, ...later].flatMap((result) => [...result.concerns]));
  // A later packet that is not tracked keeps its addresses, which the other end does not know.
  const stopped = later.find(({ end, packet: next }) => end !== 'through' || next.isUntracked);
  if (stopped === undefined) return { ...first, concerns };
  const end = stopped.end === 'through' ? 'drop' : stopped.end;
  return { ...first, end, steps: [...first.steps, ...stopped.steps], concerns };
}

/** The result of a rule or a chain. `next` continues with the next rule, `accept` with the next base chain. */
type Verdict = 'next' | 'accept' | 'refuse' | 'drop';

interface RuleResult {
  readonly verdict: Verdict;
  /** Processing does not return to this chain. */
  readonly leaves: boolean;
}

const CONTINUE: RuleResult = { verdict: 'next', leaves: false };

/** The types of base chains that a packet traverses; translations are made once. */
const ALL = ['filter', 'route', 'nat'];
const FILTER = ['filter', 'route'];

class Walker {
  readonly #packet: TracedPacket;
  readonly #ruleset: Ruleset;
  readonly #host: Host;
  readonly #choose: ChooseLookup;
  readonly #steps: TraceStep[] = [];
  readonly #concerns = new Set<string>();
  readonly #affinityEntries = new Map<string, string>();
  #hook = 'prerouting';
  #routedTo: Address;

  constructor(packet: TracedPacket, { ruleset, host, choose }: WalkInput) {
    this.#packet = packet;
    this.#routedTo = packet.destination;
    this.#ruleset = ruleset;
    this.#host = host;
    this.#choose = choose;
  }

  walk(): WalkResult {
    const end = this.#packet.isFromHost ? this.#fromLocalProcess() : this.#fromInterface();
    return {
      ...{ end: end ?? 'through', packet: this.#packet, steps: this.#steps },
      ...{ concerns: this.#concerns, affinityEntries: this.#affinityEntries },
    };
  }

  #fromInterface(): Stop | undefined {
    const before = this.#runHook('ingress', FILTER) ?? this.#runHook('prerouting', ALL);
    if (before !== undefined) return before;
    if (isHostAddress(this.#host, this.#packet.destination)) return this.#runHook('input', ALL);
    return this.#runHook('forward', FILTER) ?? this.#runHook('postrouting', ALL) ?? this.#runHook('egress', FILTER);
  }

  /** Packets that a process sends to its own host return through loopback, already translated. */
  #fromLocalProcess(): Stop | undefined {
    const out = this.#runHook('output', ALL) ?? this.#runHook('postrouting', ALL) ?? this.#runHook('egress', FILTER);
    if (out !== undefined || !isHostAddress(this.#host, this.#packet.destination)) return out;
    this.#packet.inInterface = 'lo';
    return this.#runHook('prerouting', FILTER) ?? this.#runHook('input', FILTER);
  }

  /** Runs the base chains of a hook. Without `types` of nat, the packet is not translated there. */
  #runHook(hook: string, types: readonly string[]): Stop | undefined {
    this.#hook = hook;
    this.#routedTo = this.#packet.destination;
    const chains = this.#baseChains().filter((base) => base.hook === hook && types.includes(base.type));
    const packet = this.#packet;
    const masquerade = () => void Object.assign(packet, masqueradedSource(packet.original, this.#host));
    return runHook(chains, { hook, packet, masquerade });
  }

  /** The base chains of our table and of those of other programs; an unknown priority comes first. */
  #baseChains(): BaseChain[] {
    const ours = [...this.#ruleset.chains.values()].flatMap((chain) => {
      const { hook, name } = chain;
      if (hook === undefined) return [];
      const check = () => void this.#concerns.add(sameOrder(name));
      return [{ ...toPlace(hook), run: () => this.#runBaseChain(chain), check }];
    });
    const others = otherBaseChains(this.#ruleset, this.#visit());
    // At the same priority, the chain that was added last is the first, but the order of tables is not that of their chains.
    // So those of others come first: what they translate is a concern.
    return [...others, ...ours.reverse()];
  }

  #runBaseChain(chain: RulesetChain): Verdict {
    const verdict = this.#runChain(chain);
    if (verdict !== 'next' || chain.hook?.policy !== 'drop') return verdict;
    this.#steps.push({ hook: this.#hook, chain: chain.name, rule: 'policy drop', element: undefined });
    return 'drop';
  }

  #visit(): Visit {
    const place = { host: this.#host, hook: this.#hook, routedTo: this.#routedTo };
    return { packet: this.#packet, place, concerns: this.#concerns, steps: this.#steps };
  }

  #listedChains(table: ListedTable): ListedChains {
    return new ListedChains({ ...this.#visit(), table });
  }

  #runChain(chain: RulesetChain): Verdict {
    for (const rule of chain.rules) {
      const { statements } = rule;
      const { verdict, leaves } =
        statements === undefined ? this.#runListedRule(chain, rule) : this.#runRule(chain, { ...rule, statements });
      if (verdict !== 'next') return verdict;
      if (leaves) return 'next';
    }
    return 'next';
  }

  /** A rule in our table that is not one of ours. */
  #runListedRule(chain: RulesetChain, { text }: RulesetRule): RuleResult {
    const { family } = this.#ruleset;
    const chains = this.#listedChains({ family, name: 'nftlane', flags: [], chains: [], setsAndMaps: [], others: [] });
    const rule = readListedRule(text);
    const match = chains.match(rule);
    const [effect, ...more] = rule.effects;
    if (match === 'no' || effect === undefined) return CONTINUE;
    const isJump = effect.kind === 'jump' || effect.kind === 'goto';
    if (match === 'maybe' || more.length > 0 || (isJump && !this.#ruleset.chains.has(effect.chain))) {
      return this.#doubt(chain, text);
    }
    this.#steps.push({ hook: this.#hook, chain: chain.name, rule: text, element: undefined });
    if (isJump) return { verdict: this.#jump(effect.chain), leaves: effect.kind === 'goto' };
    const { end, isCertain } = chains.apply(effect, { name: chain.name, rules: [] }, text);
    return { verdict: end, leaves: isCertain };
  }

  /** `leaves`: processing does not return to this chain. */
  #runRule(chain: RulesetChain, { text, statements }: RulesetRule & { readonly statements: Rule }): RuleResult {
    let element: RulesetElement | undefined;
    for (const statement of statements) {
      if (dependsOnMasquerade(statement, this.#packet.masqueradedPart, this.#masqueradeAddresses()))
        return this.#onlyMarksDelivered(statements) ? CONTINUE : this.#doubt(chain, text);
      const found = this.#lookup(statement);
      if (found === 'missed' || !matchesStatement(statement, this.#packet, this.#host)) return CONTINUE;
      element = found ?? element;
      const isLast = statement === statements.at(-1);
      if (isLast) this.#recordStep({ chain, text, element });
      const result = this.#execute(statement, element);
      if (result !== undefined) return result;
    }
    return CONTINUE;
  }

  #masqueradeAddresses(): Address[] {
    return masqueradeAddresses(this.#host, this.#packet.original.family);
  }

  /** The mark asks to masquerade, which is not done to packets that are delivered to this host. */
  #onlyMarksDelivered(statements: Rule): boolean {
    return statements.at(-1)?.kind === 'set-mark' && isHostAddress(this.#host, this.#packet.destination);
  }

  /** The rule may match or not. */
  #doubt({ name }: RulesetChain, text: string): RuleResult {
    this.#concerns.add(`${this.#ruleset.family} nftlane ${name}: ${text}`);
    return CONTINUE;
  }

  #recordStep({
    chain,
    text,
    element,
  }: {
    chain: RulesetChain;
    text: string;
    element: RulesetElement | undefined;
  }): void {
    const found =
      element === undefined ? undefined : [element.key, element.data].filter((part) => part !== '').join(' : ');
    this.#steps.push({ hook: this.#hook, chain: chain.name, rule: text, element: found });
  }

  /** The element that a statement finds; `undefined` for a statement without a lookup. */
  #lookup(statement: Statement): RulesetElement | 'missed' | undefined {
    if (statement.kind === 'in-set') {
      const found = this.#ruleset.find(statement.set, lookupKey(statement.fields, this.#packet));
      if (statement.negate) return found === undefined ? undefined : 'missed';
      return found ?? 'missed';
    }
    if (statement.kind !== 'vmap' && statement.kind !== 'dnat') return undefined;
    if (statement.map.includes('/'))
      return this.#missAffinity(statement.map, lookupKey(statement.fields, this.#packet));
    const found = new Map<string, LookupResult>();
    for (let randomValue = 0; randomValue < choiceCount(statement.fields); randomValue++) {
      const element = this.#ruleset.find(statement.map, lookupKey(statement.fields, this.#packet, randomValue));
      const data = element?.data ?? '';
      const known = found.get(data) ?? { element, count: 0 };
      found.set(data, { ...known, count: known.count + 1 });
    }
    return this.#choose([...found.values()]).element ?? 'missed';
  }

  /** Entries of session affinity come and go, so the path of a client without one is followed. */
  #missAffinity(map: string, key: string): 'missed' {
    const entry = this.#ruleset.find(map, key);
    if (entry !== undefined) this.#affinityEntries.set(map, entry.data);
    return 'missed';
  }

  /** Executes a statement; `undefined` continues with the next statement of the rule. */
  #execute(statement: Statement, element: RulesetElement | undefined): RuleResult | undefined {
    switch (statement.kind) {
      case 'set-mark':
        this.#packet.mark |= 1 << statement.bit;
        return undefined;
      case 'clear-mark':
        this.#packet.mark ^= 1 << statement.bit;
        return undefined;
      case 'vmap':
        return this.#verdictOf(element?.data ?? '');
      case 'dnat':
        return this.#translate(element?.data ?? '');
      case 'masquerade':
        this.#packet.masqueraded = true;
        return { verdict: 'accept', leaves: true };
      case 'reject':
        return { verdict: 'refuse', leaves: true };
      case 'drop':
        return { verdict: 'drop', leaves: true };
      case 'jump':
      case 'goto':
        return { verdict: this.#jump(statement.chain), leaves: statement.kind === 'goto' };
      // Matches, and additions to maps.
      default:
        return undefined;
    }
  }

  /** Ours are `goto` and `drop`; other programs can add elements with others. */
  #verdictOf(data: string): RuleResult {
    const [kind = '', chain = ''] = data.split(' ');
    const target = verdictChain(data) ?? (kind === 'jump' ? chain : undefined);
    if (target !== undefined) return { verdict: this.#jump(target), leaves: kind === 'goto' };
    if (data === 'drop' || data === 'accept') return { verdict: data, leaves: true };
    if (data !== 'return' && data !== 'continue') this.#concerns.add(`verdict ${data}`);
    return { verdict: 'next', leaves: data !== 'continue' };
  }

  #jump(name: string): Verdict {
    const chain = this.#ruleset.chains.get(name);
    invariant(chain !== undefined, `chain "${name}", the target of a rule or an element, exists`);
    return this.#runChain(chain);
  }

  #translate(data: string): RuleResult {
    const [address = '', port = ''] = data.split(' . ');
    this.#packet.destination = address;
    this.#packet.port = Number(port);
    this.#packet.translated = true;
    return { verdict: 'accept', leaves: true };
  }
}
