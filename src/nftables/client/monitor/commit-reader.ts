// Groups the lines of `nft monitor` into transactions, and distinguishes ours from those of others.

import {
  type GenerationLine,
  isOurs,
  type OmittedElements,
  parseElementOwner,
  parseGeneration,
  parseNotification,
  type RulesetCommit,
} from '../../syntax/notification.ts';
import { type ObjectRef, type RefKey, refKey } from '../../syntax/object-ref.ts';

interface CommitReaderOptions {
  /** Our number of the transaction, if this process sent it. `lastLine` is the last one about our tables. */
  readonly ownNumber: (lastLine: string) => number | undefined;
  /** The number of lines of a transaction that are kept; further elements are only counted. */
  readonly maxLines?: number;
}

/** 3 MB of lines. Above it, a flushed map is recognized by the number of its deleted elements. */
const MAX_LINES = 20_000;

/** What a line completed. */
type CommitEnd =
  /** A transaction of this process. */
  | { readonly kind: 'own'; readonly generation: number; readonly number: number }
  /** A transaction of another process that changed our tables. */
  | { readonly kind: 'foreign'; readonly generation: number; readonly commit: RulesetCommit }
  /** A transaction in other tables. */
  | { readonly kind: 'other'; readonly generation: number };

/** Parses only the transactions of others in our tables: most are ours, and the last line tells. */
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

  /** Takes the next line; returns a value if it ended a transaction. */
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

  #end(end: GenerationLine): CommitEnd {
    const { generation } = end;
    const [lines, omitted] = [this.#lines, new Map(this.#omitted)];
    this.reset();
    if (lines.length === 0) return { kind: 'other', generation };
    const number = this.#options.ownNumber(this.#lastLine);
    if (number !== undefined) return { kind: 'own', generation, number };
    const notifications = lines.flatMap((line) => parseNotification(line) ?? []);
    return { kind: 'foreign', generation, commit: { ...end, notifications, omitted } };
  }

  #omit(object: ObjectRef, verb: 'add' | 'delete'): void {
    const { added = 0, deleted = 0 } = this.#omitted.get(refKey(object)) ?? {};
    const counts = verb === 'add' ? { added: added + 1, deleted } : { added, deleted: deleted + 1 };
    this.#omitted.set(refKey(object), { object, ...counts });
  }
}
