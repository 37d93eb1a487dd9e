// Summarizes what other processes changed in our tables, for the log, metrics and Events.

import type { Notification, RulesetCommit } from '../../nftables/syntax/notification.ts';
import { refKey } from '../../nftables/syntax/object-ref.ts';

/** What a notification is about. `object` means any other object, such as a counter or a flowtable. */
const CHANGE_KINDS = ['table', 'chain', 'rule', 'set', 'element', 'object'] as const;
type ChangeKind = (typeof CHANGE_KINDS)[number];

/** The changes of one or more transactions. */
export interface ForeignChanges {
  /** The name of the last process, and its ID in the initial PID namespace. */
  readonly program: string;
  readonly pid: number;
  readonly transactions: number;
  /** The notifications by kind. */
  readonly counts: ReadonlyMap<ChangeKind, number>;
  /** The first ones, such as `delete element ip service-ips 10.96.0.1 . tcp . 80`. */
  readonly first: readonly string[];
  /** The tables, chains, sets and other objects that changed or contain what changed. */
  readonly objects: ReadonlySet<string>;
}

const MAX_SHOWN = 3;

/** Summarizes one transaction. */
export function summarize({ program, pid, notifications, omitted }: RulesetCommit): ForeignChanges {
  const counts = new Map<ChangeKind, number>();
  const count = (kind: ChangeKind, number: number) => counts.set(kind, (counts.get(kind) ?? 0) + number);
  for (const notification of notifications) count(kindOf(notification), 1);
  for (const { added, deleted } of omitted.values()) count('element', added + deleted);
  const first = notifications.slice(0, MAX_SHOWN).map(describe);
  const objects = new Set([...notifications.map(objectOf), ...omitted.keys()]);
  return { program, pid, transactions: 1, counts, first, objects };
}

/** Summarizes both; `later` names the process. */
export function combine(earlier: ForeignChanges | undefined, later: ForeignChanges): ForeignChanges {
  if (earlier === undefined) return later;
  const counts = new Map(earlier.counts);
  for (const [kind, number] of later.counts) counts.set(kind, (counts.get(kind) ?? 0) + number);
  const transactions = earlier.transactions + later.transactions;
  const first = [...new Set([...earlier.first, ...later.first])].slice(0, MAX_SHOWN);
  const objects = new Set([...earlier.objects, ...later.objects]);
  return { program: later.program, pid: later.pid, transactions, counts, first, objects };
}

/** The counts as text: `2 chains, 1 element`. */
export function printCounts({ counts }: Pick<ForeignChanges, 'counts'>): string {
  return CHANGE_KINDS.flatMap((kind) => {
    const count = counts.get(kind) ?? 0;
    return count === 0 ? [] : [`${count} ${kind}${count === 1 ? '' : 's'}`];
  }).join(', ');
}

function kindOf({ kind }: Notification): ChangeKind {
  return kind === 'other' ? 'object' : kind;
}

function objectOf(notification: Notification): string {
  return notification.kind === 'table' ? notification.family : refKey(notification.object);
}

function describe(notification: Notification): string {
  const { verb } = notification;
  switch (notification.kind) {
    case 'table':
      return `${verb} table ${notification.family}`;
    case 'element':
      return `${verb} element ${refKey(notification.object)} ${notification.key}`;
    case 'set':
    case 'other':
      return `${verb} ${notification.type} ${refKey(notification.object)}`;
    default:
      return `${verb} ${notification.kind} ${refKey(notification.object)}`;
  }
}
