// One way of a packet through the chains of a host, rule by rule; where a number is drawn, the caller chooses.
import { invariant, unreachable } from '../../lib/invariant.ts';
import { contains, parsePrefix } from '../../net/prefix.ts';
import { targetOf } from '../../nftables/syntax/element.ts';
import { type Chain, type Hook, printRule, type Rule, type Statement } from '../../nftables/syntax/statement.ts';
import { type Host, interfaceTo, isOfHost, type Packet } from '../flow/packet.ts';
import { drawsOf, type Flow, readKey, startFlow } from './flow.ts';
import type { Ruleset, TracedElement } from './ruleset.ts';

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
export interface Draw {
  readonly element: TracedElement | undefined;
  readonly count: number;
}

/** Chooses one of what a draw can find. */
export type Choose = (draws: readonly Draw[]) => Draw;

/** The end of a walk. */
export interface Walked {
  readonly end: 'refuse' | 'drop' | 'through';
  readonly flow: Flow;
  readonly steps: readonly TraceStep[];
}

/** Walks all hooks that the packet passes, in the kernel's order. */
export function walk(
  packet: Packet,
  { ruleset, host, choose }: { ruleset: Ruleset; host: Host; choose: Choose },
): Walked {
  return new Walker(packet, { ruleset, host, choose }).walk();
}

/** What a rule, a chain or a hook says: an end, or `next` for "go on behind me", `accept` for "go on with the next hook". */
type Verdict = 'next' | 'accept' | 'refuse' | 'drop';

class Walker {
  readonly #flow: Flow;
  readonly #ruleset: Ruleset;
  readonly #host: Host;
  readonly #choose: Choose;
  readonly #steps: TraceStep[] = [];
  #hook: Hook['hook'] = 'prerouting';

  constructor(packet: Packet, { ruleset, host, choose }: { ruleset: Ruleset; host: Host; choose: Choose }) {
    this.#flow = startFlow(packet);
    this.#ruleset = ruleset;
    this.#host = host;
    this.#choose = choose;
  }

  walk(): Walked {
    const end = this.#flow.sent.inInterface === undefined ? this.#fromHost() : this.#fromOutside();
    return { end: end ?? 'through', flow: this.#flow, steps: this.#steps };
  }

  #fromOutside(): 'refuse' | 'drop' | undefined {
    const before = this.#pass('prerouting', ['filter', 'nat']);
    if (before !== undefined) return before;
    if (isOfHost(this.#host, this.#flow.destination)) return this.#pass('input', ['filter', 'nat']);
    return this.#pass('forward', ['filter']) ?? this.#pass('postrouting', ['filter', 'nat']);
  }

  /** What a process sends to its own host comes in again by loopback; its translation is settled by then. */
  #fromHost(): 'refuse' | 'drop' | undefined {
    const out = this.#pass('output', ['filter', 'nat']) ?? this.#pass('postrouting', ['filter', 'nat']);
    if (out !== undefined || !isOfHost(this.#host, this.#flow.destination)) return out;
    this.#flow.inInterface = 'lo';
    return this.#pass('prerouting', ['filter']) ?? this.#pass('input', ['filter']);
  }

  /** The base chains of a hook by priority. A chain that accepts ends for itself alone; translation happens once a hook. */
  #pass(hook: Hook['hook'], types: readonly Hook['type'][]): 'refuse' | 'drop' | undefined {
    this.#hook = hook;
    const bases = [...this.#ruleset.chains.values()].flatMap((chain) =>
      chain.hook?.hook === hook && types.includes(chain.hook.type) ? [{ chain, priority: chain.hook.priority }] : [],
    );
    bases.sort((a, b) => a.priority - b.priority);
    for (const { chain } of bases) {
      const verdict = this.#chain(chain);
      if (verdict === 'refuse' || verdict === 'drop') return verdict;
    }
    return undefined;
  }

  #chain(chain: Chain): Verdict {
    for (const rule of chain.rules) {
      const { verdict, leaves } = this.#rule(chain, rule);
      if (verdict !== 'next') return verdict;
      if (leaves) return 'next';
    }
    return 'next';
  }

  /** `leaves`: the rule went to another chain for good. */
  #rule(chain: Chain, rule: Rule): { verdict: Verdict; leaves: boolean } {
    let element: TracedElement | undefined;
    for (const statement of rule) {
      const drawn = this.#lookUp(statement);
      if (drawn === 'missed' || !this.#matches(statement)) return { verdict: 'next', leaves: false };
      element = drawn ?? element;
      const isLast = statement === rule.at(-1);
      if (isLast) this.#note(chain, rule, element);
      const done = this.#act(statement, element);
      if (done !== undefined) return done;
    }
    return { verdict: 'next', leaves: false };
  }

  #note({ name }: Chain, rule: Rule, element: TracedElement | undefined): void {
    const { family } = this.#ruleset;
    const found =
      element === undefined ? undefined : [element.key, element.data].filter((text) => text !== '').join(' : ');
    this.#steps.push({ hook: this.#hook, chain: name, rule: printRule(rule, family), element: found });
  }

