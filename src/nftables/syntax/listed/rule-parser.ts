// Reads rules back from the text of a listing, in the forms in which nft prints the rules that we write.

import type { Family } from '../../../net/family.ts';
import { parsePrefixOrAddress } from '../../../net/prefix.ts';
import type { Protocol } from '../../../net/protocol.ts';
import { type Field, printRule, type Rule, type Statement } from '../statement.ts';
import { parseDuration } from './duration.ts';

/** Parses a rule; `undefined` if it has a statement that our rules never have. */
export function parseRule(text: string, family: Family): Rule | undefined {
  return new RuleReader(text.trim(), family).read();
}

/**
 * The normal form of a rule's text: the same for the rule that we write and for all forms in which nft lists it. A rule
 * that is not one of ours is its own normal form.
 */
export function normalRule(text: string, family: Family): string {
  const rule = parseRule(text, family);
  return rule === undefined ? text.trim().replaceAll(/\s+/g, ' ') : printRule(protocolsFirst(rule), family);
}

const ACTIONS: ReadonlySet<Statement['kind']> = new Set([
  ...(['set-mark', 'clear-mark', 'vmap', 'dnat', 'update-affinity', 'masquerade', 'reject'] as const),
  ...(['drop', 'jump', 'goto'] as const),
]);

/** Moves matches of a protocol before other matches, because a listing does not show where an implied one is. */
function protocolsFirst(rule: Rule): Rule {
  const ordered: Statement[] = [];
  for (const statement of rule) {
    const lastAction = ordered.findLastIndex(({ kind }) => ACTIONS.has(kind));
    ordered.splice(statement.kind === 'protocol' ? lastAction + 1 : ordered.length, 0, statement);
  }
  return ordered;
}

const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  tcp: 'tcp',
  udp: 'udp',
  sctp: 'sctp',
  6: 'tcp',
  17: 'udp',
  132: 'sctp',
};

class RuleReader {
  readonly #text: string;
  readonly #family: Family;
  readonly #statements: Statement[] = [];
  #at = 0;

  constructor(text: string, family: Family) {
    this.#text = text;
    this.#family = family;
  }

  read(): Rule | undefined {
    while (this.#at < this.#text.length) {
      if (!this.#readStatement()) return undefined;
      if (this.#at < this.#text.length && this.#take(/ +/y) === undefined) return undefined;
    }
    return this.#statements;
  }

  #readStatement(): boolean {
    return this.#readMatch() || this.#readAction() || this.#readLookup();
  }

  #readMatch(): boolean {
    const state = this.#take(/ct state (new,invalid|invalid,new|new|invalid)(?= |$)/y);
    if (state !== undefined) {
      const isEither = state[1]?.includes(',') === true;
      return this.#push({ kind: 'state', state: isEither ? 'new-or-invalid' : state[1] === 'new' ? 'new' : 'invalid' });
    }
    if (this.#take(/ct status dnat(?= |$)/y)) return this.#push({ kind: 'status-dnat' });
    const protocol = this.#take(/meta l4proto (tcp|udp|sctp|6|17|132)(?= |$)/y);
    if (protocol !== undefined) return this.#pushProtocol(PROTOCOLS[protocol[1] ?? '']);
    const flags = this.#take(/tcp flags ! (syn(?:,rst)?)(?= |$)/y);
    if (flags !== undefined)
      return this.#imply('tcp') && this.#push({ kind: 'without-flags', flags: flags[1] === 'syn' ? 'syn' : 'syn,rst' });
    const local = this.#take(/fib ([sd]addr) type local(?= |$)/y);
    if (local !== undefined) return this.#push({ kind: 'is-local', field: toAddressField(local[1]) });
    if (this.#take(/fib daddr \. iif oif exists(?= |$)/y)) return this.#push({ kind: 'leaves-by-input-interface' });
    const input = this.#take(/iifname (!= )?"([^"]+)"(?= |$)/y);
    if (input !== undefined)
      return this.#push({ kind: 'input-interface', name: input[2] ?? '', negate: input[1] !== undefined });
    const output = this.#take(/oifname "([^"*]+)"(?= |$)/y);
    if (output !== undefined) return this.#push({ kind: 'output-interface', name: output[1] ?? '' });
    return this.#readPrefix() || this.#readMarkMatch();
  }

  #readPrefix(): boolean {
    const match = this.#take(/(ip6?) ([sd]addr) (!= )?([0-9a-f:][0-9a-f:.]*(?:\/\d+)?)(?= |$)/y);
    if (match === undefined) return false;
    const [, family, field, negate, text = ''] = match;
    const prefix = parsePrefixOrAddress(text);
    if (family !== this.#family || prefix === undefined || prefix.family !== family) return false;
    // nft prints a prefix with all bits as an address.
    const printed = prefix.length === (family === 'ip' ? 32 : 128) ? prefix.text.replace(/\/\d+$/, '') : prefix.text;
    return this.#push({
      kind: 'in-prefix',
      field: toAddressField(field),
      prefix: printed,
      negate: negate !== undefined,
    });
  }

