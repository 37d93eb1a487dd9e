// Parses the output of `nft monitor` about our tables.

import type { Family } from '../../net/family.ts';
import type { InstalledElement } from './kernel-listing.ts';
import { readElement } from './listing.ts';
import type { ObjectRef, RefKey } from './object-ref.ts';

type Verb = 'add' | 'delete';

/** A change of one object or element in our tables. */
export type Notification =
  | { readonly kind: 'table'; readonly verb: Verb; readonly family: Family }
  | { readonly kind: 'chain' | 'rule'; readonly verb: Verb; readonly object: ObjectRef }
  /** A set or map. nft names the type only when it is added: a deleted map is a `set`. */
  | { readonly kind: 'set'; readonly verb: Verb; readonly object: ObjectRef; readonly type: 'set' | 'map' }
  /** `installed` is the element that was added or deleted. */
  | {
      readonly kind: 'element';
      readonly verb: Verb;
      readonly object: ObjectRef;
      readonly key: string;
      readonly installed: InstalledElement;
    }
  /** An object of a type that nftlane does not use, as nft names it: `counter`, `flowtable`, `ct helper`. */
  | { readonly kind: 'other'; readonly verb: Verb; readonly object: ObjectRef; readonly type: string };

/** Element notifications of one set or map that were counted instead of parsed, because there were too many. */
export interface OmittedElements {
  readonly object: ObjectRef;
  readonly added: number;
  readonly deleted: number;
}

/** What one transaction of any process changed in our tables. */
export interface RulesetCommit {
  /** The kernel's number of the transaction in this network namespace. It wraps at 2^32. */
  readonly generation: number;
  /** The process, in the initial PID namespace: from within a container it may be the number of another one. */
  readonly pid: number;
  /** Its name of at most 15 bytes, as the kernel gives it, with control characters replaced. */
  readonly program: string;
  readonly notifications: readonly Notification[];
  readonly omitted: ReadonlyMap<RefKey, OmittedElements>;
}

/** The end of a transaction, in any table. */
export type GenerationLine = Pick<RulesetCommit, 'generation' | 'pid' | 'program'>;

const GENERATION = /^# new generation (\d+) by \w+ (\d+) \((.*)\)$/;

/** The line that ends the notifications of a transaction; `undefined` for other lines. */
export function parseGeneration(line: string): GenerationLine | undefined {
  const [, generation, pid, name = ''] = GENERATION.exec(line) ?? [];
  if (generation === undefined) return undefined;
  return { generation: Number(generation), pid: Number(pid), program: name.replaceAll(/\p{C}/gu, '?') };
}

/** nft prints it when its socket buffer was full, and continues: any number of notifications is missing. */
export function isLossNotice(line: string): boolean {
  return line.startsWith('# ERROR:');
}

const OURS = /^(add|insert|replace|delete|destroy) ((?:ct )?\w+) (ip6?) nftlane(?: (\S+)(?: (.*))?)?$/;

/** Whether a line is about one of our tables. */
export function isOurs(line: string): boolean {
  return OURS.test(line);
}

/** The change on a line; `undefined` for lines about other tables, and for others. */
export function parseNotification(line: string): Notification | undefined {
  const [, word = '', type = '', familyText = '', name, rest = ''] = OURS.exec(line) ?? [];
  if (word === '') return undefined;
  const verb = word === 'delete' || word === 'destroy' ? 'delete' : 'add';
  const family = familyText === 'ip6' ? 'ip6' : 'ip';
  if (name === undefined || name === '{') return type === 'table' ? { kind: 'table', verb, family } : undefined;
  const object = { family, name } as const;
  switch (type) {
    case 'table':
      return { kind: 'table', verb, family };
    case 'chain':
    case 'rule':
      return { kind: type, verb, object };
    case 'set':
    case 'map':
      return { kind: 'set', verb, object, type };
    case 'element': {
      const { key, data, comment } = readElement(rest.replace(/^\{ /, '').replace(/ \}$/, ''));
      return { kind: 'element', verb, object, key, installed: { data, comment } };
    }
    default:
      return { kind: 'other', verb, object, type };
  }
}

const ELEMENT_OF_OURS = /^(add|delete) element (ip6?) nftlane (\S+) \{/;

/** The set or map of an element notification, without parsing the element. */
export function parseElementOwner(line: string): { readonly verb: Verb; readonly object: ObjectRef } | undefined {
  const [, verb, family, name = ''] = ELEMENT_OF_OURS.exec(line) ?? [];
  if (verb === undefined) return undefined;
  return { verb: verb === 'add' ? 'add' : 'delete', object: { family: family === 'ip6' ? 'ip6' : 'ip', name } };
}
