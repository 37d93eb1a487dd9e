// Reads a rule of any program from its listing: the part that affects the first packet of a flow.

/** One comparison of a rule. `values` are those of an anonymous set, or a single one. */
export interface Condition {
  /** As in nft: `ip daddr`, `tcp dport`, `ct state`, `iifname`. */
  readonly field: string;
  readonly negate: boolean;
  readonly values: readonly string[];
}

/** What a rule does with a packet that it matches. `change`: it changes or diverts the packet in another way. */
export type Effect =
  | { readonly kind: 'accept' | 'return' | 'drop' | 'reject' | 'masquerade' | 'notrack' | 'change' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  | { readonly kind: 'dnat'; readonly address: string; readonly port: string | undefined };

export interface ListedRule {
  readonly conditions: readonly Condition[];
  /** Whether there are comparisons that are not known, so that the rule may match or not. */
  readonly hasUnknown: boolean;
  /** In their order; empty for a rule that only counts or logs. */
  readonly effects: readonly Effect[];
}

/** Reads a rule in nft syntax. Every statement of nft that can affect a packet is an effect; other words are unknown. */
export function readListedRule(text: string): ListedRule {
  const conditions: Condition[] = [];
  const effects: Effect[] = [];
  let hasUnknown = false;
  for (let rest = text.trim(); rest !== ''; ) {
    const { length, condition, effects: found = [], isKnown } = readPart(rest);
    if (condition !== undefined) conditions.push(condition);
    effects.push(...found);
    if (!isKnown) hasUnknown = true;
    rest = rest.slice(length).trimStart();
  }
  return { conditions, hasUnknown, effects };
}

interface Part {
  readonly length: number;
  readonly isKnown: boolean;
  readonly condition?: Condition;
  readonly effects?: readonly Effect[];
}

function readPart(text: string): Part {
  const harmless = HARMLESS.exec(text);
  if (harmless !== null) return { length: harmless[0].length, isKnown: true };
  for (const { pattern, effect } of EFFECTS) {
    const match = pattern.exec(text);
    if (match !== null) return { length: match[0].length, isKnown: true, effects: [effect(match)] };
  }
  const map = /^vmap (?:\{([^}]*)\}|@\S+)/.exec(text);
  if (map !== null) return { length: map[0].length, isKnown: false, effects: readVerdicts(map[1]) };
  const condition = CONDITION.exec(text);
  if (condition !== null) return { length: condition[0].length, isKnown: true, condition: toCondition(condition) };
  return { length: /^(?:"[^"]*"|\{[^}]*\}|\S+)/.exec(text)?.[0].length ?? text.length, isKnown: false };
}

/** Statements that neither change nor divert a packet that is the first of its flow. */
const HARMLESS = new RegExp(
  `^(?:${[
    'counter(?: packets \\d+ bytes \\d+| name "[^"]*")?',
    'comment "[^"]*"',
    'last(?: used \\S+)?',
    'log(?: (?:prefix|level|group|snaplen|queue-threshold|flags) (?:"[^"]*"|\\S+(?: (?:options|sequence))?))*',
    '(?:meta (?:nftrace|priority)|ip6? dscp|ct helper|tcp option maxseg size) set (?:"[^"]*"|rt mtu|\\S+)',
    '(?:add|update|delete) @\\S+ \\{[^}]*\\}',
    'flow add @\\S+',
    'continue',
    'random|fully-random|persistent',
  ].join('|')})(?= |$)`,
);

interface EffectPattern {
  readonly pattern: RegExp;
  readonly effect: (match: readonly string[]) => Effect;
}

const EFFECTS: readonly EffectPattern[] = [
  { pattern: /^accept(?= |$)/, effect: () => ({ kind: 'accept' }) },
  { pattern: /^return(?= |$)/, effect: () => ({ kind: 'return' }) },
  { pattern: /^drop(?= |$)/, effect: () => ({ kind: 'drop' }) },
  {
    pattern: /^reject(?: with (?:tcp reset|icmp(?:x|v6)?(?: type)? \S+))?(?= |$)/,
    effect: () => ({ kind: 'reject' }),
  },
  { pattern: /^jump (\S+)/, effect: ([, chain = '']) => ({ kind: 'jump', chain }) },
  { pattern: /^goto (\S+)/, effect: ([, chain = '']) => ({ kind: 'goto', chain }) },
  {
    pattern: /^dnat (?:ip )?to (\d+\.\d+\.\d+\.\d+)(?::(\d+))?(?= |$)/,
    effect: ([, address = '', port]) => ({ kind: 'dnat', address, port }),
  },
  {
    pattern: /^dnat (?:ip6 )?to \[?([0-9a-f]*:[0-9a-f:.]*)(?:\]:(\d+)|\])?(?= |$)/,
    effect: ([, address = '', port]) => ({ kind: 'dnat', address, port }),
  },
  { pattern: /^masquerade(?= |$)/, effect: () => ({ kind: 'masquerade' }) },
  { pattern: /^notrack(?= |$)/, effect: () => ({ kind: 'notrack' }) },
  // What follows counts as unknown, which makes no difference: the effect is not evaluated in any case.
  {
    pattern: /^(?:snat|dnat|redirect|tproxy|queue|dup|fwd|synproxy|xt target)(?= |$)/,
    effect: () => ({ kind: 'change' }),
  },
  { pattern: /^[a-z0-9]+(?: [a-z0-9-]+){1,4} set(?= )/, effect: () => ({ kind: 'change' }) },
];

/** The verdicts of a map; those of a named one are not known. */
function readVerdicts(elements: string | undefined): Effect[] {
  if (elements === undefined) return [{ kind: 'change' }];
  const verdicts = [...elements.matchAll(/ : ([^,]+)/g)].map(([, verdict = '']) => verdict.trim());
  return verdicts.flatMap((verdict) => readListedRule(verdict).effects);
}

const FIELDS = [
  'ip6? [sd]addr',
  'ip protocol',
  'ip6 nexthdr',
  'meta (?:l4proto|nfproto|protocol|mark)',
  '(?:tcp|udp|udplite|sctp|dccp|th) [sd]port',
  'icmp(?:v6)? (?:type|code)',
  'ct (?:state|status|direction)',
  'ct original (?:ip6? )?[sd]addr',
  'ct original proto-dst',
  '[io]if(?:name)?',
  'fib [sd]addr type',
  'fib saddr(?: \\. mark)? \\. iif oif(?:name)?',
].join('|');

const CONDITION = new RegExp(`^(${FIELDS}) (!= |== )?(\\{[^}]*\\}|"[^"]*"|(?!vmap |set )[0-9a-z:][^ {@]*)(?= |$)`);

function toCondition([, field = '', operator = '', value = '']: readonly string[]): Condition {
  const isList = value.startsWith('{') || field.startsWith('ct s');
  const values = isList ? value.replaceAll(/[{}]/g, '').split(',') : [value];
  return { field, negate: operator === '!= ', values: values.map((text) => text.trim().replaceAll('"', '')) };
}
