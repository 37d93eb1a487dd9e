// Walks one path of a packet through the chains of a host. The caller chooses random numbers.

import { invariant, unreachable } from '../../lib/invariant.ts';
import { type Host, isHostAddress, outputInterface } from '../../net/host.ts';
import { contains, parsePrefixOrAddress } from '../../net/prefix.ts';
import { verdictChain } from '../../nftables/syntax/element.ts';
import { type Chain, type Hook, printRule, type Rule, type Statement } from '../../nftables/syntax/statement.ts';
import type { Packet } from '../flow/packet.ts';
import type { Ruleset, RulesetElement } from './ruleset.ts';
import { choiceCount, lookupKey, type TracedPacket, toTracedPacket } from './traced-packet.ts';

/** A rule that matched and had an effect. */
export interface TraceStep {
  readonly hook: Hook['hook'];
  readonly chain: string;
  /** In nft syntax. */
  readonly rule: string;
  /** The element found by a lookup, in nft syntax. */
  readonly element: string | undefined;
}

/** One possible result of a lookup, and the number of random values that give it. */
export interface LookupResult {
  readonly element: RulesetElement | undefined;
  readonly count: number;
}

/** Chooses one of the possible results. */
type ChooseLookup = (results: readonly LookupResult[]) => LookupResult;

export interface WalkResult {
  readonly end: 'refuse' | 'drop' | 'through';
  readonly packet: TracedPacket;
  readonly steps: readonly TraceStep[];
}

/** Walks through all hooks of the packet in the kernel's order. */
export function walk(
  packet: Packet,
  { ruleset, host, choose }: { ruleset: Ruleset; host: Host; choose: ChooseLookup },
): WalkResult {
  return new Walker(packet, { ruleset, host, choose }).walk();
}

/** The result of a rule or a chain. `next` continues with the next rule, `accept` with the next base chain. */
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

  /** Packets that a process sends to its own host return through loopback, already translated. */
  #fromLocalProcess(): 'refuse' | 'drop' | undefined {
    const out = this.#runHook('output', ['filter', 'nat']) ?? this.#runHook('postrouting', ['filter', 'nat']);
    if (out !== undefined || !isHostAddress(this.#host, this.#packet.destination)) return out;
    this.#packet.inInterface = 'lo';
    return this.#runHook('prerouting', ['filter']) ?? this.#runHook('input', ['filter']);
  }

  /** Runs the base chains of a hook by priority. `accept` ends only the base chain that it is in. */
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

  /** `leaves`: processing does not return to this chain. */
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

  /** The element that a statement finds; `undefined` for a statement without a lookup. */
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
      // The first packet of a TCP connection is a SYN.
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

  /** Executes a statement; `undefined` continues with the next statement of the rule. */
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
    invariant(chain !== undefined, `chain "${name}", the target of a rule or an element, exists`);
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
