// The closed set of statements that our rules are made of, and how nft writes them.
import { unreachable } from '../../lib/invariant.ts';
import type { Family } from '../../net/family.ts';
import type { Protocol } from '../../net/protocol.ts';

/** A property of a packet, or a number drawn for it, that a lookup is keyed by. */
export type Field =
  | { readonly field: 'saddr' | 'daddr' | 'l4proto' | 'sport' | 'dport' }
  /** What the client dialled, before translation. */
  | { readonly field: 'original-daddr' | 'original-dport' }
  /** A random number from 0 up to `modulus`. */
  | { readonly field: 'random'; readonly modulus: number }
  /** A number from 0 up to `modulus` that is always the same for a client's address, or address and port. */
  | { readonly field: 'hash'; readonly of: 'address' | 'address-and-port'; readonly modulus: number };

export type Statement =
  /** `new` is the first packet of a flow, and all others until the first answer; `invalid` belongs to none. */
  | { readonly kind: 'state'; readonly state: 'new' | 'invalid' | 'new-or-invalid' }
  /** A flow whose destination was translated. */
  | { readonly kind: 'status-dnat' }
  | { readonly kind: 'protocol'; readonly protocol: Protocol }
  /** A TCP segment that begins no connection. */
  | { readonly kind: 'not-syn' }
  /** Source or destination is an address of this host. */
  | { readonly kind: 'is-local'; readonly field: 'saddr' | 'daddr' }
  | { readonly kind: 'in-prefix'; readonly field: 'saddr' | 'daddr'; readonly prefix: string; readonly negate: boolean }
  | { readonly kind: 'in-set'; readonly fields: readonly Field[]; readonly set: string; readonly negate: boolean }
  /** `name` may end in `*`, which stands for any rest. */
  | { readonly kind: 'input-interface'; readonly name: string; readonly negate: boolean }
  /** The destination is reached through the interface that the packet came in by. */
  | { readonly kind: 'leaves-by-input-interface' }
  | { readonly kind: 'mark-is-set'; readonly bit: number }
  | { readonly kind: 'set-mark'; readonly bit: number }
  | { readonly kind: 'clear-mark'; readonly bit: number }
  | { readonly kind: 'vmap'; readonly fields: readonly Field[]; readonly map: string }
  | { readonly kind: 'dnat'; readonly fields: readonly Field[]; readonly map: string }
  /** Remembers the endpoint under the client's address, or refreshes the memory. */
  | { readonly kind: 'update-affinity'; readonly map: string; readonly seconds: number }
  | { readonly kind: 'masquerade' }
  | { readonly kind: 'reject'; readonly tcpReset: boolean }
  | { readonly kind: 'drop' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string };

/** Statements are tried from left to right; the first that does not match ends the rule. */
export type Rule = readonly Statement[];

/** The same on every node, so that every node chooses alike. */
const HASH_SEED = '0x6e66746c';

/** Where a base chain hooks into the kernel's packet path. */
export interface Hook {
  readonly type: 'filter' | 'nat';
  readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';
  readonly priority: number;
}

export interface Chain {
  readonly name: string;
  /** `undefined` for a chain that is only jumped to. */
  readonly hook?: Hook;
  readonly rules: readonly Rule[];
}

/** A rule as nft reads it. */
export function printRule(rule: Rule, family: Family): string {
  return rule.map((statement) => printStatement(statement, family)).join(' ');
}

/** What a base chain says about its hook. Priorities are numbers: older nft refuses the name `dstnat` in output. */
export function printHook({ type, hook, priority }: Hook): string {
  return `type ${type} hook ${hook} priority ${priority};`;
}

function printStatement(statement: Statement, family: Family): string {
  switch (statement.kind) {
    case 'state':
      return `ct state ${statement.state === 'new-or-invalid' ? 'invalid,new' : statement.state}`;
    case 'status-dnat':
      return 'ct status dnat';
    case 'protocol':
      return `meta l4proto ${statement.protocol}`;
    case 'not-syn':
      return 'tcp flags ! syn';
    case 'is-local':
      return `fib ${statement.field} type local`;
    case 'in-prefix':
      return `${family} ${statement.field} ${statement.negate ? '!= ' : ''}${statement.prefix}`;
    case 'in-set':
      return `${printFields(statement.fields, family)} ${statement.negate ? '!= ' : ''}@${statement.set}`;
    case 'input-interface':
      return `iifname ${statement.negate ? '!= ' : ''}"${statement.name}"`;
    case 'leaves-by-input-interface':
      return 'fib daddr . iif oif exists';
    case 'update-affinity':
      return `update @${statement.map} { ${printAffinityElement(statement.seconds, family)} }`;
    case 'mark-is-set':
      return `meta mark & ${mask(statement.bit)} != 0`;
    case 'set-mark':
      return `meta mark set meta mark | ${mask(statement.bit)}`;
    case 'clear-mark':
      return `meta mark set meta mark ^ ${mask(statement.bit)}`;
    case 'vmap':
      return `${printFields(statement.fields, family)} vmap @${statement.map}`;
    case 'dnat':
      return `dnat ${family} to ${printFields(statement.fields, family)} map @${statement.map}`;
    case 'masquerade':
      return 'masquerade fully-random';
    case 'reject':
      return statement.tcpReset ? 'reject with tcp reset' : 'reject';
    case 'drop':
      return 'drop';
    case 'jump':
    case 'goto':
      return `${statement.kind} ${statement.chain}`;
    default:
      return unreachable(statement);
  }
}

function printAffinityElement(seconds: number, family: Family): string {
  return `ct original ${family} saddr timeout ${seconds}s : ${family} daddr . th dport`;
}

/** One bit of the packet mark, in the fixed width that a reader of fwmarks expects. */
function mask(bit: number): string {
  return `0x${(2 ** bit).toString(16).padStart(8, '0')}`;
}

/** Fields as a concatenation: `ip daddr . meta l4proto . th dport`. */
export function printFields(fields: readonly Field[], family: Family): string {
  return fields.map((field) => printField(field, family)).join(' . ');
}

function printField(field: Field, family: Family): string {
  switch (field.field) {
    case 'saddr':
    case 'daddr':
      return `${family} ${field.field}`;
    case 'l4proto':
      return 'meta l4proto';
    case 'sport':
    case 'dport':
      return `th ${field.field}`;
    case 'original-daddr':
      return `ct original ${family} daddr`;
    case 'original-dport':
      return 'ct original proto-dst';
    case 'random':
      return `numgen random mod ${field.modulus}`;
    case 'hash':
      return `jhash ${family} saddr${field.of === 'address' ? '' : ' . th sport'} mod ${field.modulus} seed ${HASH_SEED}`;
    default:
      return unreachable(field);
  }
}