  /** The element that a statement finds; `undefined` for a statement that looks nothing up. */
  #lookUp(statement: Statement): TracedElement | 'missed' | undefined {
    if (statement.kind === 'in-set') {
      const found = this.#ruleset.find(statement.set, readKey(statement.fields, this.#flow));
      if (statement.negate) return found === undefined ? undefined : 'missed';
      return found ?? 'missed';
    }
    if (statement.kind !== 'vmap' && statement.kind !== 'dnat') return undefined;
    const found = new Map<string, Draw>();
    for (let drawn = 0; drawn < drawsOf(statement.fields); drawn++) {
      const element = this.#ruleset.find(statement.map, readKey(statement.fields, this.#flow, drawn));
      const data = element?.data ?? '';
      const known = found.get(data) ?? { element, count: 0 };
      found.set(data, { ...known, count: known.count + 1 });
    }
    return this.#choose([...found.values()]).element ?? 'missed';
  }

  #matches(statement: Statement): boolean {
    const { sent, destination, inInterface } = this.#flow;
    switch (statement.kind) {
      case 'state':
        return statement.state !== 'invalid';
      case 'status-dnat':
        return this.#flow.translated;
      case 'protocol':
        return statement.protocol === sent.protocol;
      // What walks here is the first packet of a flow, and that of a connection is a SYN.
      case 'no-syn':
        return false;
      case 'is-local':
        return isOfHost(this.#host, statement.field === 'saddr' ? sent.source : destination);
      case 'in-prefix':
        return isIn(statement.prefix, statement.field === 'saddr' ? sent.source : destination) !== statement.negate;
      case 'input-interface':
        return isNamed(inInterface, statement.name) !== statement.negate;
      case 'turns-round':
        return interfaceTo(this.#host, destination) === inInterface;
      case 'mark-is-set':
        return (this.#flow.mark & (1 << statement.bit)) !== 0;
      default:
        return true;
    }
  }

  /** What a statement does; `undefined` when the rule goes on behind it. */
  #act(statement: Statement, element: TracedElement | undefined): { verdict: Verdict; leaves: boolean } | undefined {
    switch (statement.kind) {
      case 'state':
      case 'status-dnat':
      case 'protocol':
      case 'no-syn':
      case 'is-local':
      case 'in-prefix':
      case 'in-set':
      case 'input-interface':
      case 'turns-round':
      case 'mark-is-set':
      case 'remember':
        return undefined;
      case 'set-mark':
        this.#flow.mark |= 1 << statement.bit;
        return undefined;
      case 'clear-mark':
        this.#flow.mark ^= 1 << statement.bit;
        return undefined;
      case 'vmap':
        return this.#verdictOf(element?.data ?? '');
      case 'dnat':
        return this.#translate(element?.data ?? '');
      case 'masquerade':
        this.#flow.masqueraded = true;
        return { verdict: 'accept', leaves: true };
      case 'reject':
        return { verdict: 'refuse', leaves: true };
      case 'drop':
        return { verdict: 'drop', leaves: true };
      case 'jump':
      case 'goto':
        return { verdict: this.#go(statement.chain), leaves: statement.kind === 'goto' };
      default:
        return unreachable(statement);
    }
  }

  #verdictOf(data: string): { verdict: Verdict; leaves: boolean } {
    const target = targetOf(data);
    if (target !== undefined) return { verdict: this.#go(target), leaves: true };
    invariant(data === 'drop' || data === 'accept', `"${data}" is a verdict`);
    return { verdict: data, leaves: true };
  }

  #go(name: string): Verdict {
    const chain = this.#ruleset.chains.get(name);
    invariant(chain !== undefined, `chain "${name}", which a rule or an element leads to, is there`);
    return this.#chain(chain);
  }

  #translate(data: string): { verdict: Verdict; leaves: boolean } {
    const [address = '', port = ''] = data.split(' . ');
    this.#flow.destination = address;
    this.#flow.port = Number(port);
    this.#flow.translated = true;
    return { verdict: 'accept', leaves: true };
  }
}

function isIn(text: string, address: string): boolean {
  const prefix = parsePrefix(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`);
  return prefix !== undefined && contains(prefix, address);
}

function isNamed(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
