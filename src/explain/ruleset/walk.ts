// One way of a packet through the chains of a host, rule by rule; where a number is drawn, the caller chooses.
import { invariant, unreachable } from '../../lib/invariant.ts';
import { type Host, isHostAddress, outputInterface } from '../../net/host.ts';
import { contains, parsePrefixOrAddress } from '../../net/prefix.ts';
import { verdictChain } from '../../nftables/syntax/element.ts';
import { type Chain, type Hook, printRule, type Rule, type Statement } from '../../nftables/syntax/statement.ts';
import type { Packet } from '../flow/packet.ts';
import type { Ruleset, RulesetElement } from './ruleset.ts';
import { choiceCount, lookupKey, type TracedPacket, toTracedPacket } from './traced-packet.ts';

/** A rule that had an effect, or led on. */
export interface TraceStep {
  readonly hook: Hook['hook'];
  readonly chain: string;
  /** As nft writes it. */
  readonly rule: string;
  /** The element that a lookup found, as nft writes it. */
  readonly element: string | undefined;
}

/** What a lookup can find, and by how many of the numbers that can be drawn. */
export interface LookupResult {
  readonly element: RulesetElement | undefined;
  readonly count: number;
}

/** Chooses one of what a draw can find. */
export type ChooseLookup = (draws: readonly LookupResult[]) => LookupResult;

/** The end of a walk. */
export interface WalkResult {
  readonly end: 'refuse' | 'drop' | 'through';
  readonly packet: TracedPacket;
  readonly steps: readonly TraceStep[];
}

/** Walks all hooks that the packet passes, in the kernel's order. */
export function walk(
  packet: Packet,
  { ruleset, host, choose }: { ruleset: Ruleset; host: Host; choose: ChooseLookup },
): WalkResult {
  return new Walker(packet, { ruleset, host, choose }).walk();
}

/** What a rule, a chain or a hook says: an end, or `next` for "go on behind me", `accept` for "go on with the next hook". */
type Verdict = 'next' | 'accept' | 'refuse' | 'drop';

class Walker {
  readonly #packet: TracedPacket;
  readonly #ruleset: Ruleset;
  readonly #host: Host;
  readonly #choose: ChooseLookup;
  readonly #steps: TraceStep[] = [];
  #hook: Hook['hook'] = 'prerouting';

  constructor(packet: Packet, { ruleset, host, choose }: { ruleset: Ruleset; host: Host; choose: ChooseLookup }) {
    this.#packet = toTracedPacket(packet);
    this.#ruleset = ruleset;
    this.#host = host;
    this.#choose = choose;
  }

  walk(): WalkResult {
    const end = this.#packet.original.inInterface === undefined ? this.#fromLocalProcess() : this.#fromInterface();
    return { end: end ?? 'through', packet: this.#packet, steps: this.#steps };
  }

  #fromInterface(): 'refuse' | 'drop' | undefined {
    const before = this.#runHook('prerouting', ['filter', 'nat']);
    if (before !== undefined) return before;
    if (isHostAddress(this.#host, this.#packet.destination)) return this.#runHook('input', ['filter', 'nat']);
    return this.#runHook('forward', ['filter']) ?? this.#runHook('postrouting', ['filter', 'nat']);
  }

  /** What a process sends to its own host comes in again by loopback; its translation is settled by then. */
  #fromLocalProcess(): 'refuse' | 'drop' | undefined {
    const out = this.#runHook('output', ['filter', 'nat']) ?? this.#runHook('postrouting', ['filter', 'nat']);
    if (out !== undefined || !isHostAddress(this.#host, this.#packet.destination)) return out;
    this.#packet.inInterface = 'lo';
    return this.#runHook('prerouting', ['filter']) ?? this.#runHook('input', ['filter']);
  }

  /** The base chains of a hook by priority. A chain that accepts ends for itself alone; translation happens once a hook. */
  #runHook(hook: Hook['hook'], types: readonly Hook['type'][]): 'refuse' | 'drop' | undefined {
    this.#hook = hook;
    const baseChains = [...this.#ruleset.chains.values()].flatMap((chain) =>
      chain.hook?.hook === hook && types.includes(chain.hook.type) ? [{ chain, priority: chain.hook.priority }] : [],
    );
    baseChains.sort((a, b) => a.priority - b.priority);
    for (const { chain } of baseChains) {
      const verdict = this.#runChain(chain);
      if (verdict === 'refuse' || verdict === 'drop') return verdict;
    }
    return undefined;
  }

  #runChain(chain: Chain): Verdict {
    for (const rule of chain.rules) {
      const { verdict, leaves } = this.#runRule(chain, rule);
      if (verdict !== 'next') return verdict;
      if (leaves) return 'next';
    }
    return 'next';
  }

  /** `leaves`: the rule went to another chain for good. */
  #runRule(chain: Chain, rule: Rule): { verdict: Verdict; leaves: boolean } {
    let element: RulesetElement | undefined;
    for (const statement of rule) {
      const found = this.#lookup(statement);
      if (found === 'missed' || !this.#matches(statement)) return { verdict: 'next', leaves: false };
      element = found ?? element;
      const isLast = statement === rule.at(-1);
      if (isLast) this.#recordStep(chain, rule, element);
      const result = this.#execute(statement, element);
      if (result !== undefined) return result;
    }
    return { verdict: 'next', leaves: false };
  }

  #recordStep({ name }: Chain, rule: Rule, element: RulesetElement | undefined): void {
    const { family } = this.#ruleset;
    const found =
      element === undefined ? undefined : [element.key, element.data].filter((text) => text !== '').join(' : ');
    this.#steps.push({ hook: this.#hook, chain: name, rule: printRule(rule, family), element: found });
  }