  #readMarkMatch(): boolean {
    const match = this.#take(/meta mark & (0x[0-9a-f]+|\d+) != (?:0x0+|0)(?= |$)/y);
    const bit = match === undefined ? undefined : bitOf(match[1]);
    return bit !== undefined && this.#push({ kind: 'mark-is-set', bit });
  }

  #readAction(): boolean {
    const mark = this.#take(/meta mark set meta mark ([|^]) (0x[0-9a-f]+|\d+)(?= |$)/y);
    if (mark !== undefined) {
      const bit = bitOf(mark[2]);
      return bit !== undefined && this.#push({ kind: mark[1] === '|' ? 'set-mark' : 'clear-mark', bit });
    }
    if (this.#take(/masquerade fully-random(?= |$)/y)) return this.#push({ kind: 'masquerade' });
    if (this.#take(/reject with tcp reset(?= |$)/y))
      return this.#imply('tcp') && this.#push({ kind: 'reject', tcpReset: true });
    if (this.#take(/reject(?: with (?:icmpx?|icmpv6)(?: type)? port-unreachable)?(?= |$)/y))
      return this.#push({ kind: 'reject', tcpReset: false });
    if (this.#take(/drop(?= |$)/y)) return this.#push({ kind: 'drop' });
    const jump = this.#take(/(jump|goto) (\S+)/y);
    if (jump !== undefined) return this.#push({ kind: jump[1] === 'goto' ? 'goto' : 'jump', chain: jump[2] ?? '' });
    return this.#readUpdate();
  }

  #readUpdate(): boolean {
    const update = this.#take(
      /update @(\S+) \{ ct original (ip6?) saddr timeout (\S+) : (ip6?) daddr \. (?:th|tcp|udp|sctp) dport \}/y,
    );
    if (update === undefined) return false;
    const [, map = '', first, timeout = '', second] = update;
    const seconds = parseDuration(timeout);
    if (first !== this.#family || second !== this.#family || seconds === undefined) return false;
    return this.#push({ kind: 'update-affinity', map, seconds });
  }

  /** A set, a verdict map, or DNAT by a map. */
  #readLookup(): boolean {
    const isDnat = this.#take(this.#family === 'ip' ? /dnat ip to /y : /dnat ip6 to /y) !== undefined;
    const fields = this.#readFields();
    if (fields === undefined) return false;
    const target = this.#take(isDnat ? / (map) @(\S+)/y : / (vmap |!= |)@(\S+)/y);
    if (target === undefined) return false;
    const [, verb, name = ''] = target;
    if (isDnat) return this.#push({ kind: 'dnat', fields, map: name });
    if (verb === 'vmap ') return this.#push({ kind: 'vmap', fields, map: name });
    return this.#push({ kind: 'in-set', fields, set: name, negate: verb === '!= ' });
  }

  #readFields(): Field[] | undefined {
    const fields: Field[] = [];
    do {
      const field = this.#readField();
      if (field === undefined) return undefined;
      fields.push(field);
    } while (this.#take(/ \. /y) !== undefined);
    return fields;
  }

  #readField(): Field | undefined {
    const hash = this.#take(
      /jhash (ip6?) saddr( \. (th|tcp|udp|sctp) sport)? mod (\d+) seed (?:0x6e66746c|1852208236)(?= |$)/y,
    );
    if (hash !== undefined) {
      const [, family, port, header, modulus] = hash;
      if (family !== this.#family || (header !== undefined && !this.#impliedBy(header))) return undefined;
      return { field: 'hash', of: port === undefined ? 'address' : 'address-and-port', modulus: Number(modulus) };
    }
    const random = this.#take(/numgen random mod (\d+)(?= |$)/y);
    if (random !== undefined) return { field: 'random', modulus: Number(random[1]) };
    if (this.#take(/meta l4proto(?= |$)/y)) return { field: 'l4proto' };
    if (this.#take(/ct original proto-dst(?= |$)/y)) return { field: 'original-dport' };
    const address = this.#take(/(ct original )?(ip6?) ([sd]addr)(?= |$)/y);
    if (address !== undefined) return this.#toAddressField(address);
    const port = this.#take(/(th|tcp|udp|sctp) ([sd])port(?= |$)/y);
    if (port === undefined || !this.#impliedBy(port[1] ?? '')) return undefined;
    return { field: port[2] === 's' ? 'sport' : 'dport' };
  }

  #toAddressField([, original, family, field]: RegExpExecArray): Field | undefined {
    if (family !== this.#family) return undefined;
    if (original === undefined) return { field: toAddressField(field) };
    return field === 'daddr' ? { field: 'original-daddr' } : undefined;
  }

  /** nft leaves a match of the protocol out if a later statement of the rule implies it: `udp dport` for `th dport`. */
  #impliedBy(header: string): boolean {
    return header === 'th' || this.#imply(header as Protocol);
  }

  /** Adds the match of a protocol that the listing leaves out. False if the rule matches another protocol. */
  #imply(protocol: Protocol): boolean {
    const known = this.#statements.find((statement) => statement.kind === 'protocol');
    return known === undefined ? this.#pushProtocol(protocol) : known.protocol === protocol;
  }

  #pushProtocol(protocol: Protocol | undefined): boolean {
    return protocol !== undefined && this.#push({ kind: 'protocol', protocol });
  }

  #push(statement: Statement): boolean {
    this.#statements.push(statement);
    return true;
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match;
  }
}

function toAddressField(text: string | undefined): 'saddr' | 'daddr' {
  return text === 'saddr' ? 'saddr' : 'daddr';
}

/** The number of the only bit that is set; `undefined` for other numbers. */
function bitOf(text: string | undefined): number | undefined {
  const bit = Math.log2(Number(text));
  return Number.isInteger(bit) ? bit : undefined;
}
