// Groups the lines of `nft monitor` into transactions, and distinguishes ours from those of others.

import {
  type GenerationLine,
  isOurs,
  type OmittedElements,
  parseElementOwner,
  parseGeneration,
  parseNotification,
  type RulesetCommit,
} from '../syntax/notification.ts';
import { type ObjectRef, type RefKey, refKey } from '../syntax/object-ref.ts';

interface CommitReaderOptions {
  /** Whether this process sent the transaction. `lastLine` is the last one about our tables. */
  readonly isOwn: (lastLine: string) => boolean;
  /** The number of lines of a transaction that are kept; further elements are only counted. */
  readonly maxLines?: number;
}

/** 3 MB of lines. Above it, a flushed map is recognized by the number of its deleted elements. */
const MAX_LINES = 20_000;

/** What a line completed. */
type CommitEnd =
  /** A transaction of this process. */
  | { readonly kind: 'own' }
  /** A transaction of another process that changed our tables. */
  | { readonly kind: 'foreign'; readonly commit: RulesetCommit };

/**
 * Parses only the transactions of others: most are ours, and the last line tells. Transactions that do not touch our
 * tables are skipped.
 */
export class CommitReader {
  readonly #options: Required<CommitReaderOptions>;
  #lines: string[] = [];
  #lastLine = '';
  readonly #omitted = new Map<RefKey, OmittedElements>();

  constructor(options: CommitReaderOptions) {
    this.#options = { maxLines: MAX_LINES, ...options };
  }

  /** Forgets the lines so far, because others are missing. */
  reset(): void {
    this.#lines = [];
    this.#omitted.clear();
  }

  /** Takes the next line; returns a value if it ended a transaction in our tables. */
  read(line: string): CommitEnd | undefined {
    const end = parseGeneration(line);
    if (end !== undefined) return this.#end(end);
    if (!isOurs(line)) return undefined;
    this.#lastLine = line;
    const element = this.#lines.length < this.#options.maxLines ? undefined : parseElementOwner(line);
    if (element === undefined) this.#lines.push(line);
    else this.#omit(element.object, element.verb);
    return undefined;
  }

  #end(end: GenerationLine): CommitEnd | undefined {
    const [lines, omitted] = [this.#lines, new Map(this.#omitted)];
    this.reset();
    if (lines.length === 0) return undefined;
    if (this.#options.isOwn(this.#lastLine)) return { kind: 'own' };
    const notifications = lines.flatMap((line) => parseNotification(line) ?? []);
    return { kind: 'foreign', commit: { ...end, notifications, omitted } };
  }

  #omit(object: ObjectRef, verb: 'add' | 'delete'): void {
    const { added = 0, deleted = 0 } = this.#omitted.get(refKey(object)) ?? {};
    const counts = verb === 'add' ? { added: added + 1, deleted } : { added, deleted: deleted + 1 };
    this.#omitted.set(refKey(object), { object, ...counts });
  }
}
