// The statements of our rules, and their nft syntax.

import { unreachable } from '../../lib/invariant.ts';
import type { Family } from '../../net/family.ts';
import type { Protocol } from '../../net/protocol.ts';

/** Part of a lookup key: a property of the packet, or a number computed for it. */
export type Field =
  | { readonly field: 'saddr' | 'daddr' | 'l4proto' | 'sport' | 'dport' }
  /** The destination before DNAT. */
  | { readonly field: 'original-daddr' | 'original-dport' }
  /** A random number from 0 to `modulus` - 1. */
  | { readonly field: 'random'; readonly modulus: number }
  /** A number from 0 to `modulus` - 1 that depends on the client's address, or its address and port, only. */
  | { readonly field: 'hash'; readonly of: 'address' | 'address-and-port'; readonly modulus: number };

export type Statement =
  /** `new`: a packet of a flow without a reply so far; `invalid`: a packet that conntrack assigns to no flow. */
  | { readonly kind: 'state'; readonly state: 'new' | 'invalid' | 'new-or-invalid' }
  /** A flow with DNAT. */
  | { readonly kind: 'status-dnat' }
  | { readonly kind: 'protocol'; readonly protocol: Protocol }
  /** A TCP segment with none of these flags. A segment without SYN opens no connection and does not accept one. */
  | { readonly kind: 'without-flags'; readonly flags: 'syn' | 'syn,rst' }
  /** The source or destination is an address of this host. */
  | { readonly kind: 'is-local'; readonly field: 'saddr' | 'daddr' }
  | { readonly kind: 'in-prefix'; readonly field: 'saddr' | 'daddr'; readonly prefix: string; readonly negate: boolean }
  | { readonly kind: 'in-set'; readonly fields: readonly Field[]; readonly set: string; readonly negate: boolean }
  /** `name` may end in `*`, a wildcard. */
  | { readonly kind: 'input-interface'; readonly name: string; readonly negate: boolean }
  | { readonly kind: 'output-interface'; readonly name: string }
  /** The route to the destination leaves by the input interface. */
  | { readonly kind: 'leaves-by-input-interface' }
  | { readonly kind: 'mark-is-set'; readonly bit: number }
  | { readonly kind: 'set-mark'; readonly bit: number }
  | { readonly kind: 'clear-mark'; readonly bit: number }
  | { readonly kind: 'vmap'; readonly fields: readonly Field[]; readonly map: string }
  | { readonly kind: 'dnat'; readonly fields: readonly Field[]; readonly map: string }
  /** Stores the endpoint for the client's address, or restarts the timeout of the entry. */
  | { readonly kind: 'update-affinity'; readonly map: string; readonly seconds: number }
  | { readonly kind: 'masquerade' }
  | { readonly kind: 'reject'; readonly tcpReset: boolean }
  | { readonly kind: 'drop' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string };

/** Evaluated from left to right; the first statement that does not match ends the rule. */
export type Rule = readonly Statement[];

/** The same seed on every node, so that all nodes choose the same endpoint. */
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

/** A rule in nft syntax. */
export function printRule(rule: Rule, family: Family): string {
  return rule.map((statement) => printStatement(statement, family)).join(' ');
}

/**
 * The hook of a base chain. The priority is a number because older nft refuses the name `dstnat` in output chains. The
 * policy is written, too: a chain keeps the one that another program gave it.
 */
export function printHook({ type, hook, priority }: Hook): string {
  return `type ${type} hook ${hook} priority ${priority}; policy accept;`;
}

function printStatement(statement: Statement, family: Family): string {
  switch (statement.kind) {
    case 'state':
      return `ct state ${statement.state === 'new-or-invalid' ? 'invalid,new' : statement.state}`;
    case 'status-dnat':
      return 'ct status dnat';
    case 'protocol':
      return `meta l4proto ${statement.protocol}`;
    case 'without-flags':
      return `tcp flags ! ${statement.flags}`;
    case 'is-local':
      return `fib ${statement.field} type local`;
    case 'in-prefix':
      return `${family} ${statement.field} ${statement.negate ? '!= ' : ''}${statement.prefix}`;
    case 'in-set':
      return `${printFields(statement.fields, family)} ${statement.negate ? '!= ' : ''}@${statement.set}`;
    case 'input-interface':
      return `iifname ${statement.negate ? '!= ' : ''}"${statement.name}"`;
    case 'output-interface':
      return `oifname "${statement.name}"`;
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

/** One bit of the packet mark, with eight digits as is usual for fwmarks. */
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