  /** The element that a statement finds; `undefined` for a statement that looks nothing up. */
  #lookup(statement: Statement): RulesetElement | 'missed' | undefined {
    if (statement.kind === 'in-set') {
      const found = this.#ruleset.find(statement.set, lookupKey(statement.fields, this.#packet));
      if (statement.negate) return found === undefined ? undefined : 'missed';
      return found ?? 'missed';
    }
    if (statement.kind !== 'vmap' && statement.kind !== 'dnat') return undefined;
    const found = new Map<string, LookupResult>();
    for (let randomValue = 0; randomValue < choiceCount(statement.fields); randomValue++) {
      const element = this.#ruleset.find(statement.map, lookupKey(statement.fields, this.#packet, randomValue));
      const data = element?.data ?? '';
      const known = found.get(data) ?? { element, count: 0 };
      found.set(data, { ...known, count: known.count + 1 });
    }
    return this.#choose([...found.values()]).element ?? 'missed';
  }

  #matches(statement: Statement): boolean {
    const { original, destination, inInterface } = this.#packet;
    switch (statement.kind) {
      case 'state':
        return statement.state !== 'invalid';
      case 'status-dnat':
        return this.#packet.translated;
      case 'protocol':
        return statement.protocol === original.protocol;
      // What walks here is the first packet of a flow, and that of a connection is a SYN.
      case 'not-syn':
        return false;
      case 'is-local':
        return isHostAddress(this.#host, statement.field === 'saddr' ? original.source : destination);
      case 'in-prefix':
        return (
          isInPrefix(statement.prefix, statement.field === 'saddr' ? original.source : destination) !== statement.negate
        );
      case 'input-interface':
        return matchesInterface(inInterface, statement.name) !== statement.negate;
      case 'leaves-by-input-interface':
        return outputInterface(this.#host, destination) === inInterface;
      case 'mark-is-set':
        return (this.#packet.mark & (1 << statement.bit)) !== 0;
      default:
        return true;
    }
  }

  /** What a statement does; `undefined` when the rule goes on behind it. */
  #execute(
    statement: Statement,
    element: RulesetElement | undefined,
  ): { verdict: Verdict; leaves: boolean } | undefined {
    switch (statement.kind) {
      case 'state':
      case 'status-dnat':
      case 'protocol':
      case 'not-syn':
      case 'is-local':
      case 'in-prefix':
      case 'in-set':
      case 'input-interface':
      case 'leaves-by-input-interface':
      case 'mark-is-set':
      case 'update-affinity':
        return undefined;
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
      default:
        return unreachable(statement);
    }
  }

  #verdictOf(data: string): { verdict: Verdict; leaves: boolean } {
    const target = verdictChain(data);
    if (target !== undefined) return { verdict: this.#jump(target), leaves: true };
    invariant(data === 'drop' || data === 'accept', `"${data}" is a verdict`);
    return { verdict: data, leaves: true };
  }

  #jump(name: string): Verdict {
    const chain = this.#ruleset.chains.get(name);
    invariant(chain !== undefined, `chain "${name}", which a rule or an element leads to, is there`);
    return this.#runChain(chain);
  }

  #translate(data: string): { verdict: Verdict; leaves: boolean } {
    const [address = '', port = ''] = data.split(' . ');
    this.#packet.destination = address;
    this.#packet.port = Number(port);
    this.#packet.translated = true;
    return { verdict: 'accept', leaves: true };
  }
}

function isInPrefix(text: string, address: string): boolean {
  const prefix = parsePrefixOrAddress(text);
  return prefix !== undefined && contains(prefix, address);
}

function matchesInterface(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
